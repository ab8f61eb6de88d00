// Package metrics turns predictions into numbers: the report that "tftl
// evaluate" prints, the few metrics that Fit watches on the validation part,
// gates, rankings and comparisons. Package report shows them.
//
// Every definition, zero divisions included, is scikit-learn's
// (classification_report with zero_division=0, balanced_accuracy_score, …),
// with one difference: a report always covers all classes of the model, even
// those without samples (in scikit-learn's words, labels=range(classes)). ROC and
// precision-recall curves are one class against the rest. A class with no
// samples, or with all of them, has no ROC AUC; a class with no samples has no
// average precision; their means are over the classes that have one. Metrics
// count samples; sample weights belong to training and are ignored here.
//
// Intervals are 95% intervals. If each sample either counts or does not, as for
// accuracy or the recall of a class, they are Wilson's; the others come from a
// bootstrap over the samples, which a seed makes repeatable.
// scripts/bench/coverage measures how often they hold the true value. They say
// what another set of samples might show, not what a model trained on other
// samples would.
//
// The package runs no model, reads no data set, does not decide when to stop and
// lays out no table. To add a metric, add a row to definitions.
package metrics

import "context"

// Values are metrics by name. A metric that is missing was not measured, as in
// an evaluation.json of an older version; one that is NaN is not defined on
// these samples.
type Values map[string]float64

// Class is the report on one class.
type Class struct {
	Name    string
	Support int    // samples of this class
	Values  Values // by the names of ClassMetrics
}

// Report is the result of one evaluation. In JSON, a metric that is not finite
// is null, because JSON has no other word for it; null is read as NaN.
type Report struct {
	Part            string              `json:"subset,omitempty"` // the part that was measured, if the data has parts
	Samples         int                 `json:"samples,omitempty"`
	TopK            int                 `json:"top_k,omitempty"` // 0: there is no top-k accuracy
	Values          Values              `json:"-"`               // overall, by name: accuracy, top_5_accuracy
	Classes         []Class             `json:"classes"`
	ConfusionMatrix [][]int             `json:"confusion_matrix"` // rows are true classes, columns predicted ones
	Decision        Decision            `json:"decision,omitzero"`
	Resamples       int                 `json:"resamples,omitempty"` // of the bootstrap; 0: no intervals
	Seed            uint64              `json:"seed,omitempty"`
	Intervals       map[string]Interval `json:"intervals,omitempty"` // by the names of Metrics
	Slices          []Slice             `json:"slices,omitempty"`
	Gates           []Outcome           `json:"gates,omitempty"`    // set by whoever holds the report to gates
	Warnings        []string            `json:"warnings,omitempty"` // why metrics may mean little, a sentence each
	// Predictions says how much of them the run's folder keeps: "top:5", "none", or
	// empty for all. Set by whoever keeps them.
	Predictions string `json:"predictions,omitempty"`
}

// Slice is the report on the samples that have one value in a slice's column.
type Slice struct {
	Column string `json:"column"`
	Value  string `json:"value"`
	Report Report `json:"report"`
}

// Options are the options of Evaluate and Compare.
type Options struct {
	Decision  Decision // Compare takes one for each model instead
	Seed      uint64
	Resamples int // of the bootstrap; 0: no intervals
	TopK      int // 0: 5. There is a top-k accuracy only if there are more classes than this
}

// Evaluate measures a table of predictions. No predictions at all, a label that
// is not an index of the classes, and a prediction without exactly one
// probability per class are errors. Cancelling ctx stops the bootstrap, which
// takes most of the time.
func Evaluate(ctx context.Context, t Table, o Options) (Report, error) {
	t, err := t.Decide(o.Decision)
	if err != nil {
		return Report{}, err
	}
	s, err := newSheet(t, o)
	if err != nil {
		return Report{}, err
	}
	rows, err := measure(ctx, []*sheet{s}, o.Resamples, o.Seed, column.resampled)
	if err != nil {
		return Report{}, err
	}
	c, values := s.count(once(len(s.label))), rows[0]
	r := s.report(c, values)
	r.Decision = o.Decision
	if o.Resamples > 0 {
		r.Resamples, r.Seed = o.Resamples, o.Seed
		r.Intervals = c.intervals(values, rows[1:], column.resampled)
	}
	r.Warnings = append(warnings(r), overconfident(r)...)
	if r.Slices, err = sliceReports(ctx, t, o); err != nil {
		return Report{}, err
	}
	return r, nil
}
