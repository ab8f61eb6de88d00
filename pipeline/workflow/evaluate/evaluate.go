// Package evaluate measures a model on a part of a data set.
//
// Run measures and returns a Result. Keeping it in the run's folder and
// illustrating it there are separate calls. They do nothing if the model is not a
// run, or if the data is not the run's own test part.
package evaluate

import (
	"context"
	"iter"
	"math"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/train"
)

// Request says what to measure, and on which data.
type Request struct {
	Model   string          // folder of a run or of a SavedModel
	Data    string          // empty for the run's own
	Dataset dataset.Options // its Columns are those by whose values to measure
	Part    string          // train, val, test or all; empty for test, or for all of data without parts
	// CommonClasses leaves out classes that only the data or only the model has.
	CommonClasses bool
	Decision      DecisionRequest
	Unfamiliar    string // images of other things, by which to measure novelty; empty for none
	Gates         []metrics.Gate
	// Pessimistic applies gates to the worse end of a metric's interval.
	Pessimistic bool
	Seed        uint64 // of the bootstrap
	Resamples   int    // of the bootstrap; 0 for none
	TopK        int
	BatchSize   int
	Workers     int    // images decoded at a time; 0 for one per processor
	OnBadImage  string // train.FailOnBadImage or train.SkipBadImages
	Predictions Kept   // how much of them the run's folder keeps
	// Illustrated says that Illustrate will be called, so that images are kept in
	// memory for it.
	Illustrated bool
}

// NewRequest returns a request with the defaults of tftl evaluate: the test part
// of the run's own data.
func NewRequest(model string) Request {
	return Request{Model: model, Seed: 1, Resamples: 1000, TopK: 5, BatchSize: 32, OnBadImage: train.FailOnBadImage}
}

// Check refuses values that make no sense whatever the data and the model are.
func (r Request) Check() error {
	for _, n := range []struct {
		name               pipeline.Option
		value, least, most int
	}{
		{"batch-size", r.BatchSize, 1, pipeline.MaxBatchSize},
		{"top-k", r.TopK, 2, math.MaxInt},
		{"resamples", r.Resamples, 0, pipeline.MaxResamples},
		{"workers", r.Workers, 0, pipeline.MaxWorkers},
	} {
		if err := pipeline.CheckRange(n.name, n.value, n.least, n.most); err != nil {
			return err
		}
	}
	if r.Pessimistic && r.Resamples == 0 && len(r.Gates) > 0 {
		return pipeline.Errorf(pipeline.BadUsage, "%s lower and %s 0 exclude each other: without intervals no gate passes", pipeline.Option("gate-on"), pipeline.Option("resamples"))
	}
	return nil
}

// Network is the model to measure.
type Network interface {
	// Classes returns the classes in the order of the outputs.
	Classes() []string
	// Predict predicts every image in order, a batch at a time.
	Predict(ctx context.Context, images pipeline.Encoded, batchSize int) iter.Seq2[[]pipeline.Prediction, error]
}

// hold holds the folder of the run that is measured, or is nil for another model. A
// network that was read from a run has held it since then.
func (r Request) hold(n Network) (*rundir.Held, error) {
	if of, ok := n.(interface{ Held() *rundir.Held }); ok {
		return of.Held(), nil
	}
	if !rundir.Is(r.Model) {
		return nil, nil
	}
	return rundir.Dir{Path: r.Model}.Hold()
}

// Result is the result of an evaluation.
type Result struct {
	Report  metrics.Report
	Table   metrics.Table // at the decision's temperature
	Images  dataset.Part  // in the order of the predictions
	Skipped []rundir.BadImage
	// LikeProbabilities says that all logits look like probabilities.
	LikeProbabilities bool

	run     *rundir.Held   // nil if the model is not a run
	images  workflow.Files // Images, of which some are in memory for their pictures
	request Request
	env     workflow.Env
	kept    bool              // whether the run's folder keeps it
	stored  metrics.Decision  // with the run, when the measurement began
	novelty *pipeline.Novelty // that the model is to judge by; nil for its own
	others  []float32         // the novelty of images of other things
	digest  string            // of predictions.csv, once it is kept
}

// Run measures a network. A failed gate is not an error here: see
// Result.Report.Gates.
func Run(ctx context.Context, r Request, n Network, env workflow.Env) (*Result, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	held, err := r.hold(n)
	if err != nil {
		return nil, err
	}
	stored, err := r.begin(n.Classes(), env)
	if err != nil {
		return nil, err
	}
	m := &measurement{Request: r, network: n, env: env, digests: env.Digests()}
	data, part, skipped, err := m.images(ctx)
	if err != nil {
		return nil, err
	}
	strangers, err := m.otherImages(ctx)
	if err != nil {
		return nil, err
	}
	decision, space, err := m.decide(ctx, stored, data)
	if err != nil {
		return nil, err
	}
	env.Say("part %s: %d images", data.part, part.Len())
	if err := m.digests.Recall(ctx, part, r.Workers); err != nil {
		return nil, err
	}
	kept, once := m.keeps(data), env.ReadOnce
	if kept && r.Illustrated {
		once = workflow.NewReadOnce(MostHeld)
	}
	images := once.Images(part)
	table, alike, err := m.predict(ctx, m.digests.Hashed(images), decision)
	if err != nil {
		return nil, err
	}
	if r.Illustrated {
		once.Drop(paths(part, union(table.Choose(decision))))
	}
	table.Slices = m.slices(part)
	others, err := m.noveltyOf(ctx, strangers)
	if err != nil {
		return nil, err
	}
	if err := m.warnOfContents(ctx, data, part); err != nil {
		return nil, err
	}
	env.Remember()
	result := &Result{
		Table: table, Images: part, Skipped: skipped, LikeProbabilities: alike.Probabilities(),
		run: held, images: images, request: r, env: env, kept: kept, stored: stored, novelty: space, others: others,
	}
	if data.set.Train.Len()+data.set.Validation.Len() > 0 {
		result.Report.Part = data.part
	}
	return result, result.measure(ctx, decision)
}

// begin checks a request against a model's classes, and returns the decision that is
// stored with the model.
func (r Request) begin(labels []string, env workflow.Env) (stored metrics.Decision, err error) {
	if stored, err = r.readDecision(len(labels)); err != nil {
		return stored, err
	}
	if err := r.CheckClasses(labels); err != nil {
		return stored, err
	}
	if err := r.Decision.check(stored, r.Model); err != nil {
		return stored, err
	}
	if err := r.Decision.checkGates(r.Gates, stored); err != nil {
		return stored, err
	}
	if err := r.checkNovelty(stored); err != nil {
		return stored, err
	}
	if message, ok := Unfinished(r.Model); ok {
		env.Warn("%v", message)
	}
	return stored, nil
}

// readDecision reads the decision that is stored with the model. A damaged one does not
// matter if the request leaves nothing of it.
func (r Request) readDecision(classes int) (metrics.Decision, error) {
	stored, err := ReadDecision(r.Model, classes)
	if rundir.Damaged(err) && r.Decision.replaces() {
		return metrics.Decision{}, nil
	}
	return stored, err
}

// images opens the data, and returns the part to measure.
func (m *measurement) images(ctx context.Context) (data source, part dataset.Part, skipped []rundir.BadImage, err error) {
	if data, err = m.open(ctx); err != nil {
		return data, part, nil, err
	}
	if data.set, err = data.set.Relabel(m.network.Classes(), m.CommonClasses); err != nil {
		return data, part, nil, err
	}
	if part, skipped, err = m.screened(ctx, data); err == nil {
		m.env.DescribeData(data.set)
	}
	return data, part, skipped, err
}

// keeps says whether the run's folder keeps what is measured.
func (m *measurement) keeps(data source) bool {
	return rundir.Is(m.Model) && data.own && data.part == pipeline.TestPart
}

// measure computes the metrics, and applies the gates.
func (r *Result) measure(ctx context.Context, d metrics.Decision) error {
	r.env.Progress(pipeline.Event{Phase: "measure"})
	o, part := r.request, r.Report.Part
	report, err := metrics.Evaluate(ctx, r.Table, metrics.Options{Decision: d, Seed: o.Seed, Resamples: o.Resamples, TopK: o.TopK})
	if err != nil {
		return err
	}
	r.Report = report
	r.Report.Part = part
	if d.ChecksNovelty() {
		scores := make([]float32, len(r.Table.Predictions))
		for i, p := range r.Table.Predictions {
			scores[i] = p.Novelty
		}
		if err := r.Report.AddNovelty(ctx, scores, r.others); err != nil {
			return err
		}
	}
	if len(r.Skipped) > 0 {
		r.env.Warn("skipped %d bad images: the metrics do not cover them", len(r.Skipped))
	}
	return r.gate()
}

// predict predicts images. It decides each batch at once, because the logits of all
// images would take as much memory as their probabilities.
func (m *measurement) predict(ctx context.Context, images pipeline.Encoded, d metrics.Decision) (table metrics.Table, alike metrics.Likeness, err error) {
	table.Classes = m.network.Classes()
	table.Predictions, table.Loss = make([]pipeline.Prediction, 0, images.Len()), make([]float64, 0, images.Len())
	for some, err := range m.network.Predict(ctx, images, m.BatchSize) {
		if err != nil {
			return table, alike, err
		}
		alike.Add(some)
		decided, err := metrics.Table{Classes: table.Classes, Predictions: some}.Decide(d)
		if err != nil {
			return table, alike, err
		}
		table.Predictions, table.Loss = append(table.Predictions, decided.Predictions...), append(table.Loss, decided.Loss...)
	}
	return table, alike, nil
}

// CheckClasses returns an error if a gate or the decision does not fit a model's
// classes.
func (r Request) CheckClasses(labels []string) error {
	for _, gate := range r.Gates {
		if err := gate.Known(labels, r.TopK); err != nil {
			return err
		}
	}
	return r.Decision.checkClasses(len(labels))
}

// gate applies the gates to the report.
func (r *Result) gate() error {
	for _, gate := range r.request.Gates {
		outcome, err := gate.Check(r.Report, r.request.Pessimistic)
		if err != nil {
			return err
		}
		r.Report.Gates = append(r.Report.Gates, outcome)
	}
	return nil
}

// measurement is a request in progress.
type measurement struct {
	Request
	network Network
	env     workflow.Env
	digests *workflow.Digests
}

// screened returns the part to measure, without bad images if they are to be
// skipped.
func (m *measurement) screened(ctx context.Context, data source) (part dataset.Part, skipped []rundir.BadImage, err error) {
	if part, err = data.set.Part(data.part); err != nil {
		return part, nil, err
	}
	if m.OnBadImage == train.SkipBadImages {
		if part, skipped, err = m.env.ScreenPart(ctx, part, data.part, data.set.Classes, m.Workers); err != nil {
			return part, nil, err
		}
	}
	if part.Len() == 0 {
		err := pipeline.Errorf(pipeline.BadData, "the %s part is empty", data.part)
		return part, nil, pipeline.WithHint(err, "choose another part with %s, or other data with %s", pipeline.Option("part"), pipeline.Option("data"))
	}
	return part, skipped, nil
}

// slices returns the values of the columns by which to measure.
func (m *measurement) slices(part dataset.Part) map[string][]string {
	if len(m.Dataset.Columns) == 0 {
		return nil
	}
	values := map[string][]string{}
	for k, name := range m.Dataset.Columns {
		values[name] = part.Column(k)
	}
	return values
}
