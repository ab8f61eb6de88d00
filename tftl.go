// Package tftl is transfer learning for image classification as a Go library.
//
// Open loads a trained model and classifies images with it, from as many
// goroutines as you like. Env connects the workflows with TensorFlow: train a
// run with package pipeline/workflow/train, evaluate it with
// pipeline/workflow/evaluate, or do both for many runs with
// pipeline/workflow/batch.
//
// The command cmd/tftl is a thin layer of flags and printing over the same
// packages. docs/go.md explains how to depend on this module and how to link the
// TensorFlow C library.
package tftl

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/novelty"
	"tftl/pipeline/pixels"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/evaluate"
	"tftl/savedmodels"
)

// Options say how to open a trained model. The zero value is for a run or a
// model that tftl trained, and uses all processors.
type Options struct {
	Session workflow.Session
	// Plain is for a SavedModel that tftl did not write.
	Plain savedmodels.Plain
	// Workers is the number of images decoded at a time; 0 is one per processor.
	Workers int
	// Progress gets the events of Predict. It may be nil.
	Progress pipeline.Progress
}

// Classifier is a trained model, ready to classify. It is safe for concurrent
// use. Its memory does not grow with the number of calls.
type Classifier struct {
	// Decision turns outputs into a class, as evaluate stored it with the model.
	Decision metrics.Decision
	// Network is the model itself. It takes pixels and returns predictions.
	Network *savedmodels.Predictor

	path    string
	decoder *pixels.Decoder
	options Options
}

// Open opens the model of a run, or a SavedModel. The caller closes it.
func Open(path string, o Options) (*Classifier, error) {
	r, err := Resolve(o.Session)
	if err != nil {
		return nil, err
	}
	model, err := LoadServing(path, r)
	if err != nil {
		return nil, err
	}
	c := &Classifier{path: path, options: o}
	if c.Network, err = model.Predictor(o.Plain); err != nil {
		return nil, err
	}
	c.Network.Labels = slices.Clone(c.Network.Labels)
	for i, label := range c.Network.Labels {
		c.Network.Labels[i] = dataset.ClassName(label)
	}
	if c.Decision, err = evaluate.ReadDecision(path, len(c.Network.Labels)); err != nil {
		c.Network.Close()
		return nil, err
	}
	if err = c.checkNovelty(model); err != nil {
		c.Network.Close()
		return nil, err
	}
	if c.decoder, err = pixels.NewDecoder(decoding(input(c.Network.Input), o.Workers)); err != nil {
		c.Network.Close()
		return nil, err
	}
	return c, nil
}

// checkNovelty checks that the model judges novelty as the decision says.
func (c *Classifier) checkNovelty(model *savedmodels.Model) error {
	n, err := model.Novelty()
	if err != nil || !c.Decision.ChecksNovelty() || n != nil && len(n.Centers) > 0 && n.Limit == float32(c.Decision.Novelty) {
		return err
	}
	return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "model %s: does not judge novelty as its decision says", model.Dir),
		"choose it again: tftl evaluate with %s", novelty.Option)
}

// LoadServing loads a run's model, or a SavedModel, for serving. It opens no
// graph.
func LoadServing(path string, r *savedmodels.Runtime) (*savedmodels.Model, error) {
	if !rundir.Is(path) {
		return savedmodels.Load(path, r)
	}
	run := rundir.Dir{Path: path}
	if _, err := os.Stat(run.Model()); err == nil {
		return savedmodels.Load(run.Model(), r)
	}
	err := pipeline.Errorf(pipeline.BadModel, "run %s has no trained model: it is not finished", path)
	if rundir.Is(run.Replaced()) {
		return nil, pipeline.WithHint(err, "finish it with tftl fit %s %s; the run that it replaces is in %s",
			pipeline.Option("resume"), printable.Argument(path), printable.Argument(run.Replaced()))
	}
	return nil, pipeline.WithHint(err, "finish it with tftl fit %s %s", pipeline.Option("resume"), printable.Argument(path))
}

// Close frees the model.
func (c *Classifier) Close() {
	_ = c.decoder.Close()
	c.Network.Close()
}

// Classes returns the model's classes in the order of its outputs.
func (c *Classifier) Classes() []string { return c.Network.Labels }

// Answer is the classification of one image.
type Answer struct {
	Class         string
	Probability   float32   // of Class
	Probabilities []float32 // of each of Classes
	// Unsure is why Class is no answer: metrics.UnsureOfClass or metrics.Unfamiliar. It
	// is empty for an answer, and if the decision never abstains.
	Unsure string
	// Novelty is how unlike the training images the image is: above 1 it is unfamiliar.
	// It is 0 if the model does not check.
	Novelty float32
	Set     []string // the classes that are possible, if the decision has sets
}

// Classify classifies encoded images: JPEG, PNG, BMP, GIF or WebP bytes. It
// decodes and resizes them as in training. An image that cannot be decoded is an
// error of kind pipeline.BadData, which gives its index: "image 0".
func (c *Classifier) Classify(ctx context.Context, images ...[]byte) ([]Answer, error) {
	samples := make([]pipeline.Sample, len(images))
	for i := range samples {
		samples[i] = pipeline.Sample{ID: fmt.Sprint(i), Label: -1, Weight: 1}
	}
	batch, err := c.decoder.Decode(ctx, images, samples)
	if err != nil {
		return nil, err
	}
	predictions, err := c.Network.Predict(ctx, batch)
	if err != nil {
		return nil, err
	}
	answers := make([]Answer, len(images))
	for i, p := range c.Decision.Calibrate(predictions) {
		class := c.Decision.Class(p.Probabilities)
		answers[i] = Answer{Class: c.Network.Labels[class], Probability: p.Probabilities[class], Probabilities: p.Probabilities, Unsure: c.Decision.WhyUnsure(p), Novelty: p.Novelty}
		if c.Decision.HasSets() {
			for _, class := range c.Decision.SetOf(p.Probabilities) {
				answers[i].Set = append(answers[i].Set, c.Network.Labels[class])
			}
		}
	}
	return answers, nil
}

// Predict predicts every image in order, a batch at a time, without applying the
// decision.
func (c *Classifier) Predict(ctx context.Context, images pipeline.Encoded, batchSize int) iter.Seq2[[]pipeline.Prediction, error] {
	return pipeline.Evaluate(ctx, pixels.Source{Encoded: images, Decoder: c.decoder}, c.Network, batchSize, c.options.Progress)
}

// Stream returns a stream that predicts images as they come, such as those of
// dataset.Unlabelled, without applying the decision.
func (c *Classifier) Stream(batchSize int) pipeline.Stream {
	return pipeline.Stream{
		Decode: c.decoder.Decode, Predictor: c.Network, BatchSize: batchSize, Workers: c.options.Workers, Progress: c.options.Progress,
	}
}

// Painter paints images as the model sees them. The caller closes it.
func (c *Classifier) Painter() *pixels.Painter {
	return pixels.NewPainter(decoding(input(c.Network.Input), c.options.Workers), pixels.Explained(c.Network, c.decoder))
}
