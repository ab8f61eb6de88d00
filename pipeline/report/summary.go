package report

import (
	"fmt"
	"io"
	"strings"

	"tftl/pipeline/metrics"
)

// Summary writes one evaluation of a model in brief, for the page of a CI job:
// which gates were missed, the figures with their intervals, each class, each
// slice. It needs no run folder, which a SavedModel by itself has not.
func Summary(w io.Writer, model string, r metrics.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\nMeasured on %s.\n", code(model), count(r.Samples, "image"))
	writeGates(&b, r.Gates)
	c := contents{evaluation: &r}
	for _, class := range r.Classes {
		c.table.Classes = append(c.table.Classes, class.Name)
	}
	writeEvaluation(&b, c)
	writeSlices(&b, r.Slices)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeGates says what a report was held to, and begins with what it missed.
func writeGates(b *strings.Builder, outcomes []metrics.Outcome) {
	if len(outcomes) == 0 {
		return
	}
	g := grid{Words: 3, Header: []string{"gate", "", "found"}}
	missed := 0
	for _, o := range outcomes {
		passed := "passed"
		if !o.Passed {
			passed = "FAILED"
			missed++
		}
		g.Rows = append(g.Rows, []string{o.Gate.Demand(), passed, o.String()})
	}
	if missed > 0 {
		fmt.Fprintf(b, "\n**%d of %s failed.**\n", missed, count(len(outcomes), "gate"))
	} else {
		fmt.Fprintf(b, "\n%s passed.\n", count(len(outcomes), "gate"))
	}
	writeGrid(b, g, plain)
}

func writeSlices(b *strings.Builder, slices []metrics.Slice) {
	for i, s := range slices {
		if i == 0 || s.Column != slices[i-1].Column {
			fmt.Fprintf(b, "\n### By %s\n", code(shorten(s.Column, nameRunes)))
			writeGrid(b, slicesGrid(slices[i:]), code)
		}
	}
}

// slicesGrid has a row for each of the slices that begin a list and are of one
// column.
func slicesGrid(slices []metrics.Slice) grid {
	g := grid{Words: 1, Header: []string{"value", "images", "accuracy", "95% interval", "balanced accuracy", "F1, macro mean"}}
	for _, s := range slices {
		if s.Column != slices[0].Column {
			break
		}
		accuracy := newFigures(s.Report)["accuracy"]
		g.Rows = append(g.Rows, []string{
			shorten(s.Value, nameRunes), fmt.Sprint(s.Report.Samples), decimals(accuracy.Value), interval(accuracy.Lower, accuracy.Upper),
			decimals(s.Report.BalancedAccuracy), decimals(s.Report.Macro.F1),
		})
	}
	return g
}
