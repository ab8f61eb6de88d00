package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/text/unicode/norm"

	"tftl"
	"tftl/internal/atomicfile"
	commandline "tftl/internal/cli"
	"tftl/internal/regular"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/shard"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/train"
	"tftl/savedmodels"
)

// evaluateFlags are the flags of evaluate apart from those of the feature cache, and
// the options under evaluate in a file of runs.
func evaluateFlags() []cli.Flag {
	return slices.Concat(
		evaluatedFlags(), measureFlags(), []cli.Flag{predictionsFlag(), jsonFlag(resultAsJSON)}, newGateFlags(), newDecisionFlags(),
		sourceFlags(), []cli.Flag{newBadImageFlag(), verifyFlag()}, plainModelFlags(), batchFlags(), runtimeFlags(),
	)
}

// evaluateRequest is what `tftl evaluate` was asked for.
type evaluateRequest struct {
	evaluate.Request
	open    tftl.Options
	cache   train.Cache // of a run whose exported network is there
	outputs gateOutputs
	shard   shard.Shard
	verify  bool
	json    bool
}

func newEvaluateRequest(c *cli.Context) (r evaluateRequest, err error) {
	r.Model = c.String("model")
	if c.NArg() == 1 && (r.Model == "" || commandline.FromEnvironment(c, "model")) {
		r.Model = c.Args().First() // people first try tftl evaluate MODEL
	} else if err := requireFlags(c, "model"); err != nil {
		return r, err
	} else if err := noArguments(c); err != nil {
		return r, err
	}
	r.verify, r.Unfamiliar = c.Bool("verify"), c.String("unfamiliar")
	r.Data, r.Part, r.CommonClasses = c.String("data"), c.String("part"), c.Bool("common-classes")
	r.BatchSize, r.Workers = c.Int("batch-size"), c.Int("workers")
	if r.OnBadImage, err = onBadImage(c); err != nil {
		return r, err
	}
	if r.Dataset, err = newDatasetOptions(c); err != nil {
		return r, err
	}
	r.Dataset.Columns = c.StringSlice("slice")
	return r.measured(c)
}

// measured adds the flags that say what is measured, and checks the request.
func (r evaluateRequest) measured(c *cli.Context) (_ evaluateRequest, err error) {
	r.json = c.Bool("json")
	r.Seed, r.Resamples, r.TopK = c.Uint64("seed"), c.Int("resamples"), c.Int("top-k")
	if r.outputs, err = newGateOutputs(c); err != nil {
		return r, err
	}
	if r.Gates, r.Pessimistic, err = newGates(c); err != nil {
		return r, err
	}
	if r.Decision, err = newDecision(c); err != nil {
		return r, err
	}
	if r.open, err = classifierOptions(c); err != nil {
		return r, err
	}
	if r.Predictions, err = evaluate.ParseKept(c.String("predictions")); err != nil {
		return r, err
	}
	return r, r.Check()
}

func newGates(c *cli.Context) (gates []metrics.Gate, pessimistic bool, err error) {
	for _, flag := range []string{"min", "max"} {
		for _, text := range c.StringSlice(flag) {
			gate, err := metrics.ParseGate(norm.NFC.String(text), flag == "max") // like the names of classes
			if err != nil {
				return nil, false, err
			}
			gates = append(gates, gate)
		}
	}
	on := c.String("gate-on")
	if on != "value" && on != "lower" {
		return nil, false, invalid("gate-on", on, "must be value or lower")
	}
	return gates, on == "lower", nil
}

func newDecision(c *cli.Context) (d evaluate.DecisionRequest, err error) {
	switch text := c.String("threshold"); text {
	case "":
	case "f1":
		d.BestF1 = true
	case "argmax":
		d.Threshold = new(float64)
	default:
		p, err := strconv.ParseFloat(text, 64)
		if err != nil || !(p > 0 && p <= 1) {
			return d, invalid("threshold", text, "must be f1, argmax, or above 0 and at most 1")
		}
		d.Threshold = &p
	}
	switch text := c.String("temperature"); text {
	case "":
	case "fit":
		d.FitTemperature = true
	default:
		t, err := strconv.ParseFloat(text, 64)
		if err != nil || t == 0 || (metrics.Decision{Temperature: t}).Check(2) != nil {
			return d, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be fit or a number from %v to %d", pipeline.Option("temperature"), text, 1.0/metrics.MostTemperature, metrics.MostTemperature)
		}
		d.Temperature = &t
	}
	return d, newPromises(c, &d)
}

// newPromises reads when the model is unsure and what its sets promise.
func newPromises(c *cli.Context, d *evaluate.DecisionRequest) error {
	if text := c.String("abstain"); text == "off" {
		d.Abstain = new(metrics.Abstention)
	} else if text != "" {
		a, err := metrics.ParseAbstention(text)
		if err != nil {
			return err
		}
		d.Abstain = &a
	}
	if text := c.String("conformal"); text == "off" {
		d.Conformal = new(float64)
	} else if text != "" {
		level, err := metrics.ParseConformal(text)
		if err != nil {
			return err
		}
		d.Conformal = &level
	}
	if text := c.String("novelty"); text == "off" {
		d.Novelty = new(float64)
	} else if text != "" {
		share, err := strconv.ParseFloat(text, 64)
		if err != nil || !(share > 0 && share < 1) {
			return invalid("novelty", text, "must be above 0 and below 1, or off")
		}
		d.Novelty = &share
	}
	return nil
}

// newPlain reads the flags that describe a plain Keras SavedModel.
func newPlain(c *cli.Context) (p savedmodels.Plain, err error) {
	p.Output = c.String("model-output")
	if text := c.String("rescale"); text != "" {
		above, below, fraction := strings.Cut(text, "/")
		p.Rescale, err = strconv.ParseFloat(above, 64)
		if fraction && err == nil {
			var divisor float64
			divisor, err = strconv.ParseFloat(below, 64)
			p.Rescale /= divisor
		}
		if err != nil || !(p.Rescale > 0 && p.Rescale < 1e9) {
			return p, invalid("rescale", text, "must be a number above 0 or a fraction such as 1/255")
		}
	}
	path := c.String("labels")
	if path == "" {
		return p, nil
	}
	file, err := regular.Open(path)
	if err != nil {
		return p, pipeline.Errorf(pipeline.BadUsage, "%s: %w", pipeline.Option("labels"), err)
	}
	defer file.Close()
	if p.Labels, err = dataset.ReadLabels(file); err != nil {
		return p, pipeline.Errorf(pipeline.BadUsage, "%s %s: %w", pipeline.Option("labels"), path, err)
	}
	if names, numbered := dataset.Unnumbered(p.Labels); numbered {
		newTerminal(c).warn("--labels %s: the lines are numbered, so %q is read as %q, and so on", path, p.Labels[0], names[0])
		p.Labels = names
	}
	return p, nil
}

// gateOutputs are the files that a CI job reads.
type gateOutputs struct {
	junit   string
	summary string // "-" is stdout, instead of the table
}

func newGateOutputs(c *cli.Context) (o gateOutputs, err error) {
	o = gateOutputs{junit: c.String("junit"), summary: c.String("summary")}
	if o.summary == "-" && c.Bool("json") {
		return o, pipeline.Errorf(pipeline.BadUsage, "%s - and %s exclude each other", pipeline.Option("summary"), pipeline.Option("json"))
	}
	err = checkOutput("junit", o.junit)
	if err == nil && o.summary != "-" {
		err = checkOutput("summary", o.summary)
	}
	return o, err
}

// write writes the requested files, whether gates pass or fail.
func (o gateOutputs) write(name string, r metrics.Report) error {
	if o.junit != "" {
		suite := report.GateSuite(name, r.Gates)
		if err := atomicfile.Write(o.junit, func(w io.Writer) error { return report.WriteJUnit(w, suite) }); err != nil {
			return err
		}
	}
	if o.summary != "" && o.summary != "-" {
		return atomicfile.Write(o.summary, func(w io.Writer) error { return report.Summary(w, name, r) })
	}
	return nil
}

// checkOutput finds out in advance whether a file can be written. Files are
// written under another name and then renamed.
func checkOutput(name pipeline.Option, path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		err := pipeline.Errorf(pipeline.BadUsage, "%s %s: exists and is not a file", name, path)
		return pipeline.WithHint(err, "the file is written under a temporary name and then renamed, so it cannot replace a folder or a device")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return pipeline.Errorf(pipeline.BadUsage, "%s: %w", name, err)
	}
	return checkFolder(name, path)
}

// checkFolder finds out in advance whether the folder of a file exists.
func checkFolder(name pipeline.Option, path string) error {
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return pipeline.Errorf(pipeline.BadUsage, "%s %s: its folder does not exist", name, path)
	}
	return nil
}
