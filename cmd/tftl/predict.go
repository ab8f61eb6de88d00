package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/savedmodels"
)

// predictOptions are what `tftl predict` was asked for.
type predictOptions struct {
	model     string
	paths     []string
	stdin     io.Reader // of "-" among them
	dataset   dataset.Options
	plain     savedmodels.Plain
	batchSize int
	workers   int
	onBad     string // fail or skip
	write     func(answers, io.Writer) error
	top       int
	explain   string // folder of pictures; empty for none
}

func newPredictCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`DIR` of a run or of a SavedModel"},
		&cli.BoolFlag{Name: "json", Usage: "a line of JSON an image"},
		&cli.BoolFlag{Name: "csv", Usage: "a row an image, with every class's probability"},
		&cli.IntFlag{Name: "top-k", Usage: "the `K` likeliest classes of each image, in place of the likeliest, or of all with --json and --csv"},
		&cli.StringFlag{Name: "explain", Usage: "write a picture of each image into `DIR`, with what spoke for its class (Grad-CAM) laid over it"},
	}
	return &cli.Command{
		Name:      "predict",
		Usage:     "classify images",
		ArgsUsage: "FILES_OR_DIRS",
		Description: `A folder stands for every image in it and below it; a manifest (.csv, .tsv), which needs
no labels here, for those in its column path; and - for what standard input lists, one a line.

   tftl predict --model runs/first cat.jpg more-photos --csv
   find photos -name '*.jpg' | tftl predict --model runs/first --json -

What evaluate --threshold and --temperature stored with a run holds here, too.`,
		Flags: slices.Concat(flags, fileFlags(), []cli.Flag{newBadImageFlag()}, plainModelFlags(), batchFlags(), runtimeFlags()),
		Action: func(c *cli.Context) error {
			o, err := newPredictOptions(c)
			if err != nil {
				return err
			}
			r, err := resolveRuntime(c)
			if err != nil {
				return err
			}
			return runPredict(c.Context, newTerminal(c), o, r)
		},
	}
}

func newPredictOptions(c *cli.Context) (o predictOptions, err error) {
	if err := requireFlags(c, "model"); err != nil {
		return o, err
	}
	if c.NArg() == 0 {
		return o, usageError(c, fmt.Errorf("no image or folder is named"), false)
	}
	if err := atLeast(c, 1, "batch-size"); err != nil {
		return o, err
	}
	if c.IsSet("top-k") {
		if err := atLeast(c, 1, "top-k"); err != nil {
			return o, err
		}
	}
	o = predictOptions{
		model: c.String("model"), paths: c.Args().Slice(), stdin: c.App.Reader, batchSize: c.Int("batch-size"), workers: c.Int("workers"),
		write: answers.writeTable, top: c.Int("top-k"), explain: c.String("explain"),
	}
	if o.plain, err = newPlain(c); err != nil {
		return o, err
	}
	if o.onBad, err = onBadImage(c); err != nil {
		return o, err
	}
	if o.dataset, err = newDatasetOptions(c); err != nil {
		return o, err
	}
	switch {
	case c.Bool("json") && c.Bool("csv"):
		return o, pipeline.Errorf(pipeline.BadUsage, "--json and --csv exclude each other")
	case c.Bool("json"):
		o.write = answers.writeLines
	case c.Bool("csv"):
		o.write = answers.writeCSV
	}
	return o, nil
}

// runPredict is the command without its command line.
func runPredict(ctx context.Context, t terminal, o predictOptions, r *savedmodels.Runtime) error {
	set, err := dataset.OpenUnlabelled(o.paths, o.dataset, o.stdin)
	if err != nil {
		return err
	}
	predictor, err := openPredictor(o.model, o.plain, r)
	if err != nil {
		return err
	}
	defer predictor.Close()
	decision, err := readDecision(o.model, len(predictor.Labels))
	if err != nil {
		return err
	}
	for _, warning := range set.Warnings {
		t.warn("%s", warning)
	}
	t.describeDecision(decision, predictor.Labels)
	images, _, err := screenOne(ctx, t, set, "test", o.onBad, o.workers)
	if err != nil {
		return err
	}
	var network pipeline.Predictor = predictor
	if o.explain != "" {
		if network, err = newExplainer(o.explain, o.model, predictor, decision); err != nil {
			return err
		}
	}
	predictions, err := predictWith(ctx, t, network, predictor.Input, images, o.batchSize, o.workers)
	if err != nil {
		return err
	}
	t.warnOfProbabilities(o.plain, predictions)
	return o.write(newAnswers(predictions, predictor.Labels, decision, o.top), t.out)
}
