package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// summarizeTuning says in one sentence what tuning found.
func summarizeTuning(t *rundir.Tuning) string {
	text := count(len(t.Settings), "setting") + " were tried before training"
	if t.Chosen == 0 {
		return text + ": none was better than the default by more than noise"
	}
	return fmt.Sprintf("%s: the chosen one had %s %s, the default %s", text, t.Monitor, score(t.Best()), score(t.Default()))
}

// score is a setting's score in words.
func score(t rundir.Trial) string {
	if t.Score == nil {
		return "diverged"
	}
	return decimals(*t.Score)
}

// rungLength is how long a rung trains each setting.
func rungLength(r rundir.Rung) string {
	if r.StepsPerEpoch > 0 {
		return count(r.StepsPerEpoch, "step")
	}
	return count(r.Epochs, "epoch")
}

// drawTuning draws each setting's score over its learning rate, or over its number
// if the rate was given. The later the rung, the larger and bluer the dot.
func drawTuning(t *rundir.Tuning) (drawing, error) {
	d := drawing{ID: "plot-tune", Title: "Settings tried, by " + t.Monitor}
	p, x := newPlot("learning rate", ""), make([]float64, len(t.Settings))
	p.X.Tick.Marker = plot.TickerFunc(powersOfTen)
	varies := false
	for i, s := range t.Settings {
		x[i] = math.Log10(s.LearningRate)
		varies = varies || s.LearningRate != t.Default().LearningRate
	}
	if !varies {
		for i := range x {
			x[i] = float64(i)
		}
		p.X.Label.Text, p.X.Tick.Marker = "setting", plot.TickerFunc(wholeTicks)
	}
	shown := closeToBest(t)
	lowest, highest := math.Inf(1), math.Inf(-1)
	for i := range t.Settings {
		if shown[i] {
			lowest, highest = min(lowest, *t.Settings[i].Score), max(highest, *t.Settings[i].Score)
		}
	}
	span(&p.Y, lowest, highest)
	lowest, highest = p.Y.Min, p.Y.Max
	tints := [4]tint{firstTint, secondTint, thirdTint, faintTint} // from the last rung back
	for r := range t.Rungs {
		back := min(len(t.Rungs)-1-r, len(tints)-1)
		var dots plotter.XYs
		for i, s := range t.Settings {
			if s.Rung == r+1 && shown[i] {
				dots = append(dots, plotter.XY{X: x[i], Y: *s.Score})
			}
		}
		if len(dots) == 0 {
			continue
		}
		scatter, err := plotter.NewScatter(dots)
		if err != nil {
			return d, err
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: tints[back], Radius: vg.Length(3.4 - 0.4*float64(back)), Shape: draw.CircleGlyph{}}
		p.Add(scatter)
		d.Legend = append(d.Legend, key{[4]string{"s1 dot", "s2 dot", "s3 dot", "faint dot"}[back], "after " + rungLength(t.Rungs[r])})
	}
	ring := func(at int, t tint, k key, score *float64) error {
		d.Legend = append(d.Legend, k)
		return circle(p, t, 6, plotter.XYs{{X: x[at], Y: *score}})
	}
	if t.Chosen != 0 && shown[0] {
		if err := ring(0, fourthTint, key{"s4 ring", "default"}, t.Default().Score); err != nil {
			return d, err
		}
	}
	if chosen := (key{"s1 ring", "chosen"}); shown[t.Chosen] {
		if t.Chosen == 0 {
			chosen.Text = "default, chosen"
		}
		if err := ring(t.Chosen, firstTint, chosen, t.Best().Score); err != nil {
			return d, err
		}
	}
	if hidden := len(shown) - countTrue(shown); hidden > 0 {
		d.Legend = append(d.Legend, key{"none", fmt.Sprintf("not drawn: %d far worse", hidden)})
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = slices.Min(x)-0.05, slices.Max(x)+0.05, lowest, highest
	var err error
	d.SVG, err = render(p, plotWidth, plotHeight, d.ID, "Score of each setting over its "+p.X.Label.Text, summarizeTuning(t)+".")
	return d, err
}

// closeToBest says which settings to draw.
func closeToBest(t *rundir.Tuning) []bool {
	scores := make([]float64, len(t.Settings))
	for i, s := range t.Settings {
		scores[i] = value(s.Score)
	}
	return closeTo(value(t.Best().Score), scores)
}

// value is a number that may be missing, as NaN.
func value(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func countTrue(flags []bool) (n int) {
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}

// powersOfTen are ticks at whole logarithms.
func powersOfTen(lowest, highest float64) []plot.Tick {
	var all []plot.Tick
	for power := math.Ceil(lowest - 1e-9); power <= highest+1e-9; power++ {
		all = append(all, plot.Tick{Value: power, Label: fmt.Sprintf("1e%g", power)})
	}
	return all
}

// tuningGrid lists the settings: those of the last rung first, and within a rung
// the best first.
func tuningGrid(t *rundir.Tuning) grid {
	g := grid{Caption: "Settings tried", Words: 1, Header: []string{"setting", "lr", "l2", "dropout", "units", "trained for", t.Monitor}}
	worse := 1.0
	if !metrics.LowerIsBetter(strings.TrimPrefix(t.Monitor, "val_")) {
		worse = -1
	}
	rank := func(i int) float64 {
		if s := t.Settings[i].Score; s != nil {
			return worse * *s
		}
		return math.Inf(1)
	}
	order := make([]int, len(t.Settings))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(t.Settings[b].Rung, t.Settings[a].Rung), cmp.Compare(rank(a), rank(b)))
	})
	for _, i := range order {
		s, name := t.Settings[i], strconv.Itoa(i)
		if i == 0 {
			name += ", default"
		}
		if i == t.Chosen {
			name += ", chosen"
		}
		length := ""
		if s.Rung > 0 && s.Rung <= len(t.Rungs) {
			length = rungLength(t.Rungs[s.Rung-1])
		}
		g.Rows = append(g.Rows, []string{name, number(s.LearningRate), number(s.L2), number(s.Dropout), widths(s.Units), length, score(s)})
	}
	return g
}
