package report

import (
	"html/template"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A plot is as wide as a phone, so that its numbers can be read there.
const (
	plotWidth  = 340
	plotHeight = 240
	plotSquare = 310 // the height if both axes go from 0 to 1
	plotText   = 12
)

// drawing is a plot in the page, with a legend that can wrap and the same data as
// a table for those who cannot see the plot.
type drawing struct {
	ID, Title string
	SVG       template.HTML
	Legend    []key
	Data      grid
}

// key is an entry of a legend.
type key struct {
	Class string // CSS class: the line's colour and dashes
	Text  string
}

// grid is a table. Its first columns are words, the others numbers.
type grid struct {
	Caption string
	Words   int // columns of words, at least 1
	Header  []string
	Rows    [][]string
}

// series is a line of a plot. It has gaps at values that are not finite.
type series struct {
	x, y  []float64
	tint  tint
	width vg.Length
	dash  []vg.Length
	dots  bool
}

// newPlot is an empty plot with axes in the page's colours.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.LineStyle = draw.LineStyle{Color: axisTint, Width: 1}
		axis.Tick.Length = 0
		axis.Label.Padding = 7
		style(&axis.Label.TextStyle)
		style(&axis.Tick.Label)
		axis.Tick.Marker = plot.TickerFunc(func(lowest, highest float64) []plot.Tick { return ticks(lowest, highest, 5) })
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.X.Tick.Length, p.X.Tick.LineStyle = 4, p.X.LineStyle
	p.Y.LineStyle.Width = 0
	p.Y.Tick.Label.YAlign = -0.4 // centre on the digits rather than on their line
	lines := plotter.NewGrid()
	lines.Horizontal = draw.LineStyle{Color: gridTint, Width: 1}
	lines.Vertical.Color = nil
	p.Add(lines)
	return p
}

// style sets the font. Liberation Sans is as wide as Helvetica and Arial, so text
// that is measured here fits in the page.
func style(s *text.Style) {
	s.Color = inkTint
	s.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: plotText}
}

// ticks are about n round numbers from lowest to highest.
func ticks(lowest, highest float64, n int) []plot.Tick {
	span := highest - lowest
	if !(span > 0) || math.IsInf(span, 0) {
		return nil
	}
	step := stride(span, n)
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var all []plot.Tick
	// Adding zero turns -0 into 0.
	for k := math.Ceil(lowest/step-1e-9) + 0; k*step <= highest+step*1e-9; k++ {
		label := strconv.FormatFloat(k*step, 'f', digits, 64)
		if digits > 3 {
			label = strconv.FormatFloat(k*step, 'g', 3, 64)
		}
		all = append(all, plot.Tick{Value: k * step, Label: label})
	}
	return all
}

// stride is a round number that fits into a span about n times and at most n
// times.
func stride(span float64, n int) float64 {
	step := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, factor := range []float64{1, 2, 5} {
		if span/(step*factor) <= float64(n) {
			return step * factor
		}
	}
	return step * 10
}

// add draws a series, in pieces if it has gaps.
func add(p *plot.Plot, s series) error {
	var piece plotter.XYs
	flush := func() error {
		defer func() { piece = nil }()
		if len(piece) > 1 {
			line, err := plotter.NewLine(piece)
			if err != nil {
				return err
			}
			line.LineStyle = draw.LineStyle{Color: s.tint, Width: s.width, Dashes: s.dash}
			p.Add(line)
		}
		if len(piece) == 0 || len(piece) > 1 && !s.dots {
			return nil
		}
		dots, err := plotter.NewScatter(piece)
		if err != nil {
			return err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: s.tint, Radius: 2.2, Shape: draw.CircleGlyph{}}
		p.Add(dots)
		return nil
	}
	for i := range s.x {
		if finite(s.x[i]) && finite(s.y[i]) {
			piece = append(piece, plotter.XY{X: s.x[i], Y: s.y[i]})
		} else if err := flush(); err != nil {
			return err
		}
	}
	return flush()
}

// unit sets both axes from 0 to 1.
func unit(p *plot.Plot) {
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
}

// rule draws a straight reference line.
func rule(p *plot.Plot, x0, y0, x1, y1 float64) error {
	return add(p, series{x: []float64{x0, x1}, y: []float64{y0, y1}, tint: faintTint, width: 1.25, dash: []vg.Length{4, 4}})
}

// ring is an unfilled circle.
type ring struct{}

// DrawGlyph implements draw.GlyphDrawer.
func (ring) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: s.Color, Width: 1.75})
	var circle vg.Path
	circle.Move(vg.Point{X: at.X + s.Radius, Y: at.Y})
	circle.Arc(at, s.Radius, 0, 2*math.Pi)
	circle.Close()
	c.Stroke(circle)
}

// circle draws rings around points.
func circle(p *plot.Plot, t tint, radius vg.Length, points plotter.XYs) error {
	if len(points) == 0 {
		return nil
	}
	rings, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	rings.GlyphStyle = draw.GlyphStyle{Color: t, Radius: radius, Shape: ring{}}
	p.Add(rings)
	return nil
}
