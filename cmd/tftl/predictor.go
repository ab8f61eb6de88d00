package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/pixels"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

// plainModelFlags say what a plain Keras SavedModel leaves unsaid.
func plainModelFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", EnvVars: []string{"TFTL_MODEL_OUTPUT"}, Usage: "what it returns: probabilities or logits", Category: plainFlags},
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
		if p.Labels, err = readLabels(path); err != nil {
			return p, pipeline.Errorf(pipeline.BadUsage, "--labels: %w", err)
		}
		if names, numbered := dataset.Unnumbered(p.Labels); numbered {
			newTerminal(c).warn("--labels %s: its lines are numbered: %q is read as %q, and so on", path, p.Labels[0], names[0])
			p.Labels = names
		}
	}
	return p, nil
}

// readLabels reads classes from a file, one a line.
func readLabels(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	labels, err := dataset.ReadLabels(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return labels, nil
}

// warnOfProbabilities says where what is said to be logits looks like
// probabilities, of which a softmax would make others that are too alike.
func (t terminal) warnOfProbabilities(plain savedmodels.Plain, predictions []pipeline.Prediction) {
	if plain.Output == "logits" && metrics.LikeProbabilities(predictions) {
		t.warn("--output logits: all that the model returns looks like probabilities; if it ends with softmax or sigmoid, --output probabilities is right")
	}
}

// openPredictor opens a run's model, or a SavedModel.
func openPredictor(path string, plain savedmodels.Plain, r *savedmodels.Runtime) (*savedmodels.Predictor, error) {
	model, err := loadServing(path, r)
	if err != nil {
		return nil, err
	}
	p, err := model.Predictor(plain)
	if err != nil {
		return nil, err
	}
	p.Labels = slices.Clone(p.Labels)
	for i, label := range p.Labels {
		p.Labels[i] = dataset.ClassName(label)
	}
	return p, nil
}

// loadServing loads a run's model, or a SavedModel.
func loadServing(path string, r *savedmodels.Runtime) (*savedmodels.Model, error) {
	if !rundir.Is(path) {
		return savedmodels.Load(path, r)
	}
	run := rundir.Dir{Path: path}
	if _, err := os.Stat(run.Model()); err != nil {
		hint := "tftl fit --resume " + quoted(path) + " finishes it"
		if rundir.Is(run.Replaced()) {
			hint += "; the run that was there before is in " + quoted(run.Replaced())
		}
		return nil, pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "run %s: has no trained model: it was not finished", path), "%s", hint)
	}
	return savedmodels.Load(run.Model(), r)
}

// predict runs a network that serves over images.
func predict(ctx context.Context, t terminal, p *savedmodels.Predictor, images pipeline.Encoded, batchSize, workers int) ([]pipeline.Prediction, error) {
	return predictWith(ctx, t, p, p.Input, images, batchSize, workers)
}

// predictWith runs whatever predicts over images of an input's size.
func predictWith(ctx context.Context, t terminal, p pipeline.Predictor, input savedmodels.Input, images pipeline.Encoded, batchSize, workers int) ([]pipeline.Prediction, error) {
	decoder, err := newDecoder(input, workers)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	shown := newProgress(t, rundir.Dir{})
	defer shown.end()
	return pipeline.Evaluate(ctx, pixels.Source{Encoded: images, Decoder: decoder}, p, batchSize, shown.event)
}
