package evaluate

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"iter"
	"strconv"
	"strings"

	"tftl/internal/machine"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/shard"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/train"
)

// ShardRequest says what to predict of a measurement that several tasks share.
type ShardRequest struct {
	Request
	Shard shard.Shard
	// Header has what the model, the machine and the options say of the answers; the
	// rest is filled in.
	Header shard.Header
	Spell  pipeline.Spelling
}

// details are what all shards of a measurement have in common.
type details struct {
	Decision DecisionRequest   `json:"decision"`
	Own      bool              `json:"own,omitempty"`   // the data is the run's own
	Parts    bool              `json:"parts,omitempty"` // the data has parts
	Part     string            `json:"part"`
	Columns  []string          `json:"columns,omitempty"`
	SkipsBad bool              `json:"skips_bad,omitempty"`
	Novelty  float64           `json:"novelty,omitempty"` // of the decision by which the shards judged it
	Skipped  []rundir.BadImage `json:"skipped,omitempty"` // of all shards
}

// RunShard predicts a shard's images and writes what the model says of them, for
// Merge. It measures nothing, so gates and the bootstrap do not matter here. If the
// decision is to be found on the validation part, that is divided as well.
func RunShard(ctx context.Context, r ShardRequest, n Network, out io.Writer, env workflow.Env) error {
	if err := r.Check(); err != nil {
		return err
	}
	stored, err := r.begin(n.Classes(), env)
	if err != nil {
		return err
	}
	m := &measurement{Request: r.Request, network: n, env: env, digests: env.Digests()}
	data, part, skipped, err := m.images(ctx)
	if err != nil {
		return err
	}
	judged, _, err := m.judge(ctx, stored, data)
	if err != nil {
		return err
	}
	h := r.Header
	h.Shard, h.Block, h.Classes = r.Shard, r.BatchSize, n.Classes()
	h.Details, err = json.Marshal(details{
		Decision: r.Decision, Own: data.own, Parts: data.set.Train.Len()+data.set.Validation.Len() > 0, Part: data.part,
		Columns: r.Dataset.Columns, SkipsBad: r.OnBadImage == train.SkipBadImages, Skipped: skipped, Novelty: judged.Novelty,
	})
	if err != nil {
		return err
	}
	w, err := shard.NewWriter(out, h, r.Spell)
	if err != nil {
		return err
	}
	if r.Decision.onValidation() {
		all, err := m.validation(ctx, data)
		if err == nil {
			_, err = m.share(ctx, all, divided{r.Shard, w, false})
		}
		if err != nil {
			return err
		}
	}
	env.Say("part %s: %d images", data.part, part.Len())
	mine, err := m.share(ctx, part, divided{r.Shard, w, true})
	if err != nil {
		return err
	}
	if err := m.warnOfContents(ctx, data, mine); err != nil {
		return err
	}
	env.Remember()
	return nil
}

// divided says who predicts what of a part, and where it is written.
type divided struct {
	shard.Shard
	*shard.Writer
	last bool // of the shard's parts
}

// share predicts a shard's images of a part.
func (m *measurement) share(ctx context.Context, all dataset.Part, d divided) (mine dataset.Part, err error) {
	var list shard.List
	for i := range all.Len() {
		sample := all.Sample(i)
		list.Add(sample.ID, sample.Label)
	}
	mine = all.Keep(func(i int) bool { return d.Has(i, m.BatchSize) })
	m.env.Say("shard %v: %d images", d.Shard, mine.Len())
	if mine.Len() == 0 {
		return mine, d.End(&list, d.last)
	}
	if err := m.digests.Recall(ctx, mine, m.Workers); err != nil {
		return mine, err
	}
	done := 0
	for some, err := range m.network.Predict(ctx, m.digests.Hashed(mine), m.BatchSize) {
		if err != nil {
			return mine, err
		}
		answers := make([]shard.Answer, len(some))
		for i, p := range some {
			answers[i].Prediction = p
			for k := range m.Dataset.Columns {
				answers[i].Values = append(answers[i].Values, mine.Column(k)[done+i])
			}
		}
		done += len(some)
		if err := d.Add(answers); err != nil {
			return mine, err
		}
	}
	return mine, d.End(&list, d.last)
}

// Merge measures what the shards of a measurement have predicted. Of the request,
// what says which images those are does not count; the decision is that of the
// shards as far as the request asks for none.
func Merge(ctx context.Context, r Request, set *shard.Set, env workflow.Env) (*Result, error) {
	var d details
	if err := json.Unmarshal(set.Details, &d); err != nil {
		return nil, pipeline.Errorf(pipeline.BadData, "shard: %w", err)
	}
	r.Part, r.Decision, r.OnBadImage = d.Part, r.Decision.or(d.Decision), train.FailOnBadImage
	if d.SkipsBad {
		r.OnBadImage = train.SkipBadImages
	}
	if err := r.Check(); err != nil {
		return nil, err
	}
	result := &Result{Skipped: d.Skipped, request: r, env: env}
	if rundir.Is(r.Model) {
		var err error
		if result.run, err = (rundir.Dir{Path: r.Model}).Hold(); err != nil {
			return nil, err
		}
		result.kept = d.Own && d.Part == pipeline.TestPart
	}
	stored, err := r.begin(set.Classes, env)
	if err != nil {
		return nil, err
	}
	if stored.Novelty != d.Novelty {
		err := pipeline.Errorf(pipeline.BadData, "the novelty that is stored with %s is not the one of the shards", r.Model)
		return nil, pipeline.WithHint(err, "evaluate the shards again")
	}
	result.stored = stored
	n := &merged{set: set, columns: d.Columns, values: map[string][]string{}}
	m := &measurement{Request: r, network: n, env: env}
	decision, err := r.Decision.apply(stored, func() ([]pipeline.Prediction, error) { return n.validation(ctx) })
	if err != nil {
		return nil, err
	}
	m.describe(decision, d.Own, d.Part)
	env.Say("part %s: %d images, from %d shards", d.Part, set.Len(set.Lists()-1), set.Shard.Count)
	if err := machine.Fits(int64(set.Len(set.Lists()-1)) * int64(4*len(set.Classes)+256)); err != nil {
		return nil, err
	}
	table, alike, err := m.predict(ctx, dataset.Part{}, decision)
	if err != nil {
		return nil, err
	}
	if table.Slices = n.values; len(d.Columns) == 0 {
		table.Slices = nil
	}
	result.Table, result.LikeProbabilities = table, alike.Probabilities()
	if d.Parts {
		result.Report.Part = d.Part
	}
	return result, result.measure(ctx, decision)
}

// Close lets the run's folder go that Merge holds.
func (r *Result) Close() {
	if r.run != nil {
		r.run.Close()
	}
}

// or returns the request, with other's temperature, threshold and promises if it has none.
func (d DecisionRequest) or(other DecisionRequest) DecisionRequest {
	if !d.FitTemperature && d.Temperature == nil {
		d.FitTemperature, d.Temperature = other.FitTemperature, other.Temperature
	}
	if !d.BestF1 && d.Threshold == nil {
		d.BestF1, d.Threshold = other.BestF1, other.Threshold
	}
	if d.Abstain == nil {
		d.Abstain = other.Abstain
	}
	if d.Conformal == nil {
		d.Conformal = other.Conformal
	}
	return d
}

// merged is a Network that says what the shards have said.
type merged struct {
	set     *shard.Set
	columns []string
	values  map[string][]string // of the columns, for the images so far
}

// Classes implements Network.
func (m *merged) Classes() []string { return m.set.Classes }

// Predict implements Network for the part that is measured, which is the last list.
func (m *merged) Predict(ctx context.Context, _ pipeline.Encoded, _ int) iter.Seq2[[]pipeline.Prediction, error] {
	return m.predict(ctx, m.set.Lists()-1, func(a shard.Answer) error {
		if len(a.Values) != len(m.columns) {
			return pipeline.Errorf(pipeline.BadData, "image %s: the shard has %d values for %d columns", a.Sample.ID, len(a.Values), len(m.columns))
		}
		for k, column := range m.columns {
			m.values[column] = append(m.values[column], a.Values[k])
		}
		return nil
	})
}

// validation returns the predictions of the validation part.
func (m *merged) validation(ctx context.Context) ([]pipeline.Prediction, error) {
	if m.set.Lists() < 2 {
		err := pipeline.Errorf(pipeline.BadUsage, "the shards have no predictions of the validation part, on which to find the decision")
		return nil, pipeline.WithHint(err, "give %s f1, %s fit, %s and %s to the shards", optionThreshold, optionTemperature, optionAbstain, optionConformal)
	}
	return pipeline.Together(m.predict(ctx, 0, func(shard.Answer) error { return nil }))
}

func (m *merged) predict(ctx context.Context, list int, check func(shard.Answer) error) iter.Seq2[[]pipeline.Prediction, error] {
	return func(yield func([]pipeline.Prediction, error) bool) {
		for block, err := range m.set.Answers(list) {
			some := make([]pipeline.Prediction, len(block))
			for i, a := range block {
				some[i] = a.Prediction
				err = cmp.Or(err, ctx.Err(), a.Err, check(a))
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(some, nil) {
				return
			}
		}
	}
}

// ShardOptions are the options that must be the same in all shards of a measurement.
func (r Request) ShardOptions() map[string]string {
	return map[string]string{
		"batch-size": strconv.Itoa(r.BatchSize), "part": r.Part, "slice": strings.Join(r.Dataset.Columns, ","),
		"common-classes": strconv.FormatBool(r.CommonClasses), "on-bad-image": r.OnBadImage,
		optionThreshold.String(): threshold(r.Decision), optionTemperature.String(): temperature(r.Decision),
		optionAbstain.String(): abstain(r.Decision), optionConformal.String(): conformal(r.Decision),
	}
}

func threshold(d DecisionRequest) string {
	switch {
	case d.BestF1:
		return "f1"
	case d.Threshold != nil && *d.Threshold == 0:
		return "argmax"
	}
	return number(d.Threshold)
}

func temperature(d DecisionRequest) string {
	if d.FitTemperature {
		return "fit"
	}
	return number(d.Temperature)
}

func abstain(d DecisionRequest) string {
	switch {
	case d.Abstain == nil:
		return ""
	case d.abstains():
		return d.Abstain.String()
	}
	return "off"
}

func conformal(d DecisionRequest) string {
	if d.Conformal != nil && !d.hasSets() {
		return "off"
	}
	return number(d.Conformal)
}

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}
