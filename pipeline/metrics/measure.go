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
