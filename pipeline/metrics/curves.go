package metrics

import (
	"cmp"
	"math"
	"slices"

	"tftl/pipeline"
)

// Curve is a line from left to right and the area below it: ROC AUC or average
// precision. If the curve is not defined it has no points and its area is NaN.
type Curve struct {
	X, Y []float64
	Area float64
}

// ROC is the true positive rate of a class against the rest, over the false
// positive rate. It leaves out points on a straight line between others.
func ROC(predictions []pipeline.Prediction, class int) Curve {
	o := newOrdering(predictions, class)
	curve := Curve{}
	curve.Area = o.areas(once(len(predictions))).roc
	if math.IsNaN(curve.Area) {
		return curve
	}
	points := o.points()
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

// PrecisionRecall is the precision of a class against the rest, over its recall.
// It starts at a recall of 0 and a precision of 1 and has one point per
// threshold. The area is the average precision: the sum over the thresholds of
// the precision times the recall gained.
func PrecisionRecall(predictions []pipeline.Prediction, class int) Curve {
	o := newOrdering(predictions, class)
	curve := Curve{}
	curve.Area = o.areas(once(len(predictions))).average
	if math.IsNaN(curve.Area) {
		return curve
	}
	points := o.points()
	last := points[len(points)-1]
	for _, p := range points[1:] {
		if curve.X == nil {
			curve.X, curve.Y = []float64{0}, []float64{1}
		}
		curve.X = append(curve.X, ratio(p.positives, last.positives))
		curve.Y = append(curve.Y, ratio(p.positives, p.positives+p.negatives))
		if p.positives == last.positives {
			break // the recall stays at 1
		}
	}
	return curve
}

// ordering is the samples sorted by the probability of one class, highest first.
type ordering struct {
	order    []int32
	positive []bool // in that order: is of this class
	tied     []bool // in that order: the next has the same probability
	broken   bool   // a probability is NaN, so there is no order
}

// newOrdering sorts by the probability of the class. The first of two classes is
// ranked by the second's probability, because float32 has little precision near
// 1; that way both have the same curve, as they do on paper.
func newOrdering(predictions []pipeline.Prediction, class int) ordering {
	scores := make([]float32, len(predictions))
	o := ordering{order: make([]int32, len(predictions))}
	for i, p := range predictions {
		scores[i] = p.Probabilities[class]
		if len(p.Probabilities) == 2 && class == 0 {
			scores[i] = -p.Probabilities[1]
		}
		o.order[i] = int32(i)
		o.broken = o.broken || math.IsNaN(float64(scores[i]))
	}
	slices.SortStableFunc(o.order, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	for k, i := range o.order {
		o.positive = append(o.positive, predictions[i].Sample.Label == class)
		o.tied = append(o.tied, k+1 < len(o.order) && scores[o.order[k+1]] == scores[i])
	}
	return o
}

// areas are ROC AUC and average precision if sample i counts times[i] times. A
// tie between a sample of the class and one of the rest counts half.
func (o ordering) areas(times []uint8) areas {
	a := areas{math.NaN(), math.NaN()}
	if o.broken {
		return a
	}
	var pairs, positives, negatives int // pairs in the right order, each twice
	var tiedPositives, tiedNegatives int
	var sum float64
	for k, i := range o.order {
		if o.positive[k] {
			tiedPositives += int(times[i])
		} else {
			tiedNegatives += int(times[i])
		}
		if o.tied[k] {
			continue
		}
		pairs += tiedNegatives * (2*positives + tiedPositives)
		positives, negatives = positives+tiedPositives, negatives+tiedNegatives
		if tiedPositives > 0 {
			sum += float64(tiedPositives) * float64(positives) / float64(positives+negatives)
		}
		tiedPositives, tiedNegatives = 0, 0
	}
	if positives > 0 {
		a.average = sum / float64(positives)
	}
	if positives > 0 && negatives > 0 {
		a.roc = float64(pairs) / 2 / float64(positives) / float64(negatives)
	}
	return a
}

// point is how many samples of the class, and of the rest, reach a threshold.
type point struct{ positives, negatives int }

func (p point) step(q point) point {
	return point{q.positives - p.positives, q.negatives - p.negatives}
}

// points has one for every threshold, starting with one that no sample reaches.
func (o ordering) points() []point {
	points, p := []point{{}}, point{}
	for k, positive := range o.positive {
		if positive {
			p.positives++
		} else {
			p.negatives++
		}
		if !o.tied[k] {
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
