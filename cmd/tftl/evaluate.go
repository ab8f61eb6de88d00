package main

import (
	"context"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/image"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

// evaluateOptions are what `tftl evaluate` was asked for.
type evaluateOptions struct {
	model     string
	data      string // empty: the run's
	subset    string // empty: test, or all of a folder without parts
	common    bool
	plain     savedmodels.Plain
	batchSize int
	workers   int
	json      bool
}

func newEvaluateCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`DIR` of a run or of a SavedModel"},
		&cli.StringFlag{Name: "data", Usage: "`DIR` of photographs", DefaultText: "the run's own", Category: dataFlags},
		&cli.StringFlag{Name: "subset", Usage: "train, val, test or all", DefaultText: "test, or all where the folder has no parts", Category: dataFlags},
		&cli.BoolFlag{Name: "common-classes", Usage: "leave out classes that the data or the model lacks", Category: dataFlags},
		&cli.BoolFlag{Name: "json", Usage: "one JSON document"},
	}
	return &cli.Command{
		Name:  "evaluate",
		Usage: "measure a trained model on photographs that it was not trained on",
		Description: `A run is measured on the test part of its own data, as it was recorded when the run
began; evaluation.json and predictions.csv are then kept in the run's folder.

   tftl evaluate --model runs/first
   tftl evaluate --model runs/first --data other-photos
   tftl evaluate --model keras-model --data photos --output probabilities --labels labels.txt`,
		Flags: slices.Concat(flags, plainModelFlags(), batchFlags(), runtimeFlags()),
		Action: func(c *cli.Context) error {
			o := evaluateOptions{
				model: c.String("model"), data: c.String("data"), subset: c.String("subset"), common: c.Bool("common-classes"),
				batchSize: c.Int("batch-size"), workers: c.Int("workers"), json: c.Bool("json"),
			}
			err := requireFlags(c, "model")
			if err == nil {
				err = noArguments(c)
			}
			if err == nil {
				err = atLeast(c, 1, "batch-size")
			}
			if err == nil {
				o.plain, err = newPlain(c)
			}
			if err != nil {
				return err
			}
			r, err := resolveRuntime(c)
			if err != nil {
				return err
			}
			return runEvaluate(c.Context, newTerminal(c), o, r)
		},
	}
}

// plainModelFlags say what a plain Keras SavedModel leaves unsaid.
func plainModelFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Usage: "what it returns: probabilities or logits", Category: plainFlags},
		&cli.StringFlag{Name: "rescale", Usage: "what pixels from 0 to 255 are multiplied with, such as 1/255", Category: plainFlags},
		&cli.StringFlag{Name: "labels", Usage: "`FILE` of its classes, one a line, in the order of its outputs", Category: plainFlags},
	}
}

func newPlain(c *cli.Context) (p savedmodels.Plain, err error) {
	p.Output = c.String("output")
	if text := c.String("rescale"); text != "" {
		above, below, fraction := strings.Cut(text, "/")
		p.Rescale, err = strconv.ParseFloat(above, 64)
		if fraction && err == nil {
			var divisor float64
			divisor, err = strconv.ParseFloat(below, 64)
			p.Rescale /= divisor
		}
		if err != nil || !(p.Rescale > 0 && p.Rescale < 1e9) {
			return p, pipeline.Errorf(pipeline.BadUsage, "--rescale %q: must be a number above 0 or a fraction such as 1/255", text)
		}
	}
	if path := c.String("labels"); path != "" {
		file, err := os.Open(path)
		if err != nil {
			return p, pipeline.Errorf(pipeline.BadUsage, "--labels: %w", err)
		}
		defer file.Close()
		if p.Labels, err = dataset.ReadLabels(file); err != nil {
			return p, pipeline.Errorf(pipeline.BadUsage, "--labels %s: %w", path, err)
		}
	}
	return p, nil
}

// runEvaluate is the command without its command line.
func runEvaluate(ctx context.Context, t terminal, o evaluateOptions, r *savedmodels.Runtime) error {
	predictor, err := openPredictor(o.model, o.plain, r)
	if err != nil {
		return err
	}
	defer predictor.Close()
	set, own, err := o.open()
	if err != nil {
		return err
	}
	if set, err = set.Relabel(predictor.Labels, o.common); err != nil {
		return err
	}
	part, err := set.Subset(o.subset)
	if err != nil {
		return err
	}
	if part.Len() == 0 {
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "the %s part is empty", o.subset), "--subset names another, --data another folder")
	}
	t.describe(set)
	t.say("subset %s: %d images", o.subset, part.Len())
	predictions, err := predict(ctx, t, predictor, part, o.batchSize, o.workers)
	if err != nil {
		return err
	}
	report, err := metrics.Evaluate(predictions, predictor.Labels)
	if err != nil {
		return err
	}
	if own && o.subset == "test" {
		if err := keepEvaluation(rundir.Dir{Path: o.model}, report, predictions, predictor.Labels); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(t.out, report)
	}
	return report.WriteTable(t.out)
}

// open finds the data set: the run's own as it was recorded, or a folder. own
// says which; subset is filled in.
func (o *evaluateOptions) open() (set *dataset.Set, own bool, err error) {
	var config rundir.Config
	if rundir.Is(o.model) {
		if config, err = (rundir.Dir{Path: o.model}).ReadConfig(); err != nil {
			return nil, false, pipeline.Errorf(pipeline.BadModel, "run: %w", err)
		}
	}
	if o.data == "" {
		if config.Data.Path == "" {
			return nil, false, pipeline.Errorf(pipeline.BadUsage, "--data is missing: %s is no run that could tell it", o.model)
		}
		o.data = config.Data.Path
	}
	if o.subset == "" {
		o.subset = "test"
	}
	absolute, err := filepath.Abs(o.data)
	if err != nil {
		return nil, false, err
	}
	if absolute != config.Data.Path {
		set, err := dataset.OpenLabelled(o.data) // a folder without parts is all in test
		return set, false, err
	}
	if set, err = dataset.Open(o.data, dataset.Options{Split: config.Data.Split, Exact: config.Data.Exact, Seed: config.Seed}); err != nil {
		return nil, false, err
	}
	record, err := os.Open(filepath.Join(o.model, "data.csv"))
	if err != nil {
		return nil, false, pipeline.Errorf(pipeline.BadModel, "run: %w", err)
	}
	defer record.Close()
	set, err = set.Recorded(record)
	return set, true, err
}

// openPredictor opens a run's model, or a SavedModel.
func openPredictor(path string, plain savedmodels.Plain, r *savedmodels.Runtime) (*savedmodels.Predictor, error) {
	if rundir.Is(path) {
		run, err := rundir.Open(path)
		if err != nil {
			return nil, err
		}
		path = run.Model()
		if _, err := os.Stat(path); err != nil {
			return nil, pipeline.Errorf(pipeline.BadModel, "run %s: has no trained model: it was not finished", run.Path)
		}
	}
	model, err := savedmodels.Load(path, r)
	if err != nil {
		return nil, err
	}
	return model.Predictor(plain)
}

// predict runs a network that serves over images.
func predict(ctx context.Context, t terminal, p *savedmodels.Predictor, images pipeline.Encoded, batchSize, workers int) ([]pipeline.Prediction, error) {
	decoder, err := newDecoder(p.Input, workers)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	shown := newProgress(t, rundir.Dir{})
	defer shown.end()
	return pipeline.Evaluate(ctx, image.Source{Encoded: images, Decoder: decoder}, p, batchSize, shown.event)
}

// keepEvaluation writes the test figures into the run's folder.
func keepEvaluation(run rundir.Dir, report metrics.Report, predictions []pipeline.Prediction, labels []string) error {
	if err := run.WriteJSON("evaluation.json", report); err != nil {
		return err
	}
	return atomicfile.Write(run.File("predictions.csv"), func(w io.Writer) error {
		return writePredictions(w, predictions, labels, true)
	})
}

// writePredictions writes a row a sample: path, the true label where there is
// one, the predicted one, and every class's probability.
func writePredictions(w io.Writer, predictions []pipeline.Prediction, labels []string, labelled bool) error {
	out := csv.NewWriter(w)
	header := []string{"path"}
	if labelled {
		header = append(header, "label")
	}
	header = append(header, "predicted", "probability")
	for _, label := range labels {
		header = append(header, "p("+label+")")
	}
	rows := [][]string{header}
	for _, p := range predictions {
		row := []string{p.Sample.ID}
		if labelled {
			row = append(row, labels[p.Sample.Label])
		}
		top := argmax(p.Probabilities)
		row = append(row, labels[top], probability(p.Probabilities[top]))
		for _, v := range p.Probabilities {
			row = append(row, probability(v))
		}
		rows = append(rows, row)
	}
	return out.WriteAll(rows)
}

func probability(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

// argmax is the first of the largest.
func argmax(values []float32) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}
