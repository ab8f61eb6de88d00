// Package metrics turns predictions into figures: the report that "tftl
// evaluate" prints, and the few figures that Fit watches on the validation part.
//
// Every definition, zero divisions included, is scikit-learn's
// (classification_report with zero_division=0, balanced_accuracy_score, …), but
// that a report always covers all classes of the model, those without a
// sample too: in scikit-learn's words, labels=range(classes). Curves are one
// class against the rest; a class without a sample, or with all of them, has no
// ROC AUC, one without a sample no average precision, and their means are over
// the classes that have one. Figures count samples; sample weights belong to
// training and are ignored here.
//
// Intervals are of 95%. Where each sample counts or does not, as for accuracy or
// the recall of a class, they are Wilson's; the others come from a bootstrap over
// the samples, which a seed makes repeatable. scripts/bench/coverage measures how
// often they hold the true value. They say what another set of samples might
// show, not what a model trained on other samples would.
//
// The package does not run a model, read a data set or decide when to stop.
package metrics

import (
	"context"

	"tftl/pipeline"
)

// Scores are the three figures of one class, or their average over classes.
// A figure whose denominator is zero is 0.
type Scores struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Class is what a report says of one class.
type Class struct {
	Name    string `json:"name"`
	Support int    `json:"support"` // samples that are of this class
	Scores
	ROCAUC           float64 `json:"roc_auc"` // against the rest
	AveragePrecision float64 `json:"average_precision"`
}

// Report is every figure of one evaluation. As JSON, a figure that is not
// finite is null, for JSON has no other word for it; null is read as NaN.
type Report struct {
	Subset           string              `json:"subset,omitempty"` // the part that was measured, of data that has parts
	Samples          int                 `json:"samples"`
	Loss             float64             `json:"loss"` // mean of Loss over the samples
	Accuracy         float64             `json:"accuracy"`
	TopK             int                 `json:"top_k,omitempty"`          // 0 where there is no such figure
	TopKAccuracy     float64             `json:"top_k_accuracy,omitempty"` // the class is among the TopK most likely
	BalancedAccuracy float64             `json:"balanced_accuracy"`        // mean recall of the classes that have samples
	Macro            Scores              `json:"macro"`                    // mean over all classes
	Micro            Scores              `json:"micro"`                    // of all classes' counts together; each is the accuracy
	Weighted         Scores              `json:"weighted"`                 // mean over all classes, weighted by support
	Kappa            float64             `json:"kappa"`                    // Cohen's; NaN where truth and prediction are one class
	MCC              float64             `json:"mcc"`                      // Matthews' correlation
	ROCAUC           float64             `json:"roc_auc"`                  // mean over the classes that have one
	AveragePrecision float64             `json:"average_precision"`        // mean over the classes that have one
	Brier            float64             `json:"brier"`                    // from 0 to 2, but for two classes from 0 to 1
	ECE              float64             `json:"ece"`                      // expected calibration error over Bins equal bins
	Classes          []Class             `json:"classes"`
	ConfusionMatrix  [][]int             `json:"confusion_matrix"` // rows are true classes, columns predicted ones
	Decision         Decision            `json:"decision,omitzero"`
	Resamples        int                 `json:"resamples,omitempty"` // of the bootstrap; 0: no intervals
	Seed             uint64              `json:"seed,omitempty"`
	Intervals        map[string]Interval `json:"intervals,omitempty"` // by the names of Figures
	Slices           []Slice             `json:"slices,omitempty"`
	Gates            []Outcome           `json:"gates,omitempty"`    // what the report was held to, set by whoever did
	Warnings         []string            `json:"warnings,omitempty"` // why figures may mean little, a sentence each
}

// Slice is the report of the samples with one value of a slice's column.
type Slice struct {
	Column string `json:"column"`
	Value  string `json:"value"`
	Report Report `json:"report"`
}

// Options are what Evaluate and Compare are asked for.
type Options struct {
	Decision  Decision // not Compare's, which takes one for each model
	Seed      uint64
	Resamples int // of the bootstrap; 0: no intervals
	TopK      int // 0: 5 where there are more classes. A figure only where it is below the number of classes
}

// Evaluate measures a table of predictions. It is an error to have none, a
// label that is no index of the classes, or a prediction that does not have one
// figure for each class. The bootstrap, which takes the time, ends with ctx.
func Evaluate(ctx context.Context, t Table, o Options) (Report, error) {
	s, err := newSheet(t, o)
	if err != nil {
		return Report{}, err
	}
	r := s.report()
	r.Decision = o.Decision
	if o.Resamples > 0 {
		r.Resamples, r.Seed = o.Resamples, o.Seed
		drawn, err := resample(ctx, r.Samples, o.Resamples, o.Seed, func(times []uint8) []float64 {
			return s.count(times).values()
		})
		if err != nil {
			return Report{}, err
		}
		r.Intervals = s.intervals(r, drawn)
	}
	r.Warnings = warnings(r)
	if r.Slices, err = sliceReports(ctx, t, o); err != nil {
		return Report{}, err
	}
	return r, nil
}

func noSamples() error { return pipeline.Errorf(pipeline.BadData, "no samples to evaluate") }

func checkRows(p pipeline.Prediction, classes int) error {
	if n := len(p.Probabilities); n != classes {
		return pipeline.Errorf(pipeline.BadModel, "sample %q: %d probabilities for %d classes", p.Sample.ID, n, classes)
	}
	if n := len(p.Logits); p.Logits != nil && n != classes {
		return pipeline.Errorf(pipeline.BadModel, "sample %q: %d logits for %d classes", p.Sample.ID, n, classes)
	}
	return nil
}
