package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"tftl/pipeline/metrics"
)

// Varied is an option that differs between the runs of a batch.
type Varied struct {
	Name   string
	Values []string // of each run; empty if a run does not set it
}

// mark is where a value is on the horizontal axis.
type mark struct {
	at   float64
	text string
}

// marks places each run's value: numbers by size, on a logarithmic axis if they span
// decades, and anything else side by side in the order of the file.
func (v Varied) marks() (marks []mark, log bool) {
	marks = make([]mark, len(v.Values))
	least, most := math.Inf(1), 0.0 // of the positive numbers
	for i, text := range v.Values {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !finite(n) {
			return v.categories(), false
		}
		marks[i] = mark{n, text}
		if n > 0 {
			least, most = min(least, n), max(most, n)
		}
		log = log || n < 0 // for now: there are negative numbers
	}
	if log = !log && most >= 10*least; log {
		for i, m := range marks {
			marks[i].at = math.Log10(m.at)
			if m.at == 0 { // a decade below the others
				marks[i].at = math.Log10(least) - 1
			}
		}
	}
	return marks, log
}

func (v Varied) categories() []mark {
	var known []string
	marks := make([]mark, len(v.Values))
	for i, text := range v.Values {
		at := slices.Index(known, text)
		if at < 0 {
			at = len(known)
			known = append(known, text)
		}
		marks[i] = mark{float64(at), shorten(cmp.Or(text, "default"), nameRunes)}
	}
	return marks
}

// drawVaried draws the ranking metric of each run over the values of an option, and
// a line through their means.
func (b Batch) drawVaried(number int, v Varied) (drawing, error) {
	by := b.Ranking.By
	d := drawing{ID: "plot-varied-" + strconv.Itoa(number), Title: by + " by " + v.Name}
	marks, log := v.marks()
	scores := make([]float64, len(b.Runs))
	for i, run := range b.Runs {
		scores[i] = run.Validation(by)
	}
	shown := closeTo(best(scores, metrics.LowerIsBetter(strings.TrimPrefix(by, "val_"))), scores)
	places := slices.Clone(marks)
	slices.SortStableFunc(places, func(a, b mark) int { return cmp.Compare(a.at, b.at) })
	places = slices.CompactFunc(places, func(a, b mark) bool { return a.at == b.at })

	var dots plotter.XYs
	var drawnAt []mark
	means := series{tint: secondTint, width: 2, dots: true}
	d.Data = grid{Caption: d.Title, Words: 1, Header: []string{v.Name, "runs", "mean " + by, "lowest", "highest"}}
	for _, place := range places {
		var drawn, all []float64
		for i, m := range marks {
			if m.at != place.at || !finite(scores[i]) {
				continue
			}
			all = append(all, scores[i])
			if shown[i] {
				drawn = append(drawn, scores[i])
				dots = append(dots, plotter.XY{X: m.at, Y: scores[i]})
			}
		}
		if len(drawn) > 0 {
			drawnAt = append(drawnAt, place)
			means.x, means.y = append(means.x, place.at), append(means.y, metrics.MeanOver(by, drawn).Value)
		}
		row := []string{place.text, strconv.Itoa(len(all)), decimals(metrics.MeanOver(by, all).Value), undefined, undefined}
		if len(all) > 0 {
			row[3], row[4] = decimals(slices.Min(all)), decimals(slices.Max(all))
		}
		d.Data.Rows = append(d.Data.Rows, row)
	}
	if len(dots) == 0 {
		return drawing{}, nil
	}
	label := v.Name
	if log {
		label += ", logarithmic"
	}
	p := newPlot(label, "")
	scatter, err := plotter.NewScatter(dots)
	if err != nil {
		return d, err
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: firstTint, Radius: 2.6, Shape: draw.CircleGlyph{}}
	p.Add(scatter)
	d.Legend = []key{{"s1 dot", "run"}, {"s2", "mean"}}
	lowest, highest := dots[0].Y, dots[0].Y
	for _, dot := range dots {
		lowest, highest = min(lowest, dot.Y), max(highest, dot.Y)
	}
	if err := add(p, means); err != nil {
		return d, err
	}
	span(&p.Y, lowest, highest)
	d.Legend = append(d.Legend, placeTicks(p, drawnAt)...)
	if hidden := len(scores) - countTrue(shown); hidden > 0 {
		d.Legend = append(d.Legend, key{"none", fmt.Sprintf("not drawn: %d far worse or without a value", hidden)})
	}
	description := ""
	for _, row := range d.Data.Rows {
		description += fmt.Sprintf("%s %s: mean %s of %s runs. ", v.Name, row[0], row[2], row[1])
	}
	d.SVG, err = render(p, plotWidth, plotHeight, d.ID, d.Title, description)
	return d, err
}

// placeTicks labels the places of values. Labels that are too long to stand side by
// side are numbers, which the keys explain; those too close to another are left out.
func placeTicks(p *plot.Plot, places []mark) (keys []key) {
	const wide = 46 // letters that fit below a plot
	first, last := places[0].at, places[len(places)-1].at
	margin := max((last-first)*0.06, 0.05)
	p.X.Min, p.X.Max = first-margin, last+margin
	letters := 0
	for _, place := range places {
		letters += utf8.RuneCountInString(place.text) + 1
	}
	_, err := strconv.ParseFloat(places[0].text, 64)
	names := err != nil && letters > wide
	var ticks []plot.Tick
	free := math.Inf(-1)
	for i, place := range places {
		text := place.text
		if names {
			text = strconv.Itoa(i + 1)
			keys = append(keys, key{"none", text + ": " + place.text})
		}
		half := (p.X.Max - p.X.Min) * float64(utf8.RuneCountInString(text)+1) / wide / 2
		if place.at-half < free {
			text = ""
		} else {
			free = place.at + half
		}
		ticks = append(ticks, plot.Tick{Value: place.at, Label: text})
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	return keys
}

// best is the best of scores, or NaN if none is finite.
func best(scores []float64, lower bool) float64 {
	found := math.NaN()
	for _, s := range scores {
		if finite(s) && !(s >= found && lower || s <= found && !lower) {
			found = s
		}
	}
	return found
}

// closeTo says which scores to draw. One that is much further from the best than
// most would flatten the others.
func closeTo(best float64, scores []float64) []bool {
	distances := make([]float64, len(scores))
	for i, s := range scores {
		distances[i] = math.Abs(s - best)
		if !finite(distances[i]) {
			distances[i] = math.Inf(1)
		}
	}
	limit := 3 * slices.Sorted(slices.Values(distances))[len(scores)/2]
	shown := make([]bool, len(scores))
	for i, d := range distances {
		shown[i] = finite(d) && (d <= limit || limit == 0)
	}
	return shown
}
