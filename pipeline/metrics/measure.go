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

// Basic is a pipeline.Measure: the figures worth watching after each epoch, and
// no others, for it runs after each. f1 is the macro average. A measure has no
// error to return, so every figure is NaN where Evaluate fails: that shows, and
// is no improvement on anything.
func Basic(predictions []pipeline.Prediction) []pipeline.Metric {
	values := []float64{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	if r, err := basic(predictions); err == nil {
		values = []float64{r.Loss, r.Accuracy, r.BalancedAccuracy, r.Macro.F1}
	}
	var figures []pipeline.Metric
	for i, name := range Names() {
		figures = append(figures, pipeline.Metric{Name: name, Value: values[i]})
	}
	return figures
}

func basic(predictions []pipeline.Prediction) (Report, error) {
	if len(predictions) == 0 {
		return Report{}, noSamples()
	}
	classes := len(predictions[0].Probabilities)
	counts := newTally(classes)
	var loss float64
	for _, p := range predictions {
		if err := checkRows(p, classes); err != nil {
			return Report{}, err
		}
		l, err := Loss(p)
		if err != nil {
			return Report{}, err
		}
		loss += l
		counts.add(p.Sample.Label, argmax(p.Probabilities), 1)
	}
	r := counts.summarize(make([]string, classes))
	r.Loss = loss / float64(len(predictions))
	return r, nil
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
