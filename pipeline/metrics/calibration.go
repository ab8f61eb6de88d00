package metrics

import (
	"math"

	"tftl/pipeline"
)

// Bins is the number of equal-width bins of the expected calibration error.
const Bins = 15

// Bin holds the predictions whose largest probability is above Lower (or equal to
// it, in the first bin) and at most Upper. Confidence and Accuracy are means, NaN
// without samples.
type Bin struct {
	Lower, Upper         float64
	Confidence, Accuracy float64
	Samples              int
}

// Reliability is how often the most likely class was right, by its probability:
// scikit-learn's calibration_curve with uniform bins. It ignores thresholds.
func Reliability(predictions []pipeline.Prediction, bins int) []Bin {
	beliefs := make([]belief, len(predictions))
	for i, p := range predictions {
		beliefs[i] = newBelief(p, bins)
	}
	sums := binSums(beliefs, once(len(beliefs)), bins)
	all := make([]Bin, bins)
	for i, s := range sums {
		n := float64(s.samples)
		all[i] = Bin{Lower: edge(i, bins), Upper: edge(i+1, bins), Confidence: s.confidence / n, Accuracy: float64(s.right) / n, Samples: s.samples}
	}
	return all
}

// belief is the probability of the most likely class, and whether it was right.
type belief struct {
	confidence float64
	right      bool
	bin        int
}

func newBelief(p pipeline.Prediction, bins int) belief {
	class := argmax(p.Probabilities)
	b := belief{confidence: float64(p.Probabilities[class]), right: class == p.Sample.Label}
	for b.bin < bins-1 && b.confidence > edge(b.bin+1, bins) {
		b.bin++
	}
	return b
}

// edge is numpy's linspace(0, 1, bins+1)[i], bit for bit.
func edge(i, bins int) float64 {
	if i == bins {
		return 1
	}
	return float64(i) * (1 / float64(bins))
}

type binSum struct {
	confidence     float64
	right, samples int
}

func binSums(beliefs []belief, times []uint8, bins int) []binSum {
	sums := make([]binSum, bins)
	for i, b := range beliefs {
		n := int(times[i])
		if n == 0 {
			continue
		}
		s := &sums[b.bin]
		s.confidence += float64(n) * b.confidence
		s.samples += n
		if b.right {
			s.right += n
		}
	}
	return sums
}

// calibrationError is the mean distance between the accuracy and the confidence
// of each sample's bin.
func calibrationError(beliefs []belief, times []uint8) float64 {
	var sum float64
	samples := 0
	for _, s := range binSums(beliefs, times, Bins) {
		sum += math.Abs(s.confidence - float64(s.right))
		samples += s.samples
	}
	return sum / float64(samples)
}

// FitTemperature finds temperatures between these.
const (
	lowestTemperature  = 0.05
	highestTemperature = 20
)

// FitTemperature is the temperature from 0.05 to 20 with the smallest mean loss.
// If the most likely class is always right, the loss has no minimum because it
// keeps falling with the temperature; the model is then left as it is, at 1.
func FitTemperature(predictions []pipeline.Prediction) (float64, error) {
	rows := make([][]float64, len(predictions))
	right := true
	for i, p := range predictions {
		if _, err := Loss(p); err != nil {
			return 0, err
		}
		rows[i] = logits(p)
		largest := math.Inf(-1)
		for _, z := range rows[i] {
			if math.IsNaN(z) || math.IsInf(z, 0) {
				return 0, pipeline.Errorf(pipeline.BadModel, "sample %q: a logit is not finite", p.Sample.ID)
			}
			largest = max(largest, z)
		}
		right = right && rows[i][p.Sample.Label] == largest
	}
	if len(predictions) == 0 {
		return 0, pipeline.Errorf(pipeline.BadData, "no samples to fit a temperature on")
	}
	if right {
		return 1, nil
	}
	// The loss is convex in 1/temperature, so its slope crosses zero once. The
	// bounds close in on that point.
	low, high, inverse := 1.0/highestTemperature, 1/lowestTemperature, 1.0
	for range 100 {
		slope, curvature := lossSlope(predictions, rows, inverse)
		if slope > 0 {
			high = inverse
		} else {
			low = inverse
		}
		next := inverse - slope/curvature // Newton's step
		if !(next > low && next < high) {
			next = math.Sqrt(low * high)
		}
		if math.Abs(next-inverse) <= 1e-12*inverse || low >= high {
			break
		}
		inverse = next
	}
	return 1 / inverse, nil
}

// logits are the model's, or else the logarithms of its probabilities, clipped as
// Loss clips them.
func logits(p pipeline.Prediction) []float64 {
	row := make([]float64, len(p.Probabilities))
	for i := range row {
		if p.Logits != nil {
			row[i] = float64(p.Logits[i])
		} else {
			row[i] = math.Log(max(float64(p.Probabilities[i]), epsilon))
		}
	}
	return row
}

// lossSlope is the first and second derivative of the summed loss with respect to
// 1/temperature.
func lossSlope(predictions []pipeline.Prediction, rows [][]float64, inverse float64) (slope, curvature float64) {
	for i, row := range rows {
		label := row[predictions[i].Sample.Label]
		largest := math.Inf(-1)
		for _, z := range row {
			largest = max(largest, z)
		}
		var sum, first, second float64
		for _, z := range row {
			e, d := math.Exp(inverse*(z-largest)), z-largest
			sum, first, second = sum+e, first+e*d, second+e*d*d
		}
		mean := first / sum
		slope += mean - (label - largest)
		curvature += second/sum - mean*mean
	}
	return slope, curvature
}
