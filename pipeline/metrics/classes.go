package metrics

import (
	"cmp"
	"slices"
)

// RankClasses lists the classes for a row of probabilities: the predicted class
// first, then the others by probability, and by index if that is equal.
func (d Decision) RankClasses(probabilities []float32) []int {
	first := d.Class(probabilities)
	order := make([]int, len(probabilities))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case a == first:
			return -1
		case b == first:
			return 1
		}
		return cmp.Compare(probabilities[b], probabilities[a])
	})
	return order
}

// Harmless is a name as the files of this package have it: one that a spreadsheet
// would take for a formula gets a ' in front.
func Harmless(name string) string { return inert(name) }
