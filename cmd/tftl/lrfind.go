package main

import (
	"context"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
	"tftl/savedmodels"
)

// lrFindOptions are what `tftl lr-find` was asked for. The part that it shares
// with fit is a run's that is never written down.
type lrFindOptions struct {
	fitOptions
	least, most  float64
	rates, steps int
	picture      string
}

func newLRFindCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`DIR` that scripts/export.py wrote"},
		&cli.StringFlag{Name: "init-from", Usage: "begin with the best weights of the run in `DIR`, which a stage below the head should; its model is the default"},
		&cli.StringFlag{Name: "stage", Value: "head", Usage: "what is trained: the `NAME` of one stage"},
		&cli.Float64Flag{Name: "lr-min", Value: 1e-6, Usage: "the first rate that is tried"},
		&cli.Float64Flag{Name: "lr-max", Value: 0.1, Usage: "the last one"},
		&cli.IntFlag{Name: "rates", Value: 16, Usage: "how many are tried, each the same factor above the one before"},
		&cli.IntFlag{Name: "steps", Value: 30, Usage: "of training at each"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "draw the loss against the rate into `FILE`, .png or .svg"},
		&cli.BoolFlag{Name: "json", Usage: "every rate and its loss, as one JSON document"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "as fit has it", Category: trainFlags},
	}
	return &cli.Command{
		Name:  "lr-find",
		Usage: "find a learning rate by short trainings at many",
		Description: `Trains for a few steps at each of many rates, always from the same weights and on the
batches that tftl fit would take, and suggests the rate that with its two neighbours
leaves the lowest loss on the validation part, in the mean. On cached features that takes
seconds, and it fills the cache for the run that follows.

   tftl lr-find --data photos --model savedmodels/vgg16 --output rates.png`,
		Flags: slices.Concat(fitDataFlags(), flags, choiceFlags(), sourceFlags(), []cli.Flag{newBadImageFlag()}, newHyperFlags(), newCacheFlags(), batchFlags(), runtimeFlags()),
		Action: func(c *cli.Context) error {
			o, err := newLRFindOptions(c)
			if err != nil {
				return err
			}
			r, err := resolveRuntime(c)
			if err != nil {
				return err
			}
			return runLRFind(c.Context, newTerminal(c), o, r)
		},
	}
}

func newLRFindOptions(c *cli.Context) (o lrFindOptions, err error) {
	if err := noArguments(c); err != nil {
		return o, err
	}
	if err := requireDataAndModel(c); err != nil {
		return o, err
	}
	if err := atLeast(c, 0, "workers"); err != nil {
		return o, err
	}
	if err := atLeast(c, 2, "rates"); err != nil {
		return o, err
	}
	if err := atLeast(c, 1, "batch-size", "steps"); err != nil {
		return o, err
	}
	o = lrFindOptions{least: c.Float64("lr-min"), most: c.Float64("lr-max"), rates: c.Int("rates"), steps: c.Int("steps"), picture: c.String("output")}
	if !(o.least > 0 && o.most > o.least && !math.IsInf(o.most, 0)) {
		return o, pipeline.Errorf(pipeline.BadUsage, "--lr-min %v, --lr-max %v: rates must rise from above 0", o.least, o.most)
	}
	if extension := strings.ToLower(filepath.Ext(o.picture)); o.picture != "" && extension != ".png" && extension != ".svg" {
		return o, pipeline.Errorf(pipeline.BadUsage, "--output %q: must end in .png or .svg", o.picture)
	}
	if err := checkOutput("output", o.picture); err != nil {
		return o, err
	}
	units, err := parseUnits(c.String("units"))
	if err != nil {
		return o, err
	}
	o.workers, o.json, o.epochs = c.Int("workers"), c.Bool("json"), 1
	o.config = rundir.Config{
		Seed: c.Uint64("seed"), Model: rundir.Model{Path: c.String("model"), Units: units},
		Training: rundir.Training{BatchSize: c.Int("batch-size"), Hyper: newHyper(c), Stages: []rundir.Stage{{Name: c.String("stage")}}},
	}
	if err := checkHyper(o.config.Training.Hyper, 0); err != nil {
		return o, err
	}
	if run := c.String("init-from"); run != "" {
		if err := o.initFrom(c, run); err != nil {
			return o, err
		}
	}
	if o.cache, err = newCacheOptions(c); err != nil {
		return o, err
	}
	if o.config.Data, err = configureData(c); err != nil {
		return o, err
	}
	o.config.Data.OnBadImage, err = onBadImage(c)
	return o, err
}

// runLRFind is the command without its command line.
func runLRFind(ctx context.Context, t terminal, o lrFindOptions, r *savedmodels.Runtime) error {
	model, err := loadForTraining(o.config.Model.Path, r)
	if err != nil {
		return err
	}
	if err := o.resolve(model); err != nil {
		return err
	}
	set, err := dataset.Open(o.config.Data.Path, datasetOptions(o.config))
	if err != nil {
		return err
	}
	t.describe(set)
	if o.config.Data.OnBadImage == skipBadImages {
		if _, err := screenSet(ctx, t, set, o.workers); err != nil {
			return err
		}
	}
	if err := o.checkInitFrom(t, set.Classes); err != nil {
		return err
	}
	points, err := o.sweep(ctx, t, model, set)
	if err != nil {
		return err
	}
	rate, ok := schedule.Suggest(points)
	if !ok {
		return pipeline.WithHint(pipeline.Errorf(pipeline.Diverged, "training diverged at every rate from %g to %g", o.least, o.most), "try a smaller --lr-min")
	}
	if rate == points[0].LearningRate || rate == points[len(points)-1].LearningRate {
		t.warn("the suggested rate is at the end of those that were tried: --lr-min or --lr-max should go further")
	}
	if o.picture != "" {
		if err := writeSweep(o.picture, points, rate); err != nil {
			return err
		}
	}
	return writeLRFindResult(t, o, points, rate)
}

func writeLRFindResult(t terminal, o lrFindOptions, points []pipeline.SweepPoint, rate float64) error {
	if o.json {
		tried := make([]map[string]any, len(points))
		for i, p := range points {
			tried[i] = map[string]any{"lr": p.LearningRate, "val_loss": nil} // JSON has no infinity
			if !math.IsInf(p.Loss, 0) {
				tried[i]["val_loss"] = p.Loss
			}
		}
		return writeJSON(t.out, map[string]any{"suggested": rate, "stage": o.config.Training.Stages[0].Name, "steps": o.steps, "tried": tried})
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "lr\tval_loss")
	for _, p := range points {
		mark := ""
		if p.LearningRate == rate {
			mark = "\tsuggested"
		}
		fmt.Fprintf(table, "%.1e\t%.4f%s\n", p.LearningRate, p.Loss, mark)
	}
	fmt.Fprintf(table, "suggested: --lr %.1e\n", rate)
	return table.Flush()
}

// sweep runs the frozen pass, where it is not cached, and the short trainings.
func (o *lrFindOptions) sweep(ctx context.Context, t terminal, model *savedmodels.Model, set *dataset.Set) ([]pipeline.SweepPoint, error) {
	decoder, err := newDecoder(model.Description.Input, o.workers)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	progress := newProgress(t, rundir.Dir{})
	defer progress.end()
	inputs := newInputs(t, o.fitOptions, model, set, decoder, progress)
	defer inputs.close()
	name := o.config.Training.Stages[0].Name
	stage, err := model.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer stage.Close()
	train, validation, err := inputs.open(ctx, name, stage)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "tftl-lr-find-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	return pipeline.Sweep{
		Plan: o.plan(set), Hyper: o.config.Training.Hyper, Rates: schedule.Range(o.least, o.most, o.rates), Steps: o.steps,
		Checkpoint: filepath.Join(work, "ckpt"), Progress: progress.event,
		Loss: func(predictions []pipeline.Prediction) float64 { return metrics.Basic(predictions)[0].Value },
	}.Run(ctx, stage, train, validation)
}

// writeSweep draws the loss against the rate, and where the suggested one is.
func writeSweep(path string, points []pipeline.SweepPoint, rate float64) error {
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
	// What explodes would press the rest of the curve flat.
	highest := max(2*losses[0].Y, lowest+1)
	losses = slices.DeleteFunc(losses, func(p plotter.XY) bool { return p.Y > highest })
	curve, marks, err := plotter.NewLinePoints(losses)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	blue := color.RGBA{0, 114, 178, 255}
	curve.Color, curve.Width, marks.Color, marks.Shape = blue, vg.Points(2), blue, draw.CircleGlyph{}
	suggested, err := plotter.NewLine(plotter.XYs{{X: rate, Y: 0}, {X: rate, Y: highest}})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	suggested.Color, suggested.Dashes = color.RGBA{213, 94, 0, 255}, []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(plotter.NewGrid(), curve, marks, suggested)
	p.X.Min, p.X.Max, p.Y.Min = points[0].LearningRate, points[len(points)-1].LearningRate, 0
	canvas, err := p.WriterTo(16*vg.Centimeter, 10*vg.Centimeter, strings.ToLower(strings.TrimPrefix(filepath.Ext(path), ".")))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := canvas.WriteTo(w)
		return err
	})
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
