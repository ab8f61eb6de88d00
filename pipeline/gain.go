package pipeline

import (
	"context"
	"math"
	"slices"
)

// The validation metrics that compare an epoch with the weights that its stage
// started from.
const (
	gainMetric      = "gain"    // mean improvement of the monitored metric, positive if better
	gainErrorMetric = "gain_se" // its standard error
)

// Terms returns what each prediction contributes to a mean, more of which is
// better: for a loss, the negative loss of each sample.
type Terms func([]Prediction) []float64

// start ends the beginning of a deeper stage: it measures the weights that the
// stage starts from, and writes the last checkpoint.
//
// It keeps a number per sample and not the weights. An epoch is compared with
// them sample by sample, because the same images are hard for both: that leaves
// much less noise than the difference of two means.
func (f *fit) start(ctx context.Context, validation Source) error {
	s := &f.State
	if s.Stage == 0 || s.Step > s.Began {
		return nil
	}
	if f.Terms != nil {
		event := Event{Phase: "validate", Stage: f.stagePlan.Stage, Epoch: 1, Epochs: f.stagePlan.Epochs}
		predictions, err := f.predict(ctx, validation, event)
		if err != nil {
			return err
		}
		if s.Start = f.Terms(predictions); slices.ContainsFunc(s.Start, notFinite) {
			s.Start = nil // there is nothing to compare with
		}
	}
	// From now on the best checkpoint may come from this stage. A resumed run
	// must not start the stage from it.
	return f.saveLast()
}

func notFinite(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

// gain compares predictions with the weights that the stage started from. It has
// no metrics if these were not measured, as in the first stage.
func (f *fit) gain(predictions []Prediction) []Metric {
	start := f.State.Start
	if f.Terms == nil || len(start) == 0 || len(start) != len(predictions) {
		return nil
	}
	gain, noise := MeanGain(start, f.Terms(predictions))
	return []Metric{{gainMetric, gain}, {gainErrorMetric, noise}}
}

// MeanGain returns the mean difference of Terms of the same samples, positive if
// after is better, and its standard error.
func MeanGain(before, after []float64) (gain, noise float64) {
	squares := 0.0 // Welford's algorithm
	for i, term := range after {
		difference := term - before[i]
		off := difference - gain
		gain += off / float64(i+1)
		squares += off * (difference - gain)
	}
	n := float64(len(after))
	return gain, math.Sqrt(squares / (n - 1) / n)
}
