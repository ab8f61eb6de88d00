package metrics

import (
	"cmp"
	"math"
	"slices"

	"tftl/pipeline"
)

// Curve is a line from left to right, and the area below it: ROC AUC, or
// average precision. Where the class makes no such curve it has no points and
// the area is NaN.
type Curve struct {
	X, Y []float64
	Area float64
}

// ROC is the true positive rate of a class against the rest, over the false
// positive rate. Points on a straight line between others are left out.
func ROC(predictions []pipeline.Prediction, class int) Curve {
	r := newRanking(predictions, class)
	curve := Curve{}
	curve.Area, _ = r.areas(once(len(predictions)))
	if math.IsNaN(curve.Area) {
		return curve
	}
	points := r.points()
	last := points[len(points)-1]
	for i, p := range points {
		if i > 1 && i+1 < len(points) && points[i-1].step(p) == p.step(points[i+1]) {
			continue
		}
		curve.X = append(curve.X, ratio(p.negatives, last.negatives))
		curve.Y = append(curve.Y, ratio(p.positives, last.positives))
	}
	return curve
}

// PrecisionRecall is the precision of a class against the rest, over its
// recall: a point for each threshold after the first, which is a recall of 0 at
// a precision of 1. The area is the average precision: the sum of the
// precisions, each times the recall that its threshold adds.
func PrecisionRecall(predictions []pipeline.Prediction, class int) Curve {
	r := newRanking(predictions, class)
	curve := Curve{}
	_, curve.Area = r.areas(once(len(predictions)))
	if math.IsNaN(curve.Area) {
		return curve
	}
	points := r.points()
	last := points[len(points)-1]
	for _, p := range points[1:] {
		if curve.X == nil {
			curve.X, curve.Y = []float64{0}, []float64{1}
		}
		curve.X = append(curve.X, ratio(p.positives, last.positives))
		curve.Y = append(curve.Y, ratio(p.positives, p.positives+p.negatives))
		if p.positives == last.positives {
			break // the recall is 1 from here on
		}
	}
	return curve
}

// ranking is the samples from the most to the least likely of a class.
type ranking struct {
	order    []int32
	positive []bool // in that order: is of the class
	tied     []bool // in that order: the next is as likely
	broken   bool   // a probability is not a number, so that there is no order
}

// newRanking sorts by the probability of the class. Of two classes the first is
// ranked by the second's, for float32 has no room near 1: their curves are then
// one, as they are on paper.
func newRanking(predictions []pipeline.Prediction, class int) ranking {
	scores := make([]float32, len(predictions))
	r := ranking{order: make([]int32, len(predictions))}
	for i, p := range predictions {
		scores[i] = p.Probabilities[class]
		if len(p.Probabilities) == 2 && class == 0 {
			scores[i] = -p.Probabilities[1]
		}
		r.order[i] = int32(i)
		r.broken = r.broken || math.IsNaN(float64(scores[i]))
	}
	slices.SortStableFunc(r.order, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	for k, i := range r.order {
		r.positive = append(r.positive, predictions[i].Sample.Label == class)
		r.tied = append(r.tied, k+1 < len(r.order) && scores[r.order[k+1]] == scores[i])
	}
	return r
}

// areas are ROC AUC and average precision where sample i counts as often as
// times[i] says. A tie of a sample of the class and another counts half.
func (r ranking) areas(times []uint8) (roc, average float64) {
	if r.broken {
		return math.NaN(), math.NaN()
	}
	var pairs, positives, negatives int // pairs in the right order, each twice
	var tiedPositives, tiedNegatives int
	var sum float64
	for k, i := range r.order {
		if r.positive[k] {
			tiedPositives += int(times[i])
		} else {
			tiedNegatives += int(times[i])
		}
		if r.tied[k] {
			continue
		}
		pairs += tiedNegatives * (2*positives + tiedPositives)
		positives, negatives = positives+tiedPositives, negatives+tiedNegatives
		if tiedPositives > 0 {
			sum += float64(tiedPositives) * float64(positives) / float64(positives+negatives)
		}
		tiedPositives, tiedNegatives = 0, 0
	}
	roc, average = math.NaN(), math.NaN()
	if positives > 0 {
		average = sum / float64(positives)
	}
	if positives > 0 && negatives > 0 {
		roc = float64(pairs) / 2 / float64(positives) / float64(negatives)
	}
	return roc, average
}

// point is how many samples of the class, and how many others, are at least as
// likely as a threshold.
type point struct{ positives, negatives int }

func (p point) step(q point) point {
	return point{q.positives - p.positives, q.negatives - p.negatives}
}

// points are those of every threshold, from one that nothing reaches.
func (r ranking) points() []point {
	points, p := []point{{}}, point{}
	for k, positive := range r.positive {
		if positive {
			p.positives++
		} else {
			p.negatives++
		}
		if !r.tied[k] {
			points = append(points, p)
		}
	}
	return points
}

// once counts every sample once.
func once(n int) []uint8 {
	times := make([]uint8, n)
	for i := range times {
		times[i] = 1
	}
	return times
}
