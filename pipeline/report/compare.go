package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"tftl/pipeline/metrics"
)

// Comparison is what came of two models on the same images, for people.
type Comparison struct {
	A, B  string // what they are called
	Found metrics.Comparison
	Gate  *NoWorse // nil: none
}

// NoWorse is a demand on a comparison: that one figure of B is not worse than
// A's by more than a margin, at the pessimistic end of the difference's
// interval. It is what a model must prove that may take another's place.
type NoWorse struct {
	Metric string
	Margin float64
	// What Judge found.
	Difference metrics.Difference
	Worst      float64 // how much worse B may be; below 0: it is better
	Passed     bool
}

// Judge holds the comparison to its gate. A figure that it does not have is a
// usage error that lists those there are.
func (c Comparison) Judge() error {
	g := c.Gate
	if g == nil {
		return nil
	}
	if _, err := c.Found.B.Figure(g.Metric); err != nil {
		return fmt.Errorf("--metric %s: %w", g.Metric, err)
	}
	for _, d := range c.Found.Differences {
		if d.Name == g.Metric {
			g.Difference = d
		}
	}
	g.Worst = -g.Difference.Lower
	if metrics.LowerIsBetter(g.Metric) {
		g.Worst = g.Difference.Upper
	}
	const rounding = 1e-12 // a difference of 0.01 on paper may be 0.010000000000000009
	g.Passed = g.Worst <= g.Margin+rounding
	return nil
}

// Demand is the gate as a condition.
func (g NoWorse) Demand() string {
	return fmt.Sprintf("%s no worse by more than %s", shorten(g.Metric, nameRunes), number(g.Margin))
}

// String says in a line what was found.
func (g NoWorse) String() string {
	found := fmt.Sprintf("%s changed by %s", shorten(g.Metric, nameRunes), change(g.Difference))
	switch {
	case math.IsNaN(g.Worst):
		return found + ", which has no interval on these images"
	case g.Passed:
		return fmt.Sprintf("%s: no worse by more than %s", found, number(g.Margin))
	}
	return fmt.Sprintf("%s: it may be worse by %s, which is more than %s", found, fixed(g.Worst, 4), number(g.Margin))
}

// change is a difference with its interval.
func change(d metrics.Difference) string {
	if !finite(d.Lower) || !finite(d.Upper) {
		return signed(d.Difference, 4)
	}
	return signed(d.Difference, 4) + " (" + signed(d.Lower, 3) + " to " + signed(d.Upper, 3) + ")"
}

func signed(v float64, digits int) string {
	text := fixed(v, digits)
	if strings.Trim(text, "-0.") == "" { // a zero that was rounded to has no sign
		return strings.TrimPrefix(text, "-")
	}
	if v > 0 {
		return "+" + text
	}
	return text
}

// shownClasses is how many classes' figures fit a terminal; JSON and the page
// have all.
const shownClasses = 12

// shownFlips is how many images a terminal and a page list; JSON has all.
const shownFlips = 20

// lists are the images that B alone gets right, A alone, and that both get
// wrong in different ways.
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

// test says what McNemar's test found.
func (c Comparison) test() string {
	f := c.Found
	return fmt.Sprintf("%s: %d right in A alone, %d in B alone; McNemar's exact test p = %s", count(f.Samples, "image"), f.OnlyA, f.OnlyB, probability(f.McNemar))
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
	fmt.Fprintf(table, "A: %s\nB: %s\n\nfigure\tA\tB\tB - A\n", display(c.A), display(c.B))
	for _, d := range c.Found.Differences {
		if strings.Contains(d.Name, "[") && len(c.Found.A.Classes) > shownClasses {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", shorten(d.Name, nameRunes), decimals(d.A), decimals(d.B), change(d))
	}
	fmt.Fprintf(table, "\n%s\n", c.test())
	if err := table.Flush(); err != nil {
		return err
	}
	gained, lost, other := c.lists()
	for _, part := range []struct {
		title string
		flips []metrics.Flip
	}{{"Right in A alone", lost}, {"Right in B alone", gained}, {"Wrong in both, in different ways", other}} {
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

// gateJSON is a gate as JSON has it.
type gateJSON struct {
	Metric     string             `json:"metric"`
	Margin     float64            `json:"no_worse_than"`
	Difference metrics.Difference `json:"difference"`
	Passed     bool               `json:"passed"`
}

// MarshalJSON writes the comparison, its names and its gate in one object.
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
	p.Figures = grid{Caption: "Figures of both, and B’s less A’s with its 95% interval", Words: 1, Header: []string{"figure", "A", "B", "B − A", "95% interval"}}
	for _, d := range c.Found.Differences {
		bounds := ""
		if finite(d.Lower) && finite(d.Upper) {
			bounds = signed(d.Lower, 3) + " to " + signed(d.Upper, 3)
		}
		p.Figures.Rows = append(p.Figures.Rows, []string{title(d.Name), decimals(d.A), decimals(d.B), signed(d.Difference, 4), bounds})
	}
	for _, warning := range c.Found.Warnings {
		p.Warnings = append(p.Warnings, display(warning))
	}
	gained, lost, other := c.lists()
	for _, g := range []grid{flips("Right in A alone", lost), flips("Right in B alone", gained), flips("Wrong in both, in different ways", other)} {
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
	Figures             grid
	Flips               []grid
}

// flips lists images for a page.
func flips(caption string, list []metrics.Flip) grid {
	g := grid{Caption: fmt.Sprintf("%s: %s", caption, count(len(list), "image")), Words: 4, Header: []string{"image", "is", "A says", "B says", "A’s probability", "B’s probability"}}
	for _, f := range list[:min(len(list), 10*shownFlips)] {
		g.Rows = append(g.Rows, []string{
			shorten(f.ID, nameRunes), shorten(f.Label, nameRunes), shorten(f.A, nameRunes), shorten(f.B, nameRunes),
			decimals(float64(f.ProbabilityA)), decimals(float64(f.ProbabilityB)),
		})
	}
	return g
}
