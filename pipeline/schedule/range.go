package schedule

import (
	"math"

	"tftl/pipeline"
)

// Range is n learning rates from least to most, each the same factor above the
// one before.
func Range(least, most float64, n int) []float64 {
	rates := make([]float64, n)
	for i := range rates {
		rates[i] = least * math.Pow(most/least, float64(i)/float64(max(n-1, 1)))
	}
	return rates
}

// Suggest is the learning rate to train with after a sweep: the one that with
// its two neighbours left the lowest loss in the mean, so that the luck of one
// among bad ones does not decide. ok is false where that is finite nowhere.
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
