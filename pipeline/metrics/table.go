package metrics

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tftl/internal/printable"
)

const (
	nameRunes   = 32 // longest class name in the first column
	headerRunes = 8  // longest class name above a column of the confusion matrix
	matrixLimit = 12 // most classes whose confusion matrix fits a terminal
	pairLimit   = 10 // most confused pairs that stand in for a larger one
	lineRunes   = 80 // longest line of a warning
)

// WriteTable writes the report for people: a row for each class, the averages,
// the overall figures with their intervals, the slices, and the confusion
// matrix, or the most confused pairs of classes where the matrix would be too
// wide. What there is to say against the figures comes after them. The last two
// lines are "Test Loss: " and "Test Accuracy: ", each with four decimals, where
// no other part was measured.
//
// Columns are aligned by counting runes. Class names are other people's
// folder names: what a terminal would not print, or obey, is escaped as in Go.
func (r Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	r.writeScores(&b)
	b.WriteByte('\n')
	r.writeFigures(&b)
	r.writeSlices(&b)
	if len(r.Classes) <= matrixLimit {
		r.writeMatrix(&b)
	} else {
		r.writePairs(&b)
	}
	r.writeWarnings(&b)
	part := "Test"
	if other := map[string]string{"train": "Training", "val": "Validation", "all": "Overall"}[r.Subset]; other != "" {
		part = other
	}
	fmt.Fprintf(&b, "\n%s Loss: %.4f\n%[1]s Accuracy: %.4[3]f\n", part, r.Loss, r.Accuracy)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the evaluation table: %w", err)
	}
	return nil
}

// writeScores has accuracy where classification_report has it, under f1.
func (r Report) writeScores(b *strings.Builder) {
	line := func(name string, s Scores, support int) []string {
		return []string{name, decimals(s.Precision), decimals(s.Recall), decimals(s.F1), strconv.Itoa(support)}
	}
	total := strconv.Itoa(r.Samples)
	rows := [][]string{{"class", "precision", "recall", "f1", "support"}}
	for _, c := range r.Classes {
		rows = append(rows, line(display(c.Name, nameRunes), c.Scores, c.Support))
	}
	rows = append(rows,
		nil,
		[]string{"accuracy", "", "", decimals(r.Accuracy), total},
		[]string{"balanced accuracy", "", "", decimals(r.BalancedAccuracy), total},
		line("macro avg", r.Macro, r.Samples),
		line("weighted avg", r.Weighted, r.Samples))
	writeAligned(b, rows)
}

// writeFigures names the figures as a gate does, which may be set on any.
func (r Report) writeFigures(b *strings.Builder) {
	header := []string{"figure", "value", "95% interval"}
	if len(r.Intervals) == 0 {
		header[2] = ""
	}
	rows := [][]string{header}
	for _, f := range r.Figures()[:len(r.overall())] {
		of, average, _ := strings.Cut(f.Name, "_")
		averaged := average == "micro" || average == "weighted"
		if of != "precision" && of != "recall" && !averaged { // those are in the table of classes
			rows = append(rows, []string{f.Name, decimals(f.Value), f.interval()})
		}
	}
	writeAligned(b, rows)
	if d := r.Decision; d.Temperature > 0 {
		fmt.Fprintf(b, "Temperature: %.4f%s\n", d.Temperature, origin(d.TemperatureFrom))
	}
	if d := r.Decision; d.Threshold > 0 {
		fmt.Fprintf(b, "Threshold of %s: %.4f%s\n", display(r.Classes[1].Name, nameRunes), d.Threshold, origin(d.ThresholdFrom))
	}
	b.WriteByte('\n')
}

func origin(of string) string {
	if of == "" {
		return ""
	}
	return " (" + display(of, nameRunes) + ")"
}

func (f Figure) interval() string {
	if f.Method == "" {
		return ""
	}
	return decimals(f.Lower) + " to " + decimals(f.Upper)
}

func (r Report) writeSlices(b *strings.Builder) {
	if len(r.Slices) == 0 {
		return
	}
	rows := [][]string{{"slice", "samples", "f1", "accuracy", "95% interval"}}
	for _, s := range r.Slices {
		row := []string{display(s.Column+"="+s.Value, nameRunes), strconv.Itoa(s.Report.Samples), decimals(s.Report.Macro.F1), decimals(s.Report.Accuracy), ""}
		if f, err := s.Report.Figure("accuracy"); err == nil {
			row[len(row)-1] = f.interval()
		}
		rows = append(rows, row)
	}
	writeAligned(b, rows)
	b.WriteByte('\n')
}

// writeWarnings breaks lines between words where they get longer than a terminal.
func (r Report) writeWarnings(b *strings.Builder) {
	for _, warning := range r.Warnings {
		b.WriteString("\nWarning:")
		column := len("Warning:")
		for _, word := range strings.Fields(warning) {
			if n := utf8.RuneCountInString(word); column+1+n > lineRunes {
				b.WriteString("\n ")
				column = 1
			}
			b.WriteString(" " + word)
			column += 1 + utf8.RuneCountInString(word)
		}
	}
	if len(r.Warnings) > 0 {
		b.WriteByte('\n')
	}
}

func (r Report) writeMatrix(b *strings.Builder) {
	b.WriteString("Confusion matrix: a row for each true class, a column for each predicted one\n")
	header := []string{""}
	for _, c := range r.Classes {
		header = append(header, display(c.Name, headerRunes))
	}
	rows := [][]string{header}
	for i, counts := range r.ConfusionMatrix {
		row := []string{display(r.Classes[i].Name, nameRunes)}
		for _, n := range counts {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	writeAligned(b, rows)
}

// Confusion is how many samples of one class were put into another. Both are
// indexes of Report.Classes.
type Confusion struct{ Label, Predicted, Count int }

// Confusions are the pairs of classes that were confused, the most often first.
func (r Report) Confusions() []Confusion {
	var pairs []Confusion
	for i, counts := range r.ConfusionMatrix {
		for j, n := range counts {
			if i != j && n > 0 {
				pairs = append(pairs, Confusion{i, j, n})
			}
		}
	}
	// Stable, so that equal counts stay in the order of the classes.
	slices.SortStableFunc(pairs, func(a, b Confusion) int { return cmp.Compare(b.Count, a.Count) })
	return pairs
}

func (r Report) writePairs(b *strings.Builder) {
	pairs := r.Confusions()
	if len(pairs) == 0 {
		b.WriteString("No class was taken for another\n")
		return
	}
	b.WriteString("Most confused classes\n")
	rows := [][]string{{"true class", "predicted", "samples", "of"}}
	for _, p := range pairs[:min(len(pairs), pairLimit)] {
		rows = append(rows, []string{
			display(r.Classes[p.Label].Name, nameRunes), display(r.Classes[p.Predicted].Name, nameRunes),
			strconv.Itoa(p.Count), strconv.Itoa(r.Classes[p.Label].Support),
		})
	}
	writeAligned(b, rows)
	if rest := len(pairs) - pairLimit; rest > 0 {
		fmt.Fprintf(b, "and %d more pairs\n", rest)
	}
}

// writeAligned writes rows in columns: the first aligned left, the others
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

// display makes a class name safe for a terminal and at most limit runes long.
func display(name string, limit int) string {
	if name == "" {
		return `""`
	}
	quoted := strconv.Quote(name)
	return printable.Shorten(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`), limit)
}

// decimals is a figure for people; what is not defined is a dash.
func decimals(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}
