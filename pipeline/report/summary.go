package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"tftl/pipeline/metrics"
)

// Summary writes one evaluation as Markdown for the page of a CI job: which
// gates were missed, the figures with their intervals, each class, and each
// slice. Names in it are other people's, and inert.
func Summary(w io.Writer, name string, r metrics.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## tftl evaluate: %s\n\n", markdown(name))
	summarizeGates(&b, r.Gates)
	fmt.Fprintf(&b, "%s, loss %s, accuracy %s.\n\n", count(r.Samples, "image"), decimals(r.Loss), decimals(r.Accuracy))
	for _, warning := range r.Warnings {
		fmt.Fprintf(&b, "> %s\n\n", markdown(warning))
	}
	summarizeFigures(&b, r.Figures())
	summarizeClasses(&b, r)
	summarizeSlices(&b, r.Slices)
	_, err := io.WriteString(w, b.String())
	return err
}

func summarizeGates(b *strings.Builder, gates []metrics.Outcome) {
	if len(gates) == 0 {
		return
	}
	missed := 0
	rows := [][]string{{"gate", "", "what was found"}}
	for _, o := range gates {
		outcome := "passed"
		if !o.Passed {
			outcome = "**failed**"
			missed++
		}
		rows = append(rows, []string{markdown(o.Gate.Demand()), outcome, markdown(o.String())})
	}
	if missed > 0 {
		fmt.Fprintf(b, "**%d of %s failed.**\n\n", missed, count(len(gates), "gate"))
	} else {
		fmt.Fprintf(b, "%s passed.\n\n", count(len(gates), "gate"))
	}
	markdownTable(b, rows)
}

func summarizeFigures(b *strings.Builder, figures []metrics.Figure) {
	rows := [][]string{{"figure", "value", "95% interval"}}
	for _, f := range figures {
		if !strings.Contains(f.Name, "[") { // a class has a row of its own below
			rows = append(rows, []string{markdown(f.Name), decimals(f.Value), interval(f.Lower, f.Upper)})
		}
	}
	markdownTable(b, rows)
}

func summarizeClasses(b *strings.Builder, r metrics.Report) {
	rows := [][]string{{"class", "precision", "recall", "F1", "images"}}
	for _, c := range r.Classes {
		rows = append(rows, []string{
			markdown(shorten(c.Name, nameRunes)), decimals(c.Precision), decimals(c.Recall), decimals(c.F1), strconv.Itoa(c.Support),
		})
	}
	markdownTable(b, rows)
}

func summarizeSlices(b *strings.Builder, slices []metrics.Slice) {
	if len(slices) == 0 {
		return
	}
	rows := [][]string{{"slice", "images", "loss", "accuracy", "balanced accuracy", "F1, macro mean"}}
	for _, s := range slices {
		name := markdown(shorten(s.Column, nameRunes)) + " = " + markdown(shorten(s.Value, nameRunes))
		r := s.Report
		rows = append(rows, []string{
			name, strconv.Itoa(r.Samples), decimals(r.Loss), decimals(r.Accuracy), decimals(r.BalancedAccuracy), decimals(r.Macro.F1),
		})
	}
	markdownTable(b, rows)
}

// markdownTable writes rows, the first of which is the header, and aligns to
// the right what stands under a number.
func markdownTable(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
		if i > 0 {
			continue
		}
		for j := range row {
			rule := "| --- "
			if j > 0 && len(rows) > 1 && rows[1][j] != "" && unicode.IsDigit(rune(rows[1][j][0])) {
				rule = "| ---: "
			}
			b.WriteString(rule)
		}
		b.WriteString("|\n")
	}
	b.WriteByte('\n')
}

// markdown keeps a text from being anything but itself in Markdown, in a table
// and outside: every sign that could begin something has a backslash before it.
func markdown(text string) string {
	var b strings.Builder
	for _, r := range display(text) {
		if r < unicode.MaxASCII && (unicode.IsPunct(r) || unicode.IsSymbol(r)) && !strings.ContainsRune(",()=", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
