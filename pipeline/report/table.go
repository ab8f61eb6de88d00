package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tftl/pipeline/metrics"
)

// Limits of what fits a terminal.
const (
	tableNameRunes   = 32 // longest class name in the first column
	tableHeaderRunes = 8  // longest class name above a column of the confusion matrix
	tableMatrix      = 12 // most classes whose confusion matrix is shown
	tablePairs       = 10 // most pairs that stand in for a larger matrix
	lineRunes        = 80 // longest line of a warning
)

// WriteTable writes an evaluation for a terminal: one row per class, the
// averages, the overall metrics with their intervals, the slices, and the
// confusion matrix (or the most confused pairs of classes, if the matrix is too
// wide). Warnings come after them. The last two lines are "Test Loss: " and
// "Test Accuracy: ", each with four decimals, or name the part that was measured.
//
// Columns are aligned by counting runes. Class names are other people's folder
// names: what a terminal would obey rather than print is escaped as in Go.
func WriteTable(w io.Writer, r metrics.Report) error {
	var b strings.Builder
	writeScores(&b, r)
	b.WriteByte('\n')
	writeMetrics(&b, r)
	writeSliceTable(&b, r.Slices)
	if len(r.Classes) <= tableMatrix {
		writeMatrix(&b, r)
	} else {
		writePairs(&b, r)
	}
	writeWarnings(&b, r.Warnings)
	part := "Test"
	if other := map[string]string{"train": "Training", "val": "Validation", "all": "Overall"}[r.Part]; other != "" {
		part = other
	}
	fmt.Fprintf(&b, "\n%s Loss: %.4f\n%[1]s Accuracy: %.4[3]f\n", part, r.Value("loss"), r.Value("accuracy"))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the evaluation table: %w", err)
	}
	return nil
}

// scores are the columns of the table of classes.
func scores() []string { return []string{"precision", "recall", "f1"} }

// writeScores puts accuracy where classification_report does: under f1.
func writeScores(b *strings.Builder, r metrics.Report) {
	line := func(name string, value func(string) float64, suffix string, support int) []string {
		cells := []string{name}
		for _, score := range scores() {
			cells = append(cells, decimals(value(score+suffix)))
		}
		return append(cells, strconv.Itoa(support))
	}
	total := strconv.Itoa(r.Samples)
	rows := [][]string{slices.Concat([]string{"class"}, scores(), []string{"support"})}
	for _, c := range r.Classes {
		rows = append(rows, line(shorten(c.Name, tableNameRunes), c.Value, "", c.Support))
	}
	rows = append(rows,
		nil,
		[]string{"accuracy", "", "", decimals(r.Value("accuracy")), total},
		[]string{"balanced accuracy", "", "", decimals(r.Value("balanced_accuracy")), total},
		line("macro avg", r.Value, "", r.Samples),
		line("weighted avg", r.Value, "_weighted", r.Samples))
	writeAligned(b, rows)
}

// writeMetrics names the metrics as gates do: you can gate on any of them. What
// the table of classes shows is left out.
func writeMetrics(b *strings.Builder, r metrics.Report) {
	header := []string{"metric", "value", "95% interval"}
	if len(r.Intervals) == 0 {
		header[2] = ""
	}
	rows := [][]string{header}
	for _, m := range overall(r) {
		of, _, _ := strings.Cut(m.Name, "_")
		if m.Name == "f1" || !slices.Contains(scores(), of) {
			rows = append(rows, []string{m.Name, decimals(m.Value), fullInterval(m)})
		}
	}
	writeAligned(b, rows)
	if d := r.Decision; d.Temperature > 0 {
		fmt.Fprintf(b, "Temperature: %.4f%s\n", d.Temperature, from(d.TemperatureFrom))
	}
	if d := r.Decision; d.Threshold > 0 {
		fmt.Fprintf(b, "Threshold of %s: %.4f%s\n", shorten(r.Classes[1].Name, tableNameRunes), d.Threshold, from(d.ThresholdFrom))
	}
	switch d := r.Decision; {
	case d.AnswersAll():
		fmt.Fprintf(b, "Every image is answered%s\n", from(d.ConfidenceFrom))
	case d.Abstains():
		fmt.Fprintf(b, "Confidence that gets an answer: %.4f%s\n", d.Confidence, from(d.ConfidenceFrom))
	}
	if d := r.Decision; d.HasSets() {
		fmt.Fprintf(b, "Probability that puts a class into the set: %.4f%s\n", d.Set, from(d.SetFrom))
	}
	b.WriteByte('\n')
}

func fullInterval(m metrics.Metric) string {
	if m.Method == "" {
		return ""
	}
	return decimals(m.Lower) + " to " + decimals(m.Upper)
}

func writeSliceTable(b *strings.Builder, all []metrics.Slice) {
	if len(all) == 0 {
		return
	}
	rows := [][]string{{"slice", "samples", "f1", "accuracy", "95% interval"}}
	for _, s := range all {
		accuracy := named(s.Report)["accuracy"]
		rows = append(rows, []string{
			shorten(s.Column+"="+s.Value, tableNameRunes), strconv.Itoa(s.Report.Samples),
			decimals(s.Report.Value("f1")), decimals(accuracy.Value), fullInterval(accuracy),
		})
	}
	writeAligned(b, rows)
	b.WriteByte('\n')
}

// writeWarnings wraps lines that are too long for a terminal.
func writeWarnings(b *strings.Builder, warnings []string) {
	for _, warning := range warnings {
		b.WriteString("\nWarning:")
		column := len("Warning:")
		for _, word := range strings.Fields(display(warning)) {
			if n := utf8.RuneCountInString(word); column+1+n > lineRunes {
				b.WriteString("\n ")
				column = 1
			}
			b.WriteString(" " + word)
			column += 1 + utf8.RuneCountInString(word)
		}
	}
	if len(warnings) > 0 {
		b.WriteByte('\n')
	}
}

func writeMatrix(b *strings.Builder, r metrics.Report) {
	b.WriteString("Confusion matrix: rows are true classes, columns are predicted classes\n")
	header := []string{""}
	for _, c := range r.Classes {
		header = append(header, shorten(c.Name, tableHeaderRunes))
	}
	rows := [][]string{header}
	for i, counts := range r.ConfusionMatrix {
		row := []string{shorten(r.Classes[i].Name, tableNameRunes)}
		for _, n := range counts {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	writeAligned(b, rows)
}

func writePairs(b *strings.Builder, r metrics.Report) {
	pairs := r.Confusions()
	if len(pairs) == 0 {
		b.WriteString("No class was confused with another\n")
		return
	}
	b.WriteString("Most confused classes\n")
	rows := [][]string{{"true class", "predicted", "samples", "of"}}
	for _, p := range pairs[:min(len(pairs), tablePairs)] {
		rows = append(rows, []string{
			shorten(r.Classes[p.Label].Name, tableNameRunes), shorten(r.Classes[p.Predicted].Name, tableNameRunes),
			strconv.Itoa(p.Count), strconv.Itoa(r.Classes[p.Label].Support),
		})
	}
	writeAligned(b, rows)
	if rest := len(pairs) - tablePairs; rest > 0 {
		fmt.Fprintf(b, "and %d more pairs\n", rest)
	}
}

// writeAligned writes rows in columns, the first aligned left and the others
// right. A row without cells is an empty line.
func writeAligned(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i == 0 {
				fmt.Fprintf(&line, "%-*s", widths[i], cell)
			} else {
				fmt.Fprintf(&line, "  %*s", widths[i], cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
