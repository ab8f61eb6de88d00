package pipeline

import (
	"math"
	"testing"
)

func TestTargetsAreSmoothedAndWeighted(t *testing.T) {
	samples := []Sample{{Label: 2, Weight: 1}, {Label: 0, Weight: 0.5}}
	for _, c := range []struct {
		name             string
		plan             Plan
		targets, weights []float32
	}{
		{"plain", Plan{Classes: 3}, []float32{0, 0, 1, 1, 0, 0}, []float32{1, 0.5}},
		// keras.losses.CategoricalCrossentropy: y_true * (1 - 0.3) + 0.3 / 3
		{"smoothed", Plan{Classes: 3, LabelSmoothing: 0.3}, []float32{0.1, 0.1, 0.8, 0.8, 0.1, 0.1}, []float32{1, 0.5}},
		{"weighted", Plan{Classes: 3, ClassWeights: []float64{3, 5, 7}}, []float32{0, 0, 1, 1, 0, 0}, []float32{7, 1.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := Batch{Samples: samples}
			b.target(c.plan)
			for i, want := range c.targets {
				if math.Abs(float64(b.Targets[i]-want)) > 1e-7 {
					t.Fatalf("targets %v, want %v", b.Targets, c.targets)
				}
			}
			for i, want := range c.weights {
				if b.Weights[i] != want {
					t.Fatalf("weights %v, want %v", b.Weights, c.weights)
				}
			}
		})
	}
}
