package schedule

import (
	"math"

	"tftl/pipeline"
)

// Range is n learning rates from least to most, evenly spaced on a logarithmic
// scale.
func Range(least, most float64, n int) []float64 {
	rates := make([]float64, n)
	for i := range rates {
		rates[i] = least * math.Pow(most/least, float64(i)/float64(max(n-1, 1)))
	}
	return rates
}

// Suggest picks a learning rate after a sweep: the one with the lowest loss,
// averaged with its two neighbours so that one lucky rate among bad ones does not
// win. ok is false if no average is finite.
func Suggest(points []pipeline.SweepPoint) (rate float64, ok bool) {
	lowest := math.Inf(1)
	for i, p := range points {
		around := points[max(i-1, 0):min(i+2, len(points))]
		mean := 0.0
		for _, neighbour := range around {
			mean += neighbour.Loss / float64(len(around))
		}
		if mean < lowest {
			lowest, rate, ok = mean, p.LearningRate, true
		}
	}
	return rate, ok
}
