package metrics_test

import (
	"math"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func TestReliabilityAgreesWithScikitLearn(t *testing.T) {
	for _, c := range references(t) {
		if c.Reliability == nil {
			continue
		}
		var accuracy, confidence []float64
		samples := 0
		for i, bin := range metrics.Reliability(c.table().Predictions, 8) {
			if bin.Lower != float64(i)/8 || bin.Upper != float64(i+1)/8 {
				t.Errorf("%s: bin %d is from %v to %v", c.Name, i, bin.Lower, bin.Upper)
			}
			if samples += bin.Samples; bin.Samples > 0 {
				accuracy, confidence = append(accuracy, bin.Accuracy), append(confidence, bin.Confidence)
			} else if !math.IsNaN(bin.Accuracy) || !math.IsNaN(bin.Confidence) {
				t.Errorf("%s: an empty bin has metrics: %+v", c.Name, bin)
			}
		}
		if samples != len(c.Labels) {
			t.Errorf("%s: the bins have %d samples of %d", c.Name, samples, len(c.Labels))
		}
		sameLine(t, c.Name+" accuracy", accuracy, c.Reliability.Accuracy)
		sameLine(t, c.Name+" confidence", confidence, c.Reliability.Confidence)
	}
}

func TestFitTemperatureAgreesWithSciPy(t *testing.T) {
	fitted, inside := 0, 0
	for _, c := range references(t) {
		if c.Temperature == nil {
			continue
		}
		fitted++
		if *c.Temperature > 0.05 && *c.Temperature < 20 && *c.Temperature != 1 {
			inside++
		}
		got, err := metrics.FitTemperature(c.table().Predictions)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		} else if math.Abs(got-*c.Temperature) > 1e-8**c.Temperature {
			t.Errorf("%s: got %.12g, want %.12g", c.Name, got, *c.Temperature)
		}
	}
	if fitted < 50 || inside < 20 {
		t.Fatalf("%d reference temperatures, %d within the bounds: too few", fitted, inside)
	}
}

func TestFitTemperatureOfProbabilitiesAlone(t *testing.T) {
	with, without := []pipeline.Prediction{}, []pipeline.Prediction{}
	for i, row := range [][]float32{{2, 0, 1}, {0, 3, 0}, {1, 4, 0}, {0, 0, 5}} {
		p := predict(i%2, pipeline.Softmax(row)...)
		without = append(without, p)
		p.Logits = row
		with = append(with, p)
	}
	a, err := metrics.FitTemperature(with)
	if err != nil {
		t.Fatal(err)
	}
	b, err := metrics.FitTemperature(without)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(a-b) > 1e-5 || a == 1 {
		t.Errorf("got %v of logits and %v of their probabilities", a, b)
	}
}

func TestFitTemperatureRefuses(t *testing.T) {
	inf := float32(math.Inf(1))
	for name, c := range map[string]struct {
		predictions []pipeline.Prediction
		kind        pipeline.Kind
	}{
		"no samples":       {nil, pipeline.BadData},
		"no label":         {[]pipeline.Prediction{predict(-1, 0.5, 0.5)}, pipeline.BadData},
		"infinite logits":  {[]pipeline.Prediction{{Probabilities: []float32{0, 1}, Logits: []float32{0, inf}}}, pipeline.BadModel},
		"NaN, and no more": {[]pipeline.Prediction{predict(0, float32(math.NaN()), 0.5)}, pipeline.BadModel},
	} {
		if got, err := metrics.FitTemperature(c.predictions); err == nil || pipeline.KindOf(err) != c.kind {
			t.Errorf("%s: got %v and %v, want an error of kind %v", name, got, err, c.kind)
		}
	}
}
