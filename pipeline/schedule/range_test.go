package schedule

import (
	"math"
	"testing"

	"tftl/pipeline"
)

func TestRange(t *testing.T) {
	rates := Range(1e-7, 1, 8)
	for i, rate := range rates {
		if want := math.Pow(10, float64(i-7)); math.Abs(rate-want) > 1e-12*want {
			t.Errorf("rate %d is %g, want %g", i, rate, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	inf := math.Inf(1)
	for _, test := range []struct {
		name   string
		losses []float64
		at     int // -1: none
	}{
		{"the middle of a valley", []float64{3, 2, 1, 2, inf}, 2},
		{"not the luck of one among bad ones", []float64{2, 1.2, 1, 1.2, 9, 0.1, 9}, 2},
		{"the end", []float64{4, 3, 2, 1}, 3},
		{"the beginning", []float64{1, 2, inf}, 0},
		{"the smaller of equals", []float64{1, 1, 1, 1}, 0},
		{"none", []float64{inf, 1, inf}, -1},
		{"nothing", nil, -1},
	} {
		var points []pipeline.SweepPoint
		for i, loss := range test.losses {
			points = append(points, pipeline.SweepPoint{LearningRate: float64(i), Loss: loss})
		}
		if rate, ok := Suggest(points); ok != (test.at >= 0) || ok && rate != float64(test.at) {
			t.Errorf("%s: suggests %g, %v", test.name, rate, ok)
		}
	}
}
