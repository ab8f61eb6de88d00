package metrics

import (
	"strconv"
	"strings"
)

// writeSlices has a table for each column that the samples were told apart by,
// and a row in it for each of its values.
func (r Report) writeSlices(b *strings.Builder) {
	var rows [][]string
	for i, s := range r.Slices {
		if i == 0 || s.Column != r.Slices[i-1].Column {
			rows = [][]string{{"by " + display(s.Column, nameRunes), "accuracy", "balanced", "macro f1", "loss", "support"}}
		}
		of := s.Report
		rows = append(rows, []string{
			display(s.Value, nameRunes), decimals(of.Accuracy), decimals(of.BalancedAccuracy), decimals(of.Macro.F1), decimals(of.Loss), strconv.Itoa(of.Samples),
		})
		if i+1 == len(r.Slices) || s.Column != r.Slices[i+1].Column {
			b.WriteByte('\n')
			writeAligned(b, rows)
		}
	}
}
