package metrics

import (
	"math"
	"testing"

	"tftl/pipeline"
)

// One sample fewer is too few.
func TestNeededIsTheLeast(t *testing.T) {
	for _, value := range []float64{0, 0.01, 0.3, 0.5, 0.93, 0.999, 1} {
		for _, width := range []float64{0.001, 0.02, 0.1, 0.6} {
			n := float64(needed(value, width, 1).Images)
			if got := wilson(value, n); got[1]-got[0] > width+1e-9 {
				t.Errorf("%v: %v samples have the interval %v, wider than %v", value, n, got, width)
			}
			if got := wilson(value, n-1); n > 1 && got[1]-got[0] <= width-1e-9 {
				t.Errorf("%v: %v samples are more than %v takes", value, n, width)
			}
		}
	}
	// scipy.stats.binomtest(k, n).proportion_ci(method="wilson"): of 1,000 and 950 right of them
	// 0.9346 to 0.9618, so a width of 0.0273 takes about as many.
	if n := needed(0.95, 0.0273, 1).Images; n < 980 || n > 1000 {
		t.Errorf("%d samples", n)
	}
}

// With as many samples of each class as NewTestSet says, the interval of the balanced
// accuracy that Evaluate computes has the width.
func TestBalancedTestSet(t *testing.T) {
	recalls := []Rate{{"cat", 0.9}, {"dog", 0.7}, {"cow", 0.98}}
	s, err := NewTestSet(0.04, 0.85, &Interval{0.8, 0.9}, recalls)
	if err != nil {
		t.Fatal(err)
	}
	each := s.Balanced.Images / 3
	var predictions []pipeline.Prediction
	for class, r := range recalls {
		for i := range each {
			p := []float32{0.1, 0.1, 0.1}
			if i < int(math.Round(r.Value*float64(each))) {
				p[class] = 0.8
			} else {
				p[(class+1)%3] = 0.8
			}
			predictions = append(predictions, pipeline.Prediction{Sample: pipeline.Sample{Label: class}, Probabilities: p})
		}
	}
	r, err := Evaluate(t.Context(), Table{Classes: []string{"cat", "dog", "cow"}, Predictions: predictions}, Options{Resamples: 2000, TopK: 5, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	i := r.Intervals["balanced_accuracy"]
	if width := i[1] - i[0]; math.Abs(width-0.04) > 0.003 {
		t.Errorf("%d samples of each class have the interval %v, of width %.4f", each, i, width)
	}
	if s.AtWorst.Value != 0.8 || s.AtWorst.Images <= s.Accuracy.Images || len(s.Classes) != 3 || s.Classes[1].Images <= s.Classes[2].Images {
		t.Errorf("%+v", s)
	}
}

func TestTestSetRefusesNonsense(t *testing.T) {
	for _, c := range [][2]float64{{0, 0.9}, {1, 0.9}, {math.NaN(), 0.9}, {0.1, -0.1}, {0.1, 95}, {0.1, math.NaN()}} {
		if _, err := NewTestSet(c[0], c[1], nil, nil); pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("width %v, accuracy %v: %v", c[0], c[1], err)
		}
	}
}
