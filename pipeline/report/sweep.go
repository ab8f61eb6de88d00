package report

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tftl/pipeline"
)

// Sweep is what a stage lost at several learning rates.
type Sweep struct {
	Stage     string
	Steps     int // at each rate
	Points    []pipeline.SweepPoint
	Suggested float64 // one of the rates
}

// WriteTable writes a line per rate, and then the suggested one as an option that
// spell spells.
func (s Sweep) WriteTable(w io.Writer, spell pipeline.Spelling) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "lr\tval_loss")
	for _, p := range s.Points {
		mark := ""
		if p.LearningRate == s.Suggested {
			mark = "\tsuggested"
		}
		fmt.Fprintf(table, "%.1e\t%.4f%s\n", p.LearningRate, p.Loss, mark)
	}
	fmt.Fprintf(table, "suggested: %s %.1e\n", spell(pipeline.Option("lr")), s.Suggested)
	return table.Flush()
}

// MarshalJSON writes every rate with its loss: null if that is not finite.
func (s Sweep) MarshalJSON() ([]byte, error) {
	type point struct {
		LearningRate float64  `json:"lr"`
		Loss         *float64 `json:"val_loss"`
	}
	tried := make([]point, len(s.Points))
	for i, p := range s.Points {
		tried[i] = point{p.LearningRate, orNull(p.Loss)}
	}
	return marshal(struct {
		Stage     string  `json:"stage"`
		Steps     int     `json:"steps"`
		Suggested float64 `json:"suggested"`
		Tried     []point `json:"tried"`
	}{s.Stage, s.Steps, s.Suggested, tried})
}

// Plot draws the loss against the learning rate, and marks the suggested rate. The
// format is png or svg.
func (s Sweep) Plot(w io.Writer, format string) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("validation loss after a short training: %.1e suggested", s.Suggested)
	p.X.Label.Text, p.Y.Label.Text = "learning rate", "validation loss"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	var losses plotter.XYs
	lowest := math.Inf(1)
	for _, point := range s.Points {
		if !math.IsInf(point.Loss, 0) {
			losses = append(losses, plotter.XY{X: point.LearningRate, Y: point.Loss})
			lowest = min(lowest, point.Loss)
		}
	}
	// A loss that explodes would flatten the rest of the curve.
	highest := max(2*losses[0].Y, lowest+1)
	losses = slices.DeleteFunc(losses, func(p plotter.XY) bool { return p.Y > highest })
	curve, marks, err := plotter.NewLinePoints(losses)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	blue := color.RGBA{0, 114, 178, 255}
	curve.Color, curve.Width, marks.Color, marks.Shape = blue, vg.Points(2), blue, draw.CircleGlyph{}
	suggested, err := plotter.NewLine(plotter.XYs{{X: s.Suggested, Y: 0}, {X: s.Suggested, Y: highest}})
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	suggested.Color, suggested.Dashes = color.RGBA{213, 94, 0, 255}, []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(plotter.NewGrid(), curve, marks, suggested)
	p.X.Min, p.X.Max, p.Y.Min = s.Points[0].LearningRate, s.Points[len(s.Points)-1].LearningRate, 0
	canvas, err := p.WriterTo(16*vg.Centimeter, 10*vg.Centimeter, format)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	_, err = canvas.WriteTo(w)
	return err
}

// decades are ticks at the powers of ten, as 1e-4; gonum's own round them.
type decades struct{}

func (decades) Ticks(least, most float64) []plot.Tick {
	var ticks []plot.Tick
	for power := math.Ceil(math.Log10(least) - 1e-9); power <= math.Log10(most)+1e-9; power++ {
		ticks = append(ticks, plot.Tick{Value: math.Pow(10, power), Label: fmt.Sprintf("1e%g", power)})
	}
	return ticks
}
