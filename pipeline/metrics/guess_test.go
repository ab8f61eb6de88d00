package metrics

import (
	"math"
	"testing"

	"tftl/pipeline"
)

func TestGuessLoss(t *testing.T) {
	samples := func(labels ...int) (list []pipeline.Sample) {
		for _, l := range labels {
			list = append(list, pipeline.Sample{Label: l, Weight: 1})
		}
		return list
	}
	for _, tt := range []struct {
		name              string
		train, validation []pipeline.Sample
		even              bool
		want              float64
	}{
		{"as many of each", samples(0, 1), samples(0, 0, 1), false, math.Ln2},
		{"three of four", samples(0, 0, 0, 1), samples(0, 0, 0, 1), false, 0.5623351446},
		{"made alike", samples(0, 0, 0, 1), samples(0, 0, 0, 1), true, math.Ln2},
		{"weighted", []pipeline.Sample{{Label: 0, Weight: 3}, {Label: 1, Weight: 1}}, samples(0, 0, 0, 1), false, 0.5623351446},
	} {
		if got := GuessLoss(tt.train, tt.validation, 2, tt.even); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestLikeness(t *testing.T) {
	rows := func(n int, rows ...[]float32) (list []pipeline.Prediction) {
		for i := range n {
			list = append(list, pipeline.Prediction{Logits: rows[i%len(rows)]})
		}
		return list
	}
	for _, tt := range []struct {
		name        string
		predictions []pipeline.Prediction
		want        bool
	}{
		{"none", nil, false},
		{"a softmax", rows(1, []float32{0.2, 0.7, 0.1}), true},
		{"logits", rows(2, []float32{0.2, 0.8}, []float32{3, -2}), false},
		{"logits in reach", rows(50, []float32{0.2, 0.9}), false},
		{"a sigmoid", rows(fair, []float32{0, 0.2}, []float32{0, 0.9}), true},
		{"few of one output", rows(fair-1, []float32{0, 0.2}), false},
		{"one output's logits", rows(50, []float32{0, 0.2}, []float32{0, -0.1}), false},
	} {
		var l Likeness
		l.Add(tt.predictions)
		if got := l.Probabilities(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
