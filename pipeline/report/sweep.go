package report

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tftl/pipeline"
)

// Sweep plots the loss against the learning rate, and marks the suggested rate.
// The format is png or svg.
func Sweep(w io.Writer, format string, points []pipeline.SweepPoint, rate float64) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("validation loss after a short training: %.1e suggested", rate)
	p.X.Label.Text, p.Y.Label.Text = "learning rate", "validation loss"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	var losses plotter.XYs
	lowest := math.Inf(1)
	for _, point := range points {
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
	suggested, err := plotter.NewLine(plotter.XYs{{X: rate, Y: 0}, {X: rate, Y: highest}})
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	suggested.Color, suggested.Dashes = color.RGBA{213, 94, 0, 255}, []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(plotter.NewGrid(), curve, marks, suggested)
	p.X.Min, p.X.Max, p.Y.Min = points[0].LearningRate, points[len(points)-1].LearningRate, 0
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
