package metrics_test

import (
	"math"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func TestChooseThresholdHasTheBestF1OfScikitLearn(t *testing.T) {
	chosen := 0
	for _, c := range references(t) {
		if c.BestF1 == nil {
			continue
		}
		chosen++
		table := c.table()
		threshold, err := metrics.ChooseThreshold(table.Predictions)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		r, err := metrics.Evaluate(t.Context(), table, metrics.Options{Decision: metrics.Decision{Threshold: threshold}})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		} else if got := r.Classes[1].Value("f1"); !near(got, *c.BestF1) {
			t.Errorf("%s: F1 is %v at %v, want %v", c.Name, got, threshold, *c.BestF1)
		}
	}
	if chosen < 20 {
		t.Fatalf("%d cases of two classes, want at least 20", chosen)
	}
}

func TestChooseThreshold(t *testing.T) {
	for name, c := range map[string]struct {
		scores []float32 // of samples of class 0, then 1, then 0 …
		want   float64
	}{
		"0.5 if it is as good as any":  {[]float32{0.1, 0.9}, 0.5},
		"midway":                       {[]float32{0.625, 0.875}, 0.75},
		"below what all reach":         {[]float32{0, 0.25}, 0.125},
		"nothing to go by":             {[]float32{0, 0}, 0.5},
		"neighbours in float32":        {[]float32{0.75, math.Nextafter32(0.75, 1)}, float64(math.Nextafter32(0.75, 1))},
		"the nearest of equals to 0.5": {[]float32{0.8, 0.9, 0.75, 0.7, 0.6}, 0.65},
	} {
		var predictions []pipeline.Prediction
		for i, score := range c.scores {
			predictions = append(predictions, predict(i%2, 1-score, score))
		}
		got, err := metrics.ChooseThreshold(predictions)
		if err != nil || math.Abs(got-c.want) > 1e-7 {
			t.Errorf("%s: got %v and %v, want %v", name, got, err, c.want)
		}
	}
}

func TestChooseThresholdRefuses(t *testing.T) {
	for name, predictions := range map[string][]pipeline.Prediction{
		"no samples":      nil,
		"three classes":   {predict(0, 0.2, 0.3, 0.5)},
		"no second class": {predict(0, 0.2, 0.8)},
		"NaN":             {predict(1, 0.2, float32(math.NaN()))},
	} {
		if got, err := metrics.ChooseThreshold(predictions); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

func TestDecisionClass(t *testing.T) {
	row := []float32{0.3, 0.7}
	for threshold, want := range map[float64]int{0: 1, 0.7: 1, 0.71: 0, 0.2: 1, 1: 0} {
		if got := (metrics.Decision{Threshold: threshold}).Class(row); got != want {
			t.Errorf("threshold %v: got class %d, want %d", threshold, got, want)
		}
	}
	if got := (metrics.Decision{}).Class([]float32{0.4, 0.4, 0.2}); got != 0 {
		t.Errorf("of equals got class %d, want the first", got)
	}
}

func TestCalibrate(t *testing.T) {
	logits := []float32{2, -1, 0.5}
	p := predict(0, pipeline.Softmax(logits)...)
	p.Logits = logits
	given := []pipeline.Prediction{p, predict(0, p.Probabilities...)}
	d := metrics.Decision{Temperature: 2}
	got := d.Calibrate(given)
	want := pipeline.Softmax([]float32{1, -0.5, 0.25})
	for i, p := range got {
		for k, v := range p.Probabilities {
			if math.Abs(float64(v-want[k])) > 1e-6 {
				t.Errorf("prediction %d: got %v, want %v", i, p.Probabilities, want)
			}
		}
	}
	if got[0].Logits[0] != 1 || got[1].Logits != nil {
		t.Errorf("logits are %v and %v", got[0].Logits, got[1].Logits)
	}
	if given[0].Logits[0] != 2 || given[0].Probabilities[0] != p.Probabilities[0] {
		t.Error("what was given is changed")
	}
	if v := d.Calibrate([]pipeline.Prediction{predict(0, 0, 1)})[0].Probabilities; v[0] != 0 || v[1] != 1 {
		t.Errorf("a model that is certain becomes %v", v)
	}
}

// The fitted temperature minimizes the evaluated loss.
func TestEvaluateAtTheFittedTemperature(t *testing.T) {
	table := readBook(t).Bootstrap.table()
	fitted, err := metrics.FitTemperature(table.Predictions)
	if err != nil {
		t.Fatal(err)
	}
	loss := func(temperature float64) float64 {
		r, err := metrics.Evaluate(t.Context(), table, metrics.Options{Decision: metrics.Decision{Temperature: temperature}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Value("loss")
	}
	if best := loss(fitted); best > loss(fitted*1.05) || best > loss(fitted/1.05) {
		t.Errorf("the loss is %v at %v, %v above and %v below", best, fitted, loss(fitted*1.05), loss(fitted/1.05))
	}
}

func TestEvaluateRefusesADecision(t *testing.T) {
	two := metrics.Table{Classes: []string{"cat", "dog"}, Predictions: []pipeline.Prediction{predict(0, 1, 0)}}
	three := metrics.Table{Classes: []string{"cat", "dog", "cow"}, Predictions: []pipeline.Prediction{predict(0, 1, 0, 0)}}
	for message, c := range map[string]struct {
		table    metrics.Table
		decision metrics.Decision
	}{
		"temperature -1: must be from 0.001 to 1000":  {two, metrics.Decision{Temperature: -1}},
		"temperature NaN: must be from 0.001 to 1000": {two, metrics.Decision{Temperature: math.NaN()}},
		"threshold 1.5: must be from 0 to 1":          {two, metrics.Decision{Threshold: 1.5}},
		"threshold 0.5: needs two classes, not 3":     {three, metrics.Decision{Threshold: 0.5}},
	} {
		_, err := metrics.Evaluate(t.Context(), c.table, metrics.Options{Decision: c.decision})
		if err == nil || !strings.Contains(err.Error(), message) || pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("got %v, want %q", err, message)
		}
	}
}
