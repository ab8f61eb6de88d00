package report

import (
	"fmt"
	"io"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// Summary writes a short report on one evaluation for the page of a CI job: the
// gates that failed, the metrics with their intervals, each class, each slice. It
// needs no run folder, because a SavedModel has none.
func Summary(w io.Writer, model string, r metrics.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\nEvaluated on %s.\n", code(model), count(r.Samples, "image"))
	writeGates(&b, r.Gates)
	c := contents{evaluation: &r}
	for _, class := range r.Classes {
		c.classes = append(c.classes, class.Name)
	}
	writeEvaluation(&b, c)
	writeSlices(&b, r.Slices)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeGates lists the gates, after a line that says how many failed.
func writeGates(b *strings.Builder, outcomes []metrics.Outcome) {
	if len(outcomes) == 0 {
		return
	}
	g, verdict, missed := gatesGrid(outcomes)
	if missed {
		verdict = "**" + verdict + "**"
	}
	fmt.Fprintf(b, "\n%s\n", verdict)
	writeGrid(b, g, plain)
}

// TellGates says of each gate whether it passed, as a message or as a warning. It
// returns an error that names those that failed, or nil.
func TellGates(outcomes []metrics.Outcome, say, warn func(format string, args ...any)) error {
	var failed []string
	for _, o := range outcomes {
		if o.Passed {
			say("gate passed: %s", o)
			continue
		}
		warn("gate failed: %s", o)
		failed = append(failed, o.Gate.Demand())
	}
	if len(failed) == 0 {
		return nil
	}
	return pipeline.Errorf(pipeline.GateFailed, "%d of %d gates failed: %s", len(failed), len(outcomes), strings.Join(failed, "; "))
}

// gatesGrid has one row per gate.
func gatesGrid(outcomes []metrics.Outcome) (g grid, verdict string, missed bool) {
	g = grid{Caption: "Gates", Words: 3, Header: []string{"gate", "result", "measured"}}
	failed := 0
	for _, o := range outcomes {
		passed := "passed"
		if !o.Passed {
			passed = "FAILED"
			failed++
		}
		g.Rows = append(g.Rows, []string{display(o.Gate.Demand()), passed, display(o.String())})
	}
	if failed > 0 {
		return g, fmt.Sprintf("%d of %s failed.", failed, count(len(outcomes), "gate")), true
	}
	return g, count(len(outcomes), "gate") + " passed.", false
}

func writeSlices(b *strings.Builder, slices []metrics.Slice) {
	for _, g := range sliceGrids(slices) {
		fmt.Fprintf(b, "\n### By %s\n", code(g.Header[0]))
		g.Header[0] = "value"
		writeGrid(b, g, code)
	}
}

// sliceGrids has one table per column.
func sliceGrids(slices []metrics.Slice) []grid {
	var grids []grid
	for i, s := range slices {
		if i == 0 || s.Column != slices[i-1].Column {
			grids = append(grids, slicesGrid(slices[i:]))
		}
	}
	return grids
}

// slicesGrid has one row for each slice at the start of a list that has the same
// column as the first.
func slicesGrid(slices []metrics.Slice) grid {
	column := shorten(slices[0].Column, nameRunes)
	g := grid{Caption: "By " + column, Words: 1, Header: []string{column, "images", "accuracy", "95% interval", "balanced accuracy", "F1, macro mean"}}
	for _, s := range slices {
		if s.Column != slices[0].Column {
			break
		}
		accuracy := named(s.Report)["accuracy"]
		g.Rows = append(g.Rows, []string{
			shorten(s.Value, nameRunes), fmt.Sprint(s.Report.Samples), decimals(accuracy.Value), interval(accuracy.Lower, accuracy.Upper),
			decimals(s.Report.Value("balanced_accuracy")), decimals(s.Report.Value("f1")),
		})
	}
	return g
}
