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
		got := measure(r.table().Predictions)
		if len(got) != len(metrics.Monitored()) {
			t.Fatalf("%s: got %v, want %v", r.Name, got, metrics.Monitored())
		}
		for i, name := range metrics.Monitored() {
			want, ok := r.Want[name]
			if !ok {
				t.Fatalf("sklearn.json lacks %s: add it to sklearn.py and run that", name)
			}
			if got[i].Name != name || !near(got[i].Value, want) {
				t.Errorf("%s: got %v, want %s of %v", r.Name, got[i], name, want)
			}
		}
	}
}

func TestBasicIsNaNIfEvaluateFails(t *testing.T) {
	for name, predictions := range map[string][]pipeline.Prediction{
		"no samples":   nil,
		"no label":     {predict(0, 0.5, 0.5), predict(-1, 0.5, 0.5)},
		"uneven rows":  {predict(0, 0.5, 0.5), predict(0, 1)},
		"no classes":   {predict(0)},
		"wrong logits": {{Probabilities: []float32{0, 1}, Logits: []float32{1, 2, 3}}},
	} {
		got := metrics.Basic(predictions)
		if len(got) != len(metrics.Monitored()) {
			t.Errorf("%s: got %v, want a metric for each of %v", name, got, metrics.Monitored())
		}
		for _, m := range got {
			if !math.IsNaN(m.Value) {
				t.Errorf("%s: %s is %v, want NaN", name, m.Name, m.Value)
			}
		}
	}
}

// A better model must move every metric in the direction that LowerIsBetter says is better.
func TestLowerIsBetterIsTheDirectionOfABetterModel(t *testing.T) {
	worse := metrics.Basic([]pipeline.Prediction{predict(0, 0.4, 0.6), predict(1, 0.2, 0.8)})
	better := metrics.Basic([]pipeline.Prediction{predict(0, 0.9, 0.1), predict(1, 0.1, 0.9)})
	for i, name := range metrics.Monitored() {
		if rises := better[i].Value > worse[i].Value; rises == metrics.LowerIsBetter(name) {
			t.Errorf("LowerIsBetter(%q) is %v, but a better model goes from %v to %v",
				name, metrics.LowerIsBetter(name), worse[i].Value, better[i].Value)
		}
	}
}

func TestStandardErrors(t *testing.T) {
	predictions := make([]pipeline.Prediction, 10)
	for i := range predictions { // 7 of 10 right, each with probability e^-1 for its class
		q := float32(math.Exp(-1))
		predictions[i] = pipeline.Prediction{Sample: pipeline.Sample{Label: 0}, Probabilities: []float32{q, 1 - q}}
		if i < 7 {
			predictions[i] = pipeline.Prediction{Sample: pipeline.Sample{Label: 1}, Probabilities: []float32{q, 1 - q}}
		}
	}
	errors := metrics.StandardErrors(predictions)
	want := math.Sqrt(0.7 * 0.3 * 10 / 9 / 10) // a proportion's, with n-1
	if errors[1].Name != "accuracy_se" || math.Abs(errors[1].Value-want) > 1e-12 {
		t.Errorf("%+v, want %g", errors[1], want)
	}
	right := -math.Log(1 - float64(float32(math.Exp(-1))))
	spread := math.Abs(1-right) * want // losses take two values with those shares
	if errors[0].Name != "loss_se" || math.Abs(errors[0].Value-spread) > 1e-7 {
		t.Errorf("%+v, want %g", errors[0], spread)
	}
	for _, f := range metrics.StandardErrors(predictions[:1]) {
		if !math.IsNaN(f.Value) {
			t.Errorf("one sample has %+v", f)
		}
	}
}

func TestTermsAddUpToTheirMetric(t *testing.T) {
	predictions := []pipeline.Prediction{
		{Sample: pipeline.Sample{Label: 0}, Logits: []float32{2, 1}, Probabilities: pipeline.Softmax([]float32{2, 1})},
		{Sample: pipeline.Sample{Label: 1}, Logits: []float32{3, 1}, Probabilities: pipeline.Softmax([]float32{3, 1})},
		{Sample: pipeline.Sample{Label: 1}, Logits: []float32{0, 5}, Probabilities: pipeline.Softmax([]float32{0, 5})},
	}
	for i, sign := range []float64{-1, 1} {
		m := metrics.Basic(predictions)[i]
		sum := 0.0
		for _, term := range metrics.Terms(m.Name)(predictions) {
			sum += sign * term
		}
		if math.Abs(sum/3-m.Value) > 1e-12 {
			t.Errorf("%s is %g, the mean of its terms %g", m.Name, m.Value, sum/3)
		}
	}
	if metrics.Terms("f1") != nil {
		t.Error("F1 is no mean over samples")
	}
}
