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
	return []pipeline.Metric{
		{Name: "loss_se", Value: standardError(negativeLosses(predictions))},
		{Name: "accuracy_se", Value: standardError(hits(predictions))},
	}
}

// Terms returns the terms of a metric that is a mean over the samples, for
// pipeline.Fit. It is nil for other metrics.
func Terms(metric string) pipeline.Terms {
	switch metric {
	case "loss":
		return negativeLosses
	case "accuracy":
		return hits
	}
	return nil
}

func negativeLosses(predictions []pipeline.Prediction) []float64 {
	terms := make([]float64, len(predictions))
	for i, p := range predictions {
		loss, err := Loss(p)
		if err != nil {
			loss = math.NaN()
		}
		terms[i] = -loss
	}
	return terms
}

func hits(predictions []pipeline.Prediction) []float64 {
	terms := make([]float64, len(predictions))
	for i, p := range predictions {
		if argmax(p.Probabilities) == p.Sample.Label {
			terms[i] = 1
		}
	}
	return terms
}

func standardError(values []float64) float64 {
	n := float64(len(values))
	if n < 2 {
		return math.NaN()
	}
	return math.Sqrt(variance(values) / n)
}
