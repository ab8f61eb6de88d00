package metrics

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
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

// WriteTop writes one row per sample as CSV, with only the k most likely classes:
//
//	path,predicted,probability,predicted_2,probability_2…
//
// It is for people and spreadsheets; it cannot be read back. The probabilities
// are at the decision's temperature.
func (t Table) WriteTop(w io.Writer, d Decision, k int) error {
	k = min(k, len(t.Classes))
	header := []string{"path", "predicted", "probability"}
	for i := 2; i <= k; i++ {
		header = append(header, fmt.Sprintf("predicted_%d", i), fmt.Sprintf("probability_%d", i))
	}
	rows := [][]string{header}
	for _, p := range t.Predictions {
		probabilities := d.calibrate(p).Probabilities
		row := []string{inert(p.Sample.ID)}
		for _, class := range d.RankClasses(probabilities)[:k] {
			row = append(row, inert(t.Classes[class]), shortest(probabilities[class]))
		}
		rows = append(rows, row)
	}
	return csv.NewWriter(w).WriteAll(rows)
}
