package metrics_test

import (
	"math"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func TestBasicAgreesWithScikitLearn(t *testing.T) {
	var measure pipeline.Measure = metrics.Basic
	for _, r := range references(t) {
		want := []pipeline.Metric{
			{Name: "loss", Value: r.Want.Loss},
			{Name: "accuracy", Value: r.Want.Accuracy},
			{Name: "balanced_accuracy", Value: r.Want.BalancedAccuracy},
			{Name: "f1", Value: r.Want.Macro.F1},
		}
		got := measure(r.predictions())
		if len(got) != len(want) {
			t.Fatalf("%s: got %v, want %v", r.Name, got, want)
		}
		for i := range want {
			if got[i].Name != want[i].Name || !near(got[i].Value, want[i].Value) {
				t.Errorf("%s: got %v, want %v", r.Name, got[i], want[i])
			}
		}
	}
}

func TestBasicIsNaNWhereEvaluateFails(t *testing.T) {
	for name, predictions := range map[string][]pipeline.Prediction{
		"no samples":   nil,
		"no label":     {predict(0, 0.5, 0.5), predict(-1, 0.5, 0.5)},
		"uneven rows":  {predict(0, 0.5, 0.5), predict(0, 1)},
		"no figures":   {predict(0)},
		"wrong logits": {{Probabilities: []float32{0, 1}, Logits: []float32{1, 2, 3}}},
	} {
		got := metrics.Basic(predictions)
		if len(got) != len(metrics.Names()) {
			t.Errorf("%s: got %v, want a figure for each of %v", name, got, metrics.Names())
		}
		for _, m := range got {
			if !math.IsNaN(m.Value) {
				t.Errorf("%s: %s is %v, want NaN", name, m.Name, m.Value)
			}
		}
	}
}

// A better model must move every figure the way that Higher says is better.
func TestHigherIsTheDirectionOfABetterModel(t *testing.T) {
	worse := metrics.Basic([]pipeline.Prediction{predict(0, 0.4, 0.6), predict(1, 0.2, 0.8)})
	better := metrics.Basic([]pipeline.Prediction{predict(0, 0.9, 0.1), predict(1, 0.1, 0.9)})
	for i, name := range metrics.Names() {
		if rises := better[i].Value > worse[i].Value; rises != metrics.Higher(name) {
			t.Errorf("Higher(%q) is %v, but a better model goes from %v to %v",
				name, metrics.Higher(name), worse[i].Value, better[i].Value)
		}
	}
}
