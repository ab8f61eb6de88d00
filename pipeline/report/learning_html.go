package report

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// HTML writes the curve as one page.
func (c LearningCurve) HTML(w io.Writer) error {
	r := c.Found
	p := learningPage{
		Data: display(filepath.Base(c.Data)), Metric: c.metric(), Words: c.sentences(), Legend: c.legend(),
		Subtitle: fmt.Sprintf("%s for training, %s, %s", count(r.Training, "image"), count(r.Images, "validation image"), count(len(r.Heads), "head")),
		Model:    display(filepath.Base(c.Model)),
		Expected: grid{Caption: "Expected " + c.metric() + ", with 95% intervals", Words: 1, Header: c.header(), Rows: c.rows()},
	}
	var err error
	if p.Curve, err = c.draw(); err != nil {
		return err
	}
	p.Classes = grid{Caption: "Recall of each class, with twice as many images of all", Words: 1, Header: []string{"class", "validation images", "now", "expected", "here", "gain", "interval"}}
	for _, class := range r.Classes {
		row := []string{shorten(class.Name, nameRunes), strconv.Itoa(class.Validation), undefined, undefined, "", undefined, ""}
		if k := class.Recall; k != nil {
			row = append(row[:2], fixed(k.Now, 3), fixed(k.Twice.Value, 3), interval(k.Twice.Here[0], k.Twice.Here[1]), fixed(k.Gain, 3), interval(k.Interval[0], k.Interval[1]))
		}
		p.Classes.Rows = append(p.Classes.Rows, row)
	}
	if c.Test != nil {
		p.Test = TestSet{*c.Test}.sentences()
		p.Needed = grid{Caption: "Test images for an interval of each class’s recall", Words: 1, Header: []string{"class", "recall", "images"}}
		for _, class := range c.Test.Classes {
			p.Needed.Rows = append(p.Needed.Rows, []string{shorten(class.Class, nameRunes), fixed(class.Value, 3), strconv.Itoa(class.Images)})
		}
	}
	return execute(w, "learning.tmpl", p)
}

type learningPage struct {
	Data, Model, Metric, Subtitle, Legend string
	Words, Test                           []string
	Curve                                 drawing
	Expected, Classes, Needed             grid
}

// draw draws every head, the fitted curve and what is predicted.
func (c LearningCurve) draw() (drawing, error) {
	d := drawing{ID: "plot-learning", Title: "Validation " + c.metric() + " over training images", Legend: []key{
		{"faint ring", "a head"}, {"s1", "fitted curve"}, {"fill", "its 95% interval"}, {"s2", "95% of heads with more images"},
	}}
	d.Data = grid{Caption: "Mean over the seeds, by training images", Words: 1, Header: []string{"images", "heads", c.metric(), "least", "most", "loss"}}
	p := newPlot("training images", c.metric())
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, doublings{float64(c.Found.Training)}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = math.Inf(1), 0, 1, 0
	var upper, lower plotter.XYs
	line := series{tint: firstTint, width: 2}
	for _, point := range c.Found.Curve {
		x := float64(point.Images)
		upper, lower = append(upper, plotter.XY{X: x, Y: point.Around[1]}), append(lower, plotter.XY{X: x, Y: point.Around[0]})
		line.x, line.y = append(line.x, x), append(line.y, point.Value)
		p.X.Min, p.X.Max = min(p.X.Min, x), max(p.X.Max, x)
		p.Y.Min, p.Y.Max = min(p.Y.Min, point.Around[0]), max(p.Y.Max, point.Around[1])
	}
	slices.Reverse(lower)
	band, err := plotter.NewPolygon(append(upper, lower...))
	if err != nil {
		return d, err
	}
	band.Color, band.LineStyle.Width = fillTint, 0
	p.Add(band)
	if err := add(p, line); err != nil {
		return d, err
	}
	if err := c.heads(p, &d.Data); err != nil {
		return d, err
	}
	description := fmt.Sprintf("%s: %s with %d images. ", c.metric(), fixed(c.Found.Now.Value, 3), c.Found.Now.Images)
	for _, v := range c.Found.Expected {
		x := float64(v.Images)
		whisker := series{x: []float64{x, x}, y: []float64{v.Here[0], v.Here[1]}, tint: secondTint, width: 2.5}
		middle := series{x: []float64{x}, y: []float64{v.Value}, tint: secondTint}
		for _, s := range []series{whisker, middle} {
			if err := add(p, s); err != nil {
				return d, err
			}
		}
		p.Y.Min, p.Y.Max = min(p.Y.Min, v.Here[0]), max(p.Y.Max, v.Here[1])
		description += fmt.Sprintf("%s expected with %d, %s. ", fixed(v.Value, 3), v.Images, interval(v.Here[0], v.Here[1]))
	}
	margin := max(0.05*(p.Y.Max-p.Y.Min), 0.005)
	p.Y.Min, p.Y.Max = max(p.Y.Min-margin, 0), min(p.Y.Max+margin, 1)
	p.X.Max *= 1.1
	d.SVG, err = render(p, plotWidth, plotHeight, d.ID, d.Title, description)
	return d, err
}

// heads draws a ring for each head, and lists their means.
func (c LearningCurve) heads(p *plot.Plot, data *grid) error {
	at := map[int][]float64{}
	losses := map[int]float64{}
	var sizes []int
	var dots plotter.XYs
	for _, h := range c.Found.Heads {
		if h.Diverged {
			continue
		}
		v := h.Value(c.Found.Metric)
		if at[h.Images] == nil {
			sizes = append(sizes, h.Images)
		}
		at[h.Images] = append(at[h.Images], v)
		losses[h.Images] += h.Loss
		p.Y.Min, p.Y.Max = min(p.Y.Min, v), max(p.Y.Max, v)
		dots = append(dots, plotter.XY{X: float64(h.Images), Y: v})
	}
	slices.Sort(sizes)
	for _, n := range sizes {
		sum := 0.0
		for _, v := range at[n] {
			sum += v
		}
		heads := float64(len(at[n]))
		data.Rows = append(data.Rows, []string{strconv.Itoa(n), strconv.Itoa(len(at[n])), fixed(sum/heads, 3), fixed(slices.Min(at[n]), 3), fixed(slices.Max(at[n]), 3), fixed(losses[n]/heads, 3)})
	}
	return circle(p, faintTint, 3, dots)
}

// doublings are ticks at a number times powers of two.
type doublings struct{ of float64 }

// Ticks implements plot.Ticker.
func (d doublings) Ticks(least, most float64) (all []plot.Tick) {
	for k := math.Ceil(math.Log2(least/d.of) - 1e-9); d.of*math.Pow(2, k) <= most; k++ {
		at := d.of * math.Pow(2, k)
		all = append(all, plot.Tick{Value: at, Label: strconv.FormatFloat(at, 'f', 0, 64)})
	}
	return all
}
