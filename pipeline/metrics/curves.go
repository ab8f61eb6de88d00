package metrics

import (
	"math"

	"tftl/pipeline"
)

// Curve is a line from left to right and the area below it: ROC AUC or average
// precision. If the curve is not defined it has no points and its area is NaN. The
// points are overwritten when the next curve is computed.
type Curve struct {
	X, Y []float64
	Area float64
}

// Curves computes curves of predictions, one class against the rest. It keeps what
// they can share, so one goroutine at a time may use it.
type Curves struct {
	rows   [][]float32
	label  []int
	sorter sorter
	points []point
	x, y   []float64
}

// NewCurves returns the curves of predictions.
func NewCurves(predictions []pipeline.Prediction) *Curves {
	c := &Curves{rows: make([][]float32, len(predictions)), label: make([]int, len(predictions))}
	for i, p := range predictions {
		c.rows[i], c.label[i] = p.Probabilities, p.Sample.Label
	}
	return c
}

// ROC is the true positive rate of a class, over the false positive rate. It leaves
// out points on a straight line between others.
func (c *Curves) ROC(class int) Curve {
	points, area := c.sort(class)
	curve := Curve{Area: area.roc}
	if math.IsNaN(curve.Area) {
		return curve
	}
	last := points[len(points)-1]
	for i, p := range points {
		if i > 1 && i+1 < len(points) && points[i-1].step(p) == p.step(points[i+1]) {
			continue
		}
		c.x = append(c.x, ratio(p.negatives, last.negatives))
		c.y = append(c.y, ratio(p.positives, last.positives))
	}
	curve.X, curve.Y = c.x, c.y
	return curve
}

// PrecisionRecall is the precision of a class, over its recall.
// It starts at a recall of 0 and a precision of 1 and has one point per
// threshold. The area is the average precision: the sum over the thresholds of
// the precision times the recall gained.
func (c *Curves) PrecisionRecall(class int) Curve {
	points, area := c.sort(class)
	curve := Curve{Area: area.average}
	if math.IsNaN(curve.Area) {
		return curve
	}
	last := points[len(points)-1]
	for _, p := range points[1:] {
		if len(c.x) == 0 {
			c.x, c.y = append(c.x, 0), append(c.y, 1)
		}
		c.x = append(c.x, ratio(p.positives, last.positives))
		c.y = append(c.y, ratio(p.positives, p.positives+p.negatives))
		if p.positives == last.positives {
			break // the recall stays at 1
		}
	}
	curve.X, curve.Y = c.x, c.y
	return curve
}

// point is how many samples of the class, and of the rest, reach a threshold.
type point struct{ positives, negatives int }

func (p point) step(q point) point {
	return point{q.positives - p.positives, q.negatives - p.negatives}
}

// sort finds the points of a class, one for every threshold, starting with one that
// no sample reaches.
func (c *Curves) sort(class int) ([]point, areas) {
	s := &c.sorter
	c.x, c.y = c.x[:0], c.y[:0]
	s.sort(c.rows, c.label, class)
	if s.broken {
		return nil, areas{math.NaN(), math.NaN()}
	}
	all, last, t := append(c.points[:0], point{}), point{}, tally{}
	for k, key := range s.keys {
		if key.positive() {
			last.positives++
		} else {
			last.negatives++
		}
		if !s.tied(k) {
			step := all[len(all)-1].step(last)
			t.add(step.positives, step.negatives)
			all = append(all, last)
		}
	}
	c.points = all
	return all, t.areas()
}
