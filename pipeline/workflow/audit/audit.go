// Package audit looks for what is wrong with a data set: wrong labels, copies, outliers
// and bad images. It trains heads on folds of cached features, so that each image is
// judged by a head that has not learnt from it. What a finding is, package
// pipeline/audit decides. It changes no image.
package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/audit"
	"tftl/pipeline/audit/findings"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/train"
)

// Request is what to audit, and with what.
type Request struct {
	// Request is that of the heads. Its Output is the folder of the audit.
	train.Request
	// Folds is how many heads are trained, each without the images that it judges.
	Folds int
	// Decode decodes an image at its full size.
	Decode audit.Decode
	// Baseline is what is known; nil for none.
	Baseline findings.Baseline
	Gates    []findings.Gate
	// Data and Model are what the audit calls them.
	Data, Model string
}

// DefaultFolds is the usual number of folds.
const DefaultFolds = 5

// NewRequest returns a request with the defaults of tftl audit: five heads, trained as
// tftl fit does. data and model are absolute paths.
func NewRequest(data, model, output string) Request {
	return Request{Request: train.NewRequest(data, model, output), Folds: DefaultFolds, Data: data, Model: model}
}

// Check returns an error if a value makes no sense for any data and model.
func (r Request) Check() error {
	if err := pipeline.CheckRange("folds", r.Folds, 2, dataset.MaxFolds); err != nil {
		return err
	}
	if r.Cache.Off {
		return pipeline.Errorf(pipeline.BadUsage, "%s off: an audit trains several heads on the same features, so it needs the cache", pipeline.Option("cache"))
	}
	return r.Request.Check()
}

// Result is what an audit found.
type Result struct {
	Summary     findings.Summary
	Rows        []findings.Row // in the order of findings.Sort
	Classes     []string
	Predictions []pipeline.Prediction // out of fold, of the images in Images
	Images      pipeline.Encoded
	Parts       []string // of Images
}

// Run audits a data set.
func Run(ctx context.Context, r Request, env workflow.Env) (result *Result, err error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	prepared, err := train.Prepare(ctx, r.Request, env)
	if err != nil {
		return nil, err
	}
	if err := free(r.Output, r.Overwrite); err != nil {
		return nil, err
	}
	heads, err := prepared.Heads(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, heads.Close()) }()
	if n := len(heads.Skipped); n > 0 {
		env.Warn("bad images that cannot be judged: %d, such as %s: %s", n, heads.Skipped[0].ID, heads.Skipped[0].Reason)
	}
	j := &judge{Request: r, env: env, heads: heads, set: prepared.Set, images: heads.Images()}
	j.parts = partsOf(j.set, j.images)
	found, err := j.find(ctx)
	if err != nil {
		return nil, err
	}
	found = append(found, unreadable(heads.Skipped)...)
	findings.Sort(found)
	return j.result(found), nil
}

// unreadable are findings of images that could not be read.
func unreadable(skipped []rundir.BadImage) []audit.Finding {
	var found []audit.Finding
	for _, s := range skipped {
		found = append(found, audit.Finding{Image: s.ID, Kind: audit.Unreadable, Score: 1, Label: s.Class, Part: s.Part, Detail: s.Reason})
	}
	return found
}

// judge is an audit in progress.
type judge struct {
	Request
	env    workflow.Env
	heads  heads
	set    *dataset.Set
	images pipeline.Encoded
	parts  []string // of the images

	predictions []pipeline.Prediction // out of fold
	labels      *audit.Labels
	trained     int // heads
}

// heads are those of package train.
type heads interface {
	Train(ctx context.Context, seed uint64, train, validation []int) (pipeline.Epoch, error)
	Predict(ctx context.Context, index []int) ([]pipeline.Prediction, error)
	Features(ctx context.Context, index []int) (values []float32, width int, err error)
}

// find looks for everything. Copies come first, because they stay in one fold.
func (j *judge) find(ctx context.Context) ([]audit.Finding, error) {
	copies, bad, err := j.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := j.predict(ctx, copies); err != nil {
		return nil, err
	}
	if err := j.judgeLabels(); err != nil {
		return nil, err
	}
	outliers, err := j.outliers(ctx)
	if err != nil {
		return nil, err
	}
	found := slices.Concat(j.labels.Findings, copies, outliers, bad)
	part := map[string]string{}
	for i := range j.images.Len() {
		part[j.images.Sample(i).ID] = j.parts[i]
	}
	for i := range found {
		found[i].Part = part[found[i].Image]
	}
	return found, nil
}

// judgeLabels compares labels and predictions. Images whose class was unknown to the
// head that predicted them have no say.
func (j *judge) judgeLabels() (err error) {
	var judged []pipeline.Prediction
	lone := map[string]bool{}
	for _, p := range j.predictions {
		if p.Probabilities == nil {
			lone[j.set.Classes[p.Sample.Label]] = true
			continue
		}
		judged = append(judged, p)
	}
	if len(lone) > 0 {
		var names []string
		for name := range lone {
			names = append(names, fmt.Sprintf("%q", printable.Shorten(name, 60)))
		}
		slices.Sort(names)
		j.env.Warn("classes of which all images are in one fold, so their labels cannot be judged: %s", printable.Few(names))
	}
	j.labels, err = audit.JudgeLabels(judged, j.set.Classes, j.Config.Seed)
	return err
}

// outliers looks at the features of all images.
func (j *judge) outliers(ctx context.Context) ([]audit.Finding, error) {
	all := make([]int, j.images.Len())
	samples := make([]pipeline.Sample, len(all))
	for i := range all {
		all[i], samples[i] = i, j.images.Sample(i)
	}
	j.env.Progress(pipeline.Event{Phase: "neighbours"})
	values, width, err := j.heads.Features(ctx, all)
	if err != nil {
		return nil, err
	}
	return audit.Outliers(ctx, audit.Vectors{Values: values, Width: width}, samples, j.set.Classes)
}

// result puts together what was found.
func (j *judge) result(found []audit.Finding) *Result {
	r := &Result{Classes: j.set.Classes, Predictions: j.predictions, Images: j.images, Parts: j.parts}
	s := &r.Summary
	*s = findings.Summary{
		Tftl: j.env.Version, Data: j.Data, Model: j.Model, Images: j.images.Len(), Classes: len(j.set.Classes), Folds: j.trained,
		Confused: []findings.Pair{}, Gates: []findings.Result{},
	}
	right, judged := 0, 0
	for _, p := range j.predictions {
		if p.Probabilities != nil {
			judged++
			if pipeline.Largest(p.Probabilities) == p.Sample.Label {
				right++
			}
		}
	}
	s.Accuracy = float64(right) / float64(max(judged, 1))
	all := float64(max(judged, 1))
	e := j.labels.Errors
	s.LabelErrors = findings.Estimate{Images: e.Value, Share: e.Value / all, Lower: e.Low / all, Upper: e.High / all}
	for _, p := range j.labels.Confused {
		s.Confused = append(s.Confused, findings.Pair{Label: p.Given, Suggested: p.Likely, Images: p.Images})
	}
	var gone []findings.Key
	r.Rows, gone = j.Baseline.Accept(found)
	s.Found, s.Copies = findings.Tally(r.Rows)
	if j.Baseline != nil {
		s.Baseline = findings.Use(r.Rows, gone)
	}
	for _, g := range j.Gates {
		s.Gates = append(s.Gates, g.Check(*s))
	}
	return r
}

// partsOf is the part of each image.
func partsOf(set *dataset.Set, images pipeline.Encoded) []string {
	of := map[string]string{}
	for p, part := range set.Parts() {
		for i := range part.Len() {
			of[part.Sample(i).ID] = pipeline.Parts()[p]
		}
	}
	parts := make([]string, images.Len())
	for i := range parts {
		parts[i] = of[images.Sample(i).ID]
	}
	return parts
}
