package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/workflow/evaluate"
)

// compareOptions are the options of `tftl compare`.
type compareOptions struct {
	a, b      string
	seed      uint64
	resamples int
	topK      int
	html      string
	junit     string
	gate      *metrics.NoWorse // nil: no gate
	json      bool
}

func newCompareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "compare two models on the same test images",
		ArgsUsage: "A B",
		Description: `A and B are evaluated runs or their predictions.csv files. A is the model in use, B
the one that may replace it. No model is loaded. Differences are B's metric minus A's,
with paired bootstrap intervals: each resample has the same images for both. The p of
McNemar's test is the probability of a difference at least this large if the models
were equally good.

   tftl compare runs/old runs/new
   tftl compare runs/old runs/new --no-worse-than 0.01 --junit compare.xml

--no-worse-than 0.01 passes if B's accuracy is at most 0.01 below A's even at the worse
end of the difference's interval. With few test images the interval is wide, and the
gate rarely passes.`,
		Flags: slices.Concat(compareFlags(), measureFlags(), []cli.Flag{jsonFlag(resultAsJSON)}, commonFlags()),
		Action: func(c *cli.Context) error {
			o, err := newCompareOptions(c)
			if err != nil {
				return err
			}
			return runCompare(c.Context, newTerminal(c), o)
		},
	}
}

func newCompareOptions(c *cli.Context) (o compareOptions, err error) {
	if c.NArg() != 2 {
		return o, usageError(c, fmt.Errorf("expected two runs, got %d", c.NArg()), false)
	}
	if err := within(c, 0, pipeline.MaxResamples, "resamples"); err != nil {
		return o, err
	}
	if err := atLeast(c, 2, "top-k"); err != nil {
		return o, err
	}
	o = compareOptions{
		a: c.Args().Get(0), b: c.Args().Get(1), seed: c.Uint64("seed"), resamples: c.Int("resamples"), topK: c.Int("top-k"),
		html: c.String("html"), junit: c.String("junit"), json: c.Bool("json"),
	}
	if !c.IsSet("no-worse-than") {
		if c.IsSet("metric") {
			return o, pipeline.Errorf(pipeline.BadUsage, "--metric needs --no-worse-than")
		}
		return o, errors.Join(checkOutput("html", o.html), checkOutput("junit", o.junit))
	}
	margin := c.Float64("no-worse-than")
	if !(margin >= 0) || math.IsInf(margin, 0) {
		return o, pipeline.Errorf(pipeline.BadUsage, "%s %v: must be 0 or more", pipeline.Option("no-worse-than"), margin)
	}
	if o.resamples == 0 {
		return o, pipeline.Errorf(pipeline.BadUsage, "--no-worse-than needs intervals, which --resamples 0 turns off")
	}
	o.gate = &metrics.NoWorse{Metric: c.String("metric"), Margin: margin}
	return o, errors.Join(checkOutput("html", o.html), checkOutput("junit", o.junit))
}

// runCompare runs the command, after its flags are parsed.
func runCompare(ctx context.Context, t terminal, o compareOptions) error {
	a, da, err := evaluate.ReadPredictions(o.a)
	if err != nil {
		return err
	}
	b, db, err := evaluate.ReadPredictions(o.b)
	if err != nil {
		return err
	}
	c, err := metrics.Compare(ctx, a, b, da, db, metrics.Options{Seed: o.seed, Resamples: o.resamples, TopK: o.topK})
	if err != nil {
		return fmt.Errorf("%s, %s: %w", o.a, o.b, err)
	}
	r := report.Comparison{A: o.a, B: o.b, Found: c}
	if o.gate != nil {
		verdict, err := o.gate.Check(c)
		if err != nil {
			return err
		}
		r.Gate = &verdict
	}
	if err := o.write(t, r); err != nil {
		return err
	}
	for _, warning := range c.Warnings {
		t.warn("%s", warning)
	}
	if r.Gate != nil && !r.Gate.Passed {
		return pipeline.Errorf(pipeline.GateFailed, "%s", r.Gate)
	}
	return nil
}

func (o compareOptions) write(t terminal, r report.Comparison) error {
	if o.html != "" {
		if err := atomicfile.Write(o.html, r.HTML); err != nil {
			return err
		}
	}
	if o.junit != "" {
		if err := atomicfile.Write(o.junit, func(w io.Writer) error { return report.WriteJUnit(w, r.Suite()) }); err != nil {
			return err
		}
	}
	if o.json {
		return ui.WriteJSON(t.Out, r)
	}
	return r.WriteTable(t.Out)
}
