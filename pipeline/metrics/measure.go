package metrics

import (
	"math"

	"tftl/pipeline"
)

// Names lists the figures that Basic returns, in its order. Fit's history has
// them with a prefix for the part they were measured on: val_loss.
func Names() []string {
	return []string{"loss", "accuracy", "balanced_accuracy", "f1"}
}

// Higher reports whether a larger value of one of Names is a better one.
func Higher(name string) bool { return name != "loss" }

// Basic is a pipeline.Measure: the figures worth watching after each epoch.
// f1 is the macro average. A measure has no error to return, so every figure
// is NaN where Evaluate fails: that shows, and is no improvement on anything.
func Basic(predictions []pipeline.Prediction) []pipeline.Metric {
	classes := 0
	if len(predictions) > 0 {
		classes = len(predictions[0].Probabilities)
	}
	values := []float64{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	if r, err := Evaluate(predictions, make([]string, classes)); err == nil {
		values = []float64{r.Loss, r.Accuracy, r.BalancedAccuracy, r.Macro.F1}
	}
	var figures []pipeline.Metric
	for i, name := range Names() {
		figures = append(figures, pipeline.Metric{Name: name, Value: values[i]})
	}
	return figures
}

// StandardErrors is a pipeline.Measure of how sure the mean figures are:
// loss_se and accuracy_se are the standard deviation over the samples, with
// n-1, over the root of n; NaN for fewer than two samples.
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
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	for _, v := range values {
		squares += (v - sum/n) * (v - sum/n)
	}
	return math.Sqrt(squares / (n - 1) / n)
}
