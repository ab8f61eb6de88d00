package report

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/audit/findings"
)

// estimated says how many labels seem to be wrong.
func estimated(s findings.Summary) string {
	e := s.LabelErrors
	return fmt.Sprintf("About %s of the labels seem to be wrong (95%% interval %s to %s): %s of %d images.",
		share(e.Share), share(e.Lower), share(e.Upper), fixed(e.Images, 1), s.Images)
}

func share(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + "%" }

func countsGrid(s findings.Summary) grid {
	g := grid{Caption: "Findings by kind", Words: 1, Header: []string{"kind", "images"}}
	if s.Baseline != nil {
		g.Header = append(g.Header, "accepted")
	}
	row := func(title string, c findings.Count) {
		cells := []string{title, strconv.Itoa(c.Images)}
		if s.Baseline != nil {
			cells = append(cells, strconv.Itoa(c.Accepted))
		}
		g.Rows = append(g.Rows, cells)
	}
	for _, c := range s.Found {
		if c.Images > 0 {
			row(kindTitle(c.Kind), c)
		}
	}
	switch len(g.Rows) {
	case len(s.Found):
	case 0:
		row("any", findings.Count{})
	default:
		row("all others", findings.Count{})
	}
	return g
}

// confusedGrid lists the classes that are confused most.
func confusedGrid(s findings.Summary) grid {
	g := grid{Caption: "Classes that labels confuse", Words: 2, Header: []string{"label", "seems to be", "images"}}
	for _, p := range s.Confused[:min(len(s.Confused), 2*tablePairs)] {
		g.Rows = append(g.Rows, []string{shorten(p.Label, nameRunes), shorten(p.Suggested, nameRunes), strconv.Itoa(p.Images)})
	}
	return g
}

// auditGates is the table of gates, and what they say together.
func auditGates(results []findings.Result) (g grid, verdict string, missed bool) {
	g = grid{Caption: "Gates", Words: 1, Header: []string{"gate", "value", "result"}}
	failed := 0
	for _, r := range results {
		result := "passed"
		if !r.Passed {
			result = "FAILED"
			failed++
		}
		g.Rows = append(g.Rows, []string{r.Gate().String(), strconv.FormatFloat(r.Value, 'g', 4, 64), result})
	}
	verdict = count(len(results), "gate") + " passed."
	if failed > 0 {
		verdict = fmt.Sprintf("%d of %s failed.", failed, count(len(results), "gate"))
	}
	return g, verdict, failed > 0
}

// AuditSuite is an audit's gates as a suite: a case per gate.
func AuditSuite(s findings.Summary) Suite {
	suite := Suite{Name: "tftl audit " + s.Data}
	for _, r := range s.Gates {
		c := Case{Name: r.Gate().String(), Class: s.Data}
		if !r.Passed {
			c.Failure = r.String()
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

// TellAuditGates tells how each gate ended, and returns an error of kind GateFailed if
// one failed.
func TellAuditGates(results []findings.Result, say, warn func(format string, args ...any)) error {
	var failed []string
	for _, r := range results {
		if r.Passed {
			say("gate passed: %s", r)
			continue
		}
		warn("gate failed: %s", r)
		failed = append(failed, r.Gate().String())
	}
	if len(failed) == 0 {
		return nil
	}
	return pipeline.Errorf(pipeline.GateFailed, "%d of %s failed: %s", len(failed), count(len(results), "gate"), strings.Join(failed, "; "))
}

// WriteTable writes the summary for a terminal.
func (a Audit) WriteTable(w io.Writer) error {
	s := a.Summary
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s, %s on %s: out-of-fold accuracy %s\n\n", count(s.Images, "image"), count(s.Classes, "class"),
		count(s.Folds, "head"), display(cmp.Or(s.Model, "a model")), decimals(s.Accuracy))
	g := countsGrid(s)
	rows := append([][]string{g.Header}, g.Rows...)
	writeAligned(&b, rows)
	fmt.Fprintf(&b, "\n%s\n", estimated(s))
	if s.Copies.Groups > 0 {
		fmt.Fprintf(&b, "Copies: %s, of which %d with images of several parts (leaks).\n", count(s.Copies.Groups, "group"), s.Copies.Leaks)
	}
	if len(s.Confused) > 0 {
		fmt.Fprintf(&b, "\nClasses that labels confuse\n")
		g := confusedGrid(s)
		writeAligned(&b, append([][]string{g.Header}, g.Rows[:min(len(g.Rows), tablePairs)]...))
	}
	if k := s.Baseline; k != nil {
		fmt.Fprintf(&b, "\nBaseline: %d findings accepted, %d new, %d entries gone.\n", k.Accepted, k.New, len(k.Gone))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
