package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// decisionOptions are what --temperature and --threshold ask for. What they do
// not ask for stays as it is stored.
type decisionOptions struct {
	fit, f1                bool     // found on the validation part
	temperature, threshold *float64 // given; 1 and 0 are none
}

func newDecisionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "threshold", Usage: "of two classes: the probability from which on it is the second; `P`, or f1 for the best F1 of the second class on the validation part, or argmax for none", DefaultText: "as stored", Category: decisionFlags},
		&cli.StringFlag{Name: "temperature", Usage: "what logits are divided by, which makes probabilities honest and changes no class: `T`, or fit for the smallest loss on the validation part, or 1 for none", DefaultText: "as stored", Category: decisionFlags},
	}
}

func newDecisionOptions(c *cli.Context) (o decisionOptions, err error) {
	switch text := c.String("threshold"); text {
	case "":
	case "f1":
		o.f1 = true
	case "argmax":
		o.threshold = new(float64)
	default:
		p, err := strconv.ParseFloat(text, 64)
		if err != nil || !(p > 0 && p <= 1) {
			return o, pipeline.Errorf(pipeline.BadUsage, "--threshold %q: must be f1, argmax, or above 0 and at most 1", text)
		}
		o.threshold = &p
	}
	switch text := c.String("temperature"); text {
	case "":
	case "fit":
		o.fit = true
	default:
		t, err := strconv.ParseFloat(text, 64)
		if err != nil || t == 0 || (metrics.Decision{Temperature: t}).Check(2) != nil {
			return o, pipeline.Errorf(pipeline.BadUsage, "--temperature %q: must be fit or a number from %v to %d", text, 1.0/metrics.MostTemperature, metrics.MostTemperature)
		}
		o.temperature = &t
	}
	return o, nil
}

// readDecision reads what is stored with a run or a SavedModel.
func readDecision(model string, classes int) (d metrics.Decision, err error) {
	if rundir.Is(model) {
		err = rundir.Dir{Path: model}.ReadDecision(&d)
	} else {
		err = rundir.ReadModelDecision(model, &d)
	}
	if err == nil {
		err = d.Check(classes)
	}
	if err != nil {
		return d, pipeline.Errorf(pipeline.BadModel, "decision: %w", err)
	}
	return d, nil
}

// keepDecision stores one with a run, or that there is none.
func keepDecision(run rundir.Dir, d metrics.Decision) error {
	if d == (metrics.Decision{}) {
		return run.RemoveDecision()
	}
	return run.WriteDecision(d)
}

// asked says whether anything but what is stored is.
func (o decisionOptions) asked() bool {
	return o.fit || o.f1 || o.temperature != nil || o.threshold != nil
}

// check refuses what makes no sense for a model before anything is computed.
func (o decisionOptions) check(stored metrics.Decision, model string, classes int) error {
	if err := o.checkClasses(classes); err != nil {
		return err
	}
	switch {
	case (o.f1 || o.fit) && !rundir.Is(model):
		err := pipeline.Errorf(pipeline.BadUsage, "%s is no run: it has no validation part to find a threshold or a temperature on", model)
		return pipeline.WithHint(err, "name the run's folder, or give a number")
	case stored.Threshold > 0 && (o.fit || o.temperature != nil) && !o.f1 && o.threshold == nil:
		err := pipeline.Errorf(pipeline.BadUsage, "--temperature: the threshold %.4g that is stored is for the probabilities as they are", stored.Threshold)
		return pipeline.WithHint(err, "give --threshold too: f1, a number, or argmax")
	}
	return nil
}

// checkClasses refuses a threshold between more than two classes.
func (o decisionOptions) checkClasses(classes int) error {
	if classes != 2 && (o.f1 || o.threshold != nil && *o.threshold > 0) {
		return pipeline.Errorf(pipeline.BadUsage, "--threshold is for two classes, and the model has %d", classes)
	}
	return nil
}

// decide is the stored decision changed by what is asked for. validation gives
// the predictions of the validation part, and is called where they are needed.
func (o decisionOptions) decide(d metrics.Decision, validation func() ([]pipeline.Prediction, error)) (metrics.Decision, error) {
	var predictions []pipeline.Prediction
	var err error
	if o.fit || o.f1 {
		if predictions, err = validation(); err != nil {
			return d, err
		}
	}
	switch {
	case o.fit:
		if d.Temperature, err = metrics.FitTemperature(predictions); err != nil {
			return d, fmt.Errorf("--temperature fit: %w", err)
		}
		d.TemperatureFrom = "loss on validation"
		if d.Temperature == 1 {
			d.TemperatureFrom = "none fits: every validation image is right"
		}
	case o.temperature != nil && *o.temperature == 1:
		d.Temperature, d.TemperatureFrom = 0, ""
	case o.temperature != nil:
		d.Temperature, d.TemperatureFrom = *o.temperature, "given"
	}
	switch {
	case o.f1:
		if d.Threshold, err = metrics.ChooseThreshold(d.Calibrate(predictions)); err != nil {
			return d, fmt.Errorf("--threshold f1: %w", err)
		}
		d.ThresholdFrom = "f1 on validation"
	case o.threshold != nil && *o.threshold == 0:
		d.Threshold, d.ThresholdFrom = 0, ""
	case o.threshold != nil:
		d.Threshold, d.ThresholdFrom = *o.threshold, "given"
	}
	return d, nil
}

// predictValidation predicts the validation part that a run recorded. set is
// the run's data where it is open already.
func (o evaluateOptions) predictValidation(ctx context.Context, t terminal, n network, set *dataset.Set) ([]pipeline.Prediction, error) {
	if set == nil {
		own := o
		own.data, own.subset, own.decision, own.dataset.Columns = "", "val", decisionOptions{}, nil
		var err error
		if set, _, err = own.open(ctx); err != nil {
			return nil, err
		}
		if set, err = set.Relabel(n.classes(), o.common); err != nil {
			return nil, err
		}
	}
	part, _, err := screenOne(ctx, t, set, "val", o.onBad, o.workers)
	if err != nil {
		return nil, err
	}
	if part.Len() == 0 {
		return nil, pipeline.Errorf(pipeline.BadData, "the run has no validation part to find a threshold or a temperature on")
	}
	t.say("subset val: %d images, for the decision", part.Len())
	return n.predict(ctx, t, part, o.batchSize, o.workers)
}

// describeDecision says what becomes of the outputs, where that is not simply
// the most likely class.
func (t terminal) describeDecision(d metrics.Decision, labels []string) {
	var words []string
	if d.TemperatureFrom != "" {
		words = append(words, fmt.Sprintf("temperature %.4g (%s)", d.Temperature, d.TemperatureFrom))
	}
	if d.Threshold > 0 && len(labels) == 2 {
		words = append(words, fmt.Sprintf("%q from a probability of %.4g on (%s)", labels[1], d.Threshold, d.ThresholdFrom))
	}
	if len(words) > 0 {
		t.say("decision: %s", strings.Join(words, ", "))
	}
}
