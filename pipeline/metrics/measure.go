package metrics

import (
	"math"

	"tftl/pipeline"
)

// Monitored lists the metrics that Basic returns, in its order. Fit's history
// puts the part before them: val_loss.
func Monitored() []string {
	var names []string
	for _, d := range definitions() {
		if d.monitored {
			names = append(names, d.name)
		}
	}
	return names
}

// Basic is a pipeline.Measure: the metrics worth watching after each epoch. A
// measure cannot return an error, so every metric is NaN if Evaluate would fail:
// that shows, and never counts as an improvement.
func Basic(predictions []pipeline.Prediction) []pipeline.Metric {
	var c *count
	if len(predictions) > 0 {
		t := Table{Classes: make([]string, len(predictions[0].Probabilities)), Predictions: predictions}
		if s, err := newSheet(t, Options{TopK: 1}); err == nil {
			c = s.count(once(len(predictions)))
		}
	}
	var all []pipeline.Metric
	for _, d := range definitions() {
		if !d.monitored {
			continue
		}
		m := pipeline.Metric{Name: d.name, Value: math.NaN()}
		if c != nil {
			m.Value = d.overall(c)
		}
		all = append(all, m)
	}
	return all
}

// StandardErrors is a pipeline.Measure of how certain the mean metrics are:
// loss_se and accuracy_se are the standard deviation over the samples (with
// n-1) divided by the root of n; NaN for fewer than two samples.
func StandardErrors(predictions []pipeline.Prediction) []pipeline.Metric {
	losses, hits := make([]float64, len(predictions)), make([]float64, len(predictions))
	for i, p := range predictions {
		var err error
		if losses[i], err = Loss(p); err != nil {
			losses[i] = math.NaN()
		}
		if argmax(p.Probabilities) == p.Sample.Label {
			hits[i] = 1
		}
	}
	return []pipeline.Metric{
		{Name: "loss_se", Value: standardError(losses)},
		{Name: "accuracy_se", Value: standardError(hits)},
	}
}

func standardError(values []float64) float64 {
	n := float64(len(values))
	if n < 2 {
		return math.NaN()
	}
	return math.Sqrt(variance(values) / n)
}
