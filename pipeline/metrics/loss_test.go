package metrics_test

import (
	"math"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func TestLoss(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		label         int
		probabilities []float32
		logits        []float32
		want          float64
	}{
		"equal logits":                   {1, nil, []float32{3, 3, 3, 3}, math.Log(4)},
		"logits far apart, wrong":        {1, nil, []float32{1000, 0}, 1000},
		"logits far apart, right":        {0, nil, []float32{1000, 0}, 0},
		"large negative logits":          {0, nil, []float32{-1e30, -1e30}, math.Log(2)},
		"a class ruled out":              {0, nil, []float32{0, -inf}, 0},
		"the right class ruled out":      {1, nil, []float32{0, -inf}, math.Inf(1)},
		"NaN logit":                      {0, nil, []float32{0, nan}, math.NaN()},
		"infinite logit":                 {0, nil, []float32{0, inf}, math.NaN()},
		"logits before probabilities":    {0, []float32{0, 1}, []float32{0, 0}, math.Log(2)},
		"probabilities":                  {1, []float32{0.75, 0.25}, nil, math.Log(4)},
		"no probability":                 {0, []float32{0, 1}, nil, -math.Log(1e-7)},
		"certainty":                      {1, []float32{0, 1}, nil, -math.Log(1 - 1e-7)},
		"probabilities that sum to two":  {1, []float32{1.5, 0.5}, nil, math.Log(4)},
		"probabilities that sum to none": {1, []float32{0, 0}, nil, math.NaN()},
		"NaN probability":                {0, []float32{1, nan}, nil, math.NaN()},
	} {
		t.Run(name, func(t *testing.T) {
			p := predict(c.label, c.probabilities...)
			p.Logits = c.logits
			got, err := metrics.Loss(p)
			if err != nil {
				t.Fatal(err)
			}
			same := got == c.want || math.IsNaN(got) && math.IsNaN(c.want)
			if !same && !near(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestLossRefusesALabelThatIsNoClass(t *testing.T) {
	for _, p := range []pipeline.Prediction{
		predict(-1, 0.5, 0.5),
		predict(2, 0.5, 0.5),
		predict(0),
		{Sample: pipeline.Sample{Label: 2}, Probabilities: []float32{0, 0, 1}, Logits: []float32{0, 0}},
	} {
		if l, err := metrics.Loss(p); err == nil {
			t.Errorf("%+v: got loss %v, want an error", p, l)
		}
	}
}
