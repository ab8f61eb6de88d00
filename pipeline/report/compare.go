package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"tftl/pipeline/metrics"
)

// Comparison is a comparison of two models, for people.
type Comparison struct {
	A, B  string // names of the models
	Found metrics.Comparison
	Gate  *metrics.Verdict // nil: there is no gate
}

// shownClasses is the most classes whose metrics fit a terminal; JSON and the
// page have all.
const shownClasses = 12

// shownFlips is the most images per list in a terminal; the page has more and
// JSON has all.
const shownFlips = 20

// lists are the images that only B gets right, that only A gets right, and that
// both get wrong in different ways.
func (c Comparison) lists() (gained, lost, other []metrics.Flip) {
	for _, f := range c.Found.Flipped {
		switch f.Label {
		case f.B:
			gained = append(gained, f)
		case f.A:
			lost = append(lost, f)
		default:
			other = append(other, f)
		}
	}
	return gained, lost, other
}

// test is the result of McNemar's test.
func (c Comparison) test() string {
	f := c.Found
	return fmt.Sprintf("%s: %d that only A gets right, %d that only B gets right; McNemar's exact test p = %s", count(f.Samples, "image"), f.OnlyA, f.OnlyB, probability(f.McNemar))
}

func probability(p float64) string {
	if p < 0.0001 {
		return strconv.FormatFloat(p, 'e', 1, 64)
	}
	return strconv.FormatFloat(p, 'f', 4, 64)
}

// WriteTable writes the comparison for a terminal.
func (c Comparison) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "A: %s\nB: %s\n\nmetric\tA\tB\tB - A\n", display(c.A), display(c.B))
	for _, d := range c.Found.Differences {
		if strings.Contains(d.Name, "[") && len(c.Found.A.Classes) > shownClasses {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", shorten(d.Name, nameRunes), decimals(d.A), decimals(d.B), d)
	}
	fmt.Fprintf(table, "\n%s\n", c.test())
	if err := table.Flush(); err != nil {
		return err
	}
	gained, lost, other := c.lists()
	for _, part := range []struct {
		title string
		flips []metrics.Flip
	}{{"Only A is right", lost}, {"Only B is right", gained}, {"Both are wrong, in different ways", other}} {
		if len(part.flips) == 0 {
			continue
		}
		fmt.Fprintf(table, "\n%s\n", part.title)
		for _, f := range part.flips[:min(len(part.flips), shownFlips)] {
			fmt.Fprintf(table, "%s\tis %s\tA: %s %.4f\tB: %s %.4f\n", shorten(f.ID, nameRunes), shorten(f.Label, nameRunes),
				shorten(f.A, nameRunes), f.ProbabilityA, shorten(f.B, nameRunes), f.ProbabilityB)
		}
		if more := len(part.flips) - shownFlips; more > 0 {
			fmt.Fprintf(table, "and %d more\n", more)
		}
	}
	if c.Gate != nil {
		fmt.Fprintf(table, "\n%s\n", c.Gate)
	}
	return table.Flush()
}

// gateJSON is a gate in JSON.
type gateJSON struct {
	Metric     string             `json:"metric"`
	Margin     float64            `json:"no_worse_than"`
	Difference metrics.Difference `json:"difference"`
	Passed     bool               `json:"passed"`
}

// MarshalJSON writes the comparison, the names and the gate as one object.
func (c Comparison) MarshalJSON() ([]byte, error) {
	document := struct {
		NameA string `json:"name_a"`
		NameB string `json:"name_b"`
		metrics.Comparison
		Gate *gateJSON `json:"gate,omitempty"`
	}{c.A, c.B, c.Found, nil}
	if g := c.Gate; g != nil {
		document.Gate = &gateJSON{g.Metric, g.Margin, g.Difference, g.Passed}
	}
	return json.Marshal(document)
}

// HTML writes the comparison as one page.
func (c Comparison) HTML(w io.Writer) error {
	p := comparePage{A: display(c.A), B: display(c.B), Test: c.test(), Samples: count(c.Found.Samples, "image")}
	p.Metrics = grid{Caption: "Metrics of both models, and B minus A with its 95% interval", Words: 1, Header: []string{"metric", "A", "B", "B − A"}}
	for _, d := range c.Found.Differences {
		p.Metrics.Rows = append(p.Metrics.Rows, []string{title(d.Name), decimals(d.A), decimals(d.B), d.String()})
	}
	for _, warning := range c.Found.Warnings {
		p.Warnings = append(p.Warnings, display(warning))
	}
	gained, lost, other := c.lists()
	for _, g := range []grid{flips("Only A is right", lost), flips("Only B is right", gained), flips("Both are wrong, in different ways", other)} {
		if len(g.Rows) > 0 {
			p.Flips = append(p.Flips, g)
		}
	}
	if c.Gate != nil {
		p.Gate, p.Failed = c.Gate.String(), !c.Gate.Passed
	}
	return execute(w, "compare.tmpl", p)
}

type comparePage struct {
	A, B, Test, Samples string
	Gate                string
	Failed              bool
	Warnings            []string
	Metrics             grid
	Flips               []grid
}

// flips lists images for a page.
func flips(caption string, list []metrics.Flip) grid {
	g := grid{Caption: fmt.Sprintf("%s: %s", caption, count(len(list), "image")), Words: 4, Header: []string{"image", "true class", "A predicts", "B predicts", "A’s probability", "B’s probability"}}
	for _, f := range list[:min(len(list), 10*shownFlips)] {
		g.Rows = append(g.Rows, []string{
			shorten(f.ID, nameRunes), shorten(f.Label, nameRunes), shorten(f.A, nameRunes), shorten(f.B, nameRunes),
			decimals(float64(f.ProbabilityA)), decimals(float64(f.ProbabilityB)),
		})
	}
	return g
}
