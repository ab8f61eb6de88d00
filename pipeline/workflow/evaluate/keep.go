package evaluate

import (
	"cmp"
	"context"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/printable"
	"tftl/internal/regular"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/train"
)

// Kept says how much of the predictions a run's folder keeps. The zero value is
// all of them.
type Kept struct {
	None bool
	Top  int // classes of each image, the most likely ones
}

const optionPredictions = pipeline.Option("predictions")

// ParseKept reads full, none or top:K.
func ParseKept(text string) (k Kept, err error) {
	switch top, ok := strings.CutPrefix(text, "top:"); {
	case text == "full":
		return k, nil
	case text == rundir.NoPredictions:
		return Kept{None: true}, nil
	case ok:
		k.Top, err = strconv.Atoi(top)
	}
	if err != nil || k.Top < 1 {
		return k, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be full, none, or top:K with K from 1", optionPredictions, text)
	}
	return k, nil
}

// String is what ParseKept reads.
func (k Kept) String() string {
	switch {
	case k.None:
		return rundir.NoPredictions
	case k.Top > 0:
		return "top:" + strconv.Itoa(k.Top)
	}
	return "full"
}

// Full says that all predictions are kept.
func (k Kept) Full() bool { return k == Kept{} }

// packed is the number of probabilities from which on predictions are compressed.
// With fewer, a file that every program opens matters more.
const packed = 1_000_000

// Kept says whether Keep keeps the result.
func (r *Result) Kept() bool { return r.kept }

// Keep writes the result into the run's folder: the predictions, the metrics, the
// skipped images, and the decision if the request changed it. It keeps only
// results on the run's own test part.
func (r *Result) Keep(ctx context.Context) error {
	if !r.kept {
		if rundir.Is(r.request.Model) && r.request.Decision.asks() {
			r.env.Say("the decision is not kept: evaluate keeps it only with metrics of the run's own test part")
		}
		if !r.request.Predictions.Full() {
			r.env.Say("%s %s changes nothing: evaluate keeps predictions only of a run's own test part", optionPredictions, r.request.Predictions)
		}
		return nil
	}
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := r.unchanged(); err != nil {
		return err
	}
	run := r.run.Dir
	if err := run.SweepEvaluation(); err != nil {
		return err
	}
	if err := r.decide(run); err != nil {
		return err
	}
	if err := r.keepPredictions(run); err != nil {
		return err
	}
	if err := run.WriteEvaluation(r.Report); err != nil {
		return err
	}
	skips := r.request.OnBadImage == train.SkipBadImages
	if skips {
		if err := run.WriteEvaluationBadImages(r.Skipped); err != nil {
			return err
		}
	}
	if err := run.SealEvaluation(skips); err != nil {
		return err
	}
	r.digest, err = run.PredictionsDigest()
	return err
}

// unchanged is an error if another evaluation has changed the decision since this one
// read it. What was measured is of the old one, and so would be the model's graph.
func (r *Result) unchanged() error {
	now, err := r.request.readDecision(len(r.Table.Classes))
	if err != nil || now == r.stored || now == r.Report.Decision {
		return err
	}
	err = pipeline.Errorf(pipeline.Other, "run %s: another evaluation changed the decision meanwhile: nothing is written", printable.Text(r.run.Path))
	return pipeline.WithHint(err, "evaluate again")
}

// decide stores the decision, if the request changed it, and tells the model. A process
// may be killed between the two. So a model judges novelty before the decision says that
// it does, and never the other way round.
func (r *Result) decide(run rundir.Dir) error {
	store := run.RestoreDecision
	if r.request.Decision.asks() {
		store = func() error { return keepDecision(run, r.Report.Decision) }
	}
	steps := []func() error{store, func() error { return r.serve(run) }}
	if r.novelty != nil {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// serve tells the run's model which images it answers.
func (r *Result) serve(run rundir.Dir) error {
	if r.env.Accept == nil || !run.HasModel() {
		return nil
	}
	knows, err := r.env.Accept(run.Model(), r.Report.Decision, r.novelty)
	if err == nil && !knows && r.Report.Decision.Abstains() {
		r.env.Warn("the model in %s was trained from an older export, without the output accepted: tftl predict knows when it is unsure, but TensorFlow Serving does not; export the network and train again",
			printable.Text(run.Model()))
	}
	return err
}

// lock waits until no other process writes an evaluation of the run. It is an error if
// another run is in its place by then.
func (r *Result) lock(ctx context.Context) (unlock func(), err error) {
	if unlock, err = r.run.LockEvaluation(ctx); err != nil {
		return nil, err
	}
	if err := r.run.Same(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func (r *Result) keepPredictions(run rundir.Dir) error {
	kept, table, d := r.request.Predictions, r.Table, r.Report.Decision
	if !kept.Full() {
		r.Report.Predictions = kept.String()
	}
	if kept.None {
		return run.RemovePredictions()
	}
	classes := cmp.Or(kept.Top, len(table.Classes))
	return run.WritePredictions(len(table.Predictions)*classes >= packed, func(w io.Writer) error {
		if kept.Top > 0 {
			return table.WriteTop(w, d, kept.Top)
		}
		return table.Write(w, d)
	})
}

// ReadPredictions reads predictions and their decision from a run's folder, or from
// a file that evaluate wrote. All classes of each image must have been kept.
func ReadPredictions(path string) (t metrics.Table, d metrics.Decision, err error) {
	name := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		run, err := rundir.Find(path)
		if err != nil {
			return t, d, err
		}
		name = run.PredictionsPath()
	}
	run, isRun := rundir.WithPredictions(name)
	var file *os.File
	if isRun {
		file, err = run.OpenPredictions()
	} else if file, err = regular.Open(name); err != nil {
		err = pipeline.Errorf(pipeline.BadUsage, "%w", err)
	}
	if err != nil {
		return t, d, err
	}
	defer file.Close()
	t, err = metrics.ReadTable(file, name)
	if err == nil && t.Top > 0 {
		err = pipeline.Errorf(pipeline.BadData, "%s: has only the top %d of the classes of each image", name, t.Top)
		err = pipeline.WithHint(err, "evaluate again, with %s full", optionPredictions)
	}
	if err != nil || !isRun {
		return t, t.Decision, err
	}
	return t, d, run.ReadDecision(&d) // this one also says where it comes from
}
