package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/savedmodels"
)

// predictOptions are what `tftl predict` was asked for.
type predictOptions struct {
	model     string
	paths     []string
	plain     savedmodels.Plain
	batchSize int
	workers   int
	onBad     string // fail or skip
	write     func(io.Writer, []pipeline.Prediction, []string) error
}

func newPredictCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`DIR` of a run or of a SavedModel"},
		&cli.BoolFlag{Name: "json", Usage: "a line of JSON an image"},
		&cli.BoolFlag{Name: "csv", Usage: "a row an image, with every class's probability"},
	}
	return &cli.Command{
		Name:      "predict",
		Usage:     "classify images",
		ArgsUsage: "FILES_OR_DIRS",
		Description: `A folder stands for every image in it and below it.

   tftl predict --model runs/first cat.jpg more-photos --csv`,
		Flags: slices.Concat(flags, []cli.Flag{newBadImageFlag()}, plainModelFlags(), batchFlags(), runtimeFlags()),
		Action: func(c *cli.Context) error {
			o := predictOptions{
				model: c.String("model"), paths: c.Args().Slice(), batchSize: c.Int("batch-size"), workers: c.Int("workers"),
				write: writePredictionTable,
			}
			err := requireFlags(c, "model")
			if err == nil && len(o.paths) == 0 {
				err = usageError(c, fmt.Errorf("no image or folder is named"), false)
			}
			if err == nil {
				err = atLeast(c, 1, "batch-size")
			}
			if err == nil {
				o.plain, err = newPlain(c)
			}
			if err == nil {
				o.onBad, err = onBadImage(c)
			}
			switch {
			case err != nil:
				return err
			case c.Bool("json") && c.Bool("csv"):
				return pipeline.Errorf(pipeline.BadUsage, "--json and --csv exclude each other")
			case c.Bool("json"):
				o.write = writePredictionLines
			case c.Bool("csv"):
				o.write = func(w io.Writer, p []pipeline.Prediction, labels []string) error {
					return metrics.Table{Classes: labels, Predictions: withoutLogits(p)}.Write(w, metrics.Decision{})
				}
			}
			r, err := resolveRuntime(c)
			if err != nil {
				return err
			}
			return runPredict(c.Context, newTerminal(c), o, r)
		},
	}
}

// runPredict is the command without its command line.
func runPredict(ctx context.Context, t terminal, o predictOptions, r *savedmodels.Runtime) error {
	set, err := dataset.OpenUnlabelled(o.paths)
	if err != nil {
		return err
	}
	predictor, err := openPredictor(o.model, o.plain, r)
	if err != nil {
		return err
	}
	defer predictor.Close()
	for _, warning := range set.Warnings {
		t.warn("%s", warning)
	}
	images, _, err := screenOne(ctx, t, set, "test", o.onBad, o.workers)
	if err != nil {
		return err
	}
	predictions, err := predict(ctx, t, predictor, images, o.batchSize, o.workers)
	if err != nil {
		return err
	}
	return o.write(t.out, predictions, predictor.Labels)
}

// withoutLogits is for a table that people read.
func withoutLogits(predictions []pipeline.Prediction) []pipeline.Prediction {
	shorter := slices.Clone(predictions)
	for i := range shorter {
		shorter[i].Logits = nil
	}
	return shorter
}

func writePredictionTable(w io.Writer, predictions []pipeline.Prediction, labels []string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range predictions {
		top := argmax(p.Probabilities)
		fmt.Fprintf(table, "%s\t%s\t%.4f\n", p.Sample.ID, labels[top], p.Probabilities[top])
	}
	return table.Flush()
}

func writePredictionLines(w io.Writer, predictions []pipeline.Prediction, labels []string) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, p := range predictions {
		top := argmax(p.Probabilities)
		probabilities := make(map[string]float32, len(labels))
		for i, label := range labels {
			probabilities[label] = p.Probabilities[i]
		}
		err := encoder.Encode(struct {
			Path          string             `json:"path"`
			Predicted     string             `json:"predicted"`
			Probability   float32            `json:"probability"`
			Probabilities map[string]float32 `json:"probabilities"`
		}{p.Sample.ID, labels[top], p.Probabilities[top], probabilities})
		if err != nil {
			return err
		}
	}
	return nil
}
