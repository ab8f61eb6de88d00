package audit

import (
	"cmp"
	"math"
	"slices"

	"tftl/pipeline"
)

// Two probabilities that differ by less than this count as equal, as in cleanlab.
const equal = 1e-6

// labels are given classes and what a model that did not learn from them says:
// probabilities, [N,classes].
type labels struct {
	given         []int
	probabilities []float32
	classes       int
}

func (l labels) row(i int) []float32 {
	return l.probabilities[i*l.classes : (i+1)*l.classes]
}

// counts is how many images each class has.
func (l labels) counts() []int {
	n := make([]int, l.classes)
	for _, class := range l.given {
		n[class]++
	}
	return n
}

// thresholds returns how confident the model is of each class, on average over the
// images that have it as their label. An image belongs to a class confidently if its
// probability reaches that. A class without images has a threshold that none reaches.
func (l labels) thresholds() []float64 {
	sums := make([]float64, l.classes)
	for i, class := range l.given {
		sums[class] += float64(l.row(i)[class])
	}
	return means(sums, l.counts())
}

// means divides sums by numbers of images.
func means(sums []float64, counts []int) []float64 {
	thresholds := make([]float64, len(sums))
	for class, n := range counts {
		thresholds[class] = 2
		if n > 0 {
			// Above equal, so that a probability of 0 reaches no threshold.
			thresholds[class] = max(sums[class]/float64(n), 2*equal)
		}
	}
	return thresholds
}

// confident returns the class that an image belongs to confidently, or -1. Where it
// reaches several thresholds, that is the most probable class of all.
func (l labels) confident(i int, thresholds []float64) int {
	found, several := -1, false
	for class, p := range l.row(i) {
		if float64(p) >= thresholds[class]-equal {
			several = found >= 0
			if several {
				break
			}
			found = class
		}
	}
	if several {
		return pipeline.Largest(l.row(i))
	}
	return found
}

// joint counts the images by their given class and, in each row, by the class that
// they belong to confidently: the confident joint. Each class has at least one image
// that is right.
func (l labels) joint() [][]int {
	thresholds := l.thresholds()
	counts := make([][]int, l.classes)
	for class := range counts {
		counts[class] = make([]int, l.classes)
	}
	for i, given := range l.given {
		if class := l.confident(i, thresholds); class >= 0 {
			counts[given][class]++
		}
	}
	for class := range counts {
		counts[class][class] = max(counts[class][class], 1)
	}
	return counts
}

// calibrated scales each row of a confident joint to the number of images with that
// label, so that those that belong to no class confidently are shared out like the
// others. Rows are whole numbers with the right sum.
func calibrated(joint [][]int, counts []int) [][]int {
	scaled := make([][]int, len(joint))
	for class, row := range joint {
		exact := make([]float64, len(row))
		sum := 0
		for _, n := range row {
			sum += n
		}
		for other, n := range row {
			exact[other] = float64(n) / float64(sum) * float64(counts[class])
		}
		scaled[class] = shareOut(exact, counts[class])
	}
	return scaled
}

// shareOut rounds numbers so that they add up to sum: what is missing goes to those that
// lost most by rounding, what is too much comes from those that gained most. Equal ones
// take turns in their order; in cleanlab it depends on how numpy sorts.
func shareOut(exact []float64, sum int) []int {
	rounded, order := make([]int, len(exact)), make([]int, len(exact))
	for i, x := range exact {
		rounded[i], order[i] = int(math.RoundToEven(x)), i
		sum -= rounded[i]
	}
	step := 1
	if sum < 0 {
		step = -1
	}
	lost := func(i int) float64 { return float64(step) * (exact[i] - float64(rounded[i])) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lost(b), lost(a)) })
	for _, i := range order[:step*sum] {
		rounded[i] += step
	}
	return rounded
}
