package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl"
	"tftl/internal/printable"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/pixels"
	"tftl/pipeline/workflow"
	"tftl/savedmodels"
)

const (
	calibrationImages = 64
	calibrationBatch  = 8
)

// calibrateOptions are the flags of tftl calibrate.
type calibrateOptions struct {
	data    string
	dataset dataset.Options
	model   string
	output  string
	workers int
	session workflow.Session
	json    bool
}

func newCalibrateCommand() *cli.Command {
	return &cli.Command{
		Name:  "calibrate",
		Usage: "prepare an exported network for --precision int8",
		Description: fmt.Sprintf(`Measures how large the network's activations get on %d images of the training part, and
writes a copy of the network that knows. With it, tftl fit --precision int8 computes
the frozen part in int8. One calibration serves other data sets of photographs too.

   tftl calibrate --model savedmodels/vgg16 --data photos \
      --output savedmodels/vgg16-int8
   tftl fit --precision int8 --model savedmodels/vgg16-int8 --data photos`, calibrationImages),
		Flags: slices.Concat(
			[]cli.Flag{
				dataFlag(""), modelFlag("calibrate the network in `DIR`, written by tftl-export"), outputFlag("write the copy to `DIR`", ""),
				seedFlag("the choice of images and --split-exact", dataFlags), workersFlag(), threadsFlag(), trustFlag(), jsonFlag(resultAsJSON),
			},
			partFlags(), choiceFlags(), sourceFlags(), commonFlags(),
		),
		Action: func(c *cli.Context) error {
			o, err := newCalibrateOptions(c)
			if err != nil {
				return err
			}
			return runCalibrate(c.Context, newTerminal(c), o)
		},
	}
}

func newCalibrateOptions(c *cli.Context) (o calibrateOptions, err error) {
	if err := noArguments(c); err != nil {
		return o, err
	}
	if err := requireFlags(c, "data", "model", "output"); err != nil {
		return o, err
	}
	if err := within(c, 0, pipeline.MaxWorkers, "workers"); err != nil {
		return o, err
	}
	o = calibrateOptions{data: c.String("data"), model: c.String("model"), output: c.String("output"), workers: c.Int("workers"), json: c.Bool("json")}
	// What is measured are the values that float32 has.
	o.session = workflow.Session{Precision: string(savedmodels.Float32), Device: "cpu", Threads: c.Int("threads"), Trust: c.Bool("trust-model")}
	if o.dataset, err = newDatasetOptions(c); err != nil {
		return o, err
	}
	if entries, err := os.ReadDir(o.output); len(entries) > 0 || err != nil && !os.IsNotExist(err) {
		return o, invalid("output", o.output, "exists; choose another folder or remove it")
	}
	return o, checkFolder("output", o.output)
}

// runCalibrate runs the command, after its flags are parsed.
func runCalibrate(ctx context.Context, t terminal, o calibrateOptions) error {
	r, err := tftl.Resolve(o.session)
	if err != nil {
		return err
	}
	model, err := savedmodels.Load(o.model, r)
	if err == nil {
		err = model.Trainable()
	}
	if err != nil {
		return err
	}
	set, err := dataset.Open(o.data, o.dataset)
	if err != nil {
		return err
	}
	env, shown := environment(t)
	env.DescribeData(set)
	decoder, err := newDecoder(model.Description.Input, o.workers)
	if err != nil {
		return err
	}
	defer decoder.Close()
	chosen := pipeline.Order(o.dataset.Seed, 1, set.Train.Len())
	chosen = chosen[:min(len(chosen), calibrationImages)]
	source, done := pixels.Source{Encoded: set.Train, Decoder: decoder}, 0
	err = model.Calibrate(ctx, o.output, func(use func(pipeline.Batch) error) error {
		for some := range slices.Chunk(chosen, calibrationBatch) {
			batch, err := source.Batch(ctx, 0, some)
			if err == nil {
				err = use(batch)
			}
			if err != nil {
				return err
			}
			done += len(some)
		}
		return nil
	})
	shown.end()
	if err != nil {
		return err
	}
	if o.json {
		return ui.WriteJSON(t.Out, map[string]any{"output": o.output, "images": done})
	}
	_, err = printable.Fprintf(t.Out, "%s: calibrated with %d images\n", o.output, done)
	return err
}
