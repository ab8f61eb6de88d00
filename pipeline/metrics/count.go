package metrics

import (
	"math"
	"slices"
)

// count is a sheet with sample i counted times[i] times. Metrics are computed from
// it.
type count struct {
	*sheet
	samples     int
	correct     int
	top         int // samples whose class is among the topK most likely
	present     int // classes that have samples
	loss, brier float64
	ece         float64
	// By class: how many samples are of it, were predicted to be, and both.
	support, predicted, hits []int
	riskArea                 float64
	answers
	areas []areas // by class; nil unless measureAreas has set them
}

// count counts sample i times[i] times.
func (s *sheet) count(times []uint8) *count { return s.recount(nil, times) }

// recount is count in the memory of another count of the sheet, which may be nil.
func (s *sheet) recount(c *count, times []uint8) *count {
	if n := len(s.classes); c == nil {
		c = &count{support: make([]int, n), predicted: make([]int, n), hits: make([]int, n)}
	}
	clear(c.support)
	clear(c.predicted)
	clear(c.hits)
	*c = count{sheet: s, support: c.support, predicted: c.predicted, hits: c.hits, areas: c.areas, answers: s.recountAnswers(c.answers, times)}
	for i, t := range times {
		if t == 0 {
			continue
		}
		n := int(t)
		c.samples += n
		c.support[s.label[i]] += n
		c.predicted[s.choice[i]] += n
		if s.label[i] == s.choice[i] {
			c.hits[s.label[i]] += n
			c.correct += n
		}
		c.loss += float64(n) * s.loss[i]
		c.brier += float64(n) * s.brier[i]
		if s.topK > 0 && s.top[i] {
			c.top += n
		}
	}
	for _, n := range c.support {
		if n > 0 {
			c.present++
		}
	}
	c.ece, c.riskArea = calibrationError(s.belief, times), s.riskArea(times)
	return c
}

// appendValues appends the wanted metrics in the order of the sheet's columns.
func (c *count) appendValues(values []float64, wanted func(column) bool) []float64 {
	n := 0
	for _, column := range c.columns {
		if wanted(column) {
			n++
		}
	}
	values = slices.Grow(values, n)
	for _, column := range c.columns {
		if wanted(column) {
			values = append(values, column.value(c))
		}
	}
	return values
}

func meanLoss(c *count) float64    { return c.loss / float64(c.samples) }
func meanBrier(c *count) float64   { return c.brier / float64(c.samples) }
func ece(c *count) float64         { return c.ece }
func accuracy(c *count) float64    { return ratio(c.correct, c.samples) }
func topAccuracy(c *count) float64 { return ratio(c.top, c.samples) }

func precision(c *count, class int) float64 { return ratio(c.hits[class], c.predicted[class]) }
func recall(c *count, class int) float64    { return ratio(c.hits[class], c.support[class]) }
func f1(c *count, class int) float64 {
	return ratio(2*c.hits[class], c.support[class]+c.predicted[class])
}

// balancedAccuracy is the mean recall of the classes that have samples.
func balancedAccuracy(c *count) float64 {
	var sum float64
	for class := range c.classes {
		sum += recall(c, class) / float64(c.present) // recall is 0 without samples
	}
	return sum
}

// macro is the mean over all classes.
func macro(of func(*count, int) float64) func(*count) float64 {
	return func(c *count) (mean float64) {
		for class := range c.classes {
			mean += 1 / float64(len(c.classes)) * of(c, class)
		}
		return mean
	}
}

// weighted is the mean over all classes, weighted by their samples.
func weighted(of func(*count, int) float64) func(*count) float64 {
	return func(c *count) (mean float64) {
		for class, n := range c.support {
			mean += ratio(n, c.samples) * of(c, class)
		}
		return mean
	}
}

// meanOfDefined is the mean over the classes that have a value, or NaN.
func meanOfDefined(of func(*count, int) float64) func(*count) float64 {
	return func(c *count) float64 {
		sum, n := 0.0, 0
		for class := range c.classes {
			if v := of(c, class); !math.IsNaN(v) {
				sum += v
				n++
			}
		}
		return sum / float64(n)
	}
}

// margins sums products of how many samples are of each class and how many were
// predicted to be.
func (c *count) margins() (both, truth, predicted float64) {
	for class, n := range c.support {
		s, p := float64(n), float64(c.predicted[class])
		both, truth, predicted = both+s*p, truth+s*s, predicted+p*p
	}
	return both, truth, predicted
}

// kappa is Cohen's, NaN if chance alone would agree everywhere.
func kappa(c *count) float64 {
	both, _, _ := c.margins()
	n := float64(c.samples)
	if both == n*n {
		return math.NaN()
	}
	return 1 - (n-float64(c.correct))/(n-both/n)
}

// mcc is Matthews' correlation, 0 if truth or prediction does not vary.
func mcc(c *count) float64 {
	both, truth, predicted := c.margins()
	n := float64(c.samples)
	if variance := (n*n - truth) * (n*n - predicted); variance > 0 {
		return (float64(c.correct)*n - both) / math.Sqrt(variance)
	}
	return 0
}

func rocAUC(c *count, class int) float64           { return c.areas[class].roc }
func averagePrecision(c *count, class int) float64 { return c.areas[class].average }

func timesPredicted(c *count, class int) float64 { return float64(c.predicted[class]) }

// smallerSide is the size of the class or of the rest, whichever is smaller.
func smallerSide(c *count, class int) float64 {
	return float64(min(c.support[class], c.samples-c.support[class]))
}

// size is how many samples stand behind a metric.
func (c *count) size(of column) float64 {
	switch {
	case of.index >= 0 && of.classSize != nil:
		return of.classSize(c, of.index)
	case of.index >= 0:
		return float64(c.support[of.index])
	case of.size != nil:
		return of.size(c)
	case of.interval == proportion:
		return float64(c.samples)
	}
	return c.balancedSize()
}

// balancedSize is the size of a set with equal classes whose mean over these is
// as uncertain: a class with few samples makes the mean as uncertain as itself.
func (c *count) balancedSize() float64 {
	var uncertainty float64
	for _, n := range c.support {
		if n > 0 {
			uncertainty += 1 / float64(n)
		}
	}
	return float64(c.present*c.present) / uncertainty
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
