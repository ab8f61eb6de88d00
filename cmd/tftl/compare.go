package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
)

// compareOptions are what `tftl compare` was asked for.
type compareOptions struct {
	a, b      string
	seed      uint64
	resamples int
	topK      int
	html      string
	junit     string
	gate      *report.NoWorse // nil: none
	json      bool
}

func newCompareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "one model against another, on the same images",
		ArgsUsage: "A B",
		Description: `A and B are folders of runs that tftl evaluate measured, or predictions.csv files of it;
B is the one that may take A's place. No model is loaded. Differences are B's figure less
A's, with intervals of a bootstrap that measures both on the same images; McNemar's test
says how likely they would differ on so many images, or more, if neither were better.

   tftl compare runs/old runs/new
   tftl compare runs/old runs/new --no-worse-than 0.01 --junit compare.xml

--no-worse-than 0.01 passes where B's accuracy is at most 0.01 below A's at the worse end
of the interval: a small set proves little, and so passes little. Exit code 5 where not.`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "html", Usage: "write a page, one `FILE` that opens without a network"},
			&cli.IntFlag{Name: "top-k", Value: 5, Usage: "as evaluate has it"},
			&cli.IntFlag{Name: "resamples", Value: 1000, Usage: "of the bootstrap"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the bootstrap"},
			&cli.BoolFlag{Name: "json", Usage: "one JSON document"},
			&cli.Float64Flag{Name: "no-worse-than", Usage: "exit code 5 where B may be worse by more than `X`", DefaultText: "no gate", Category: gateFlags},
			&cli.StringFlag{Name: "metric", Value: "accuracy", Usage: "the figure of --no-worse-than; recall[cat] for one class", Category: gateFlags},
			&cli.StringFlag{Name: "junit", Usage: "write a JUnit `FILE`, whether the gate passes or fails", Category: gateFlags},
		}, commonFlags()...),
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
		return o, usageError(c, fmt.Errorf("two runs are to be named, not %d", c.NArg()), false)
	}
	if err := atLeast(c, 0, "resamples"); err != nil {
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
			return o, pipeline.Errorf(pipeline.BadUsage, "--metric: is of --no-worse-than, which is missing")
		}
		return o, errors.Join(checkOutput("html", o.html), checkOutput("junit", o.junit))
	}
	margin := c.Float64("no-worse-than")
	if !(margin >= 0) || math.IsInf(margin, 0) {
		return o, pipeline.Errorf(pipeline.BadUsage, "--no-worse-than %v: must be 0 or more", margin)
	}
	if o.resamples == 0 {
		return o, pipeline.Errorf(pipeline.BadUsage, "--no-worse-than and --resamples 0 exclude each other: without intervals nothing passes")
	}
	o.gate = &report.NoWorse{Metric: c.String("metric"), Margin: margin}
	return o, errors.Join(checkOutput("html", o.html), checkOutput("junit", o.junit))
}

// runCompare is the command without its command line.
func runCompare(ctx context.Context, t terminal, o compareOptions) error {
	a, da, err := openPredictions(o.a)
	if err != nil {
		return err
	}
	b, db, err := openPredictions(o.b)
	if err != nil {
		return err
	}
	c, err := metrics.Compare(ctx, a, b, da, db, metrics.Options{Seed: o.seed, Resamples: o.resamples, TopK: o.topK})
	if err != nil {
		return fmt.Errorf("%s, %s: %w", o.a, o.b, err)
	}
	r := report.Comparison{A: o.a, B: o.b, Found: c, Gate: o.gate}
	if err := r.Judge(); err != nil {
		return err
	}
	if err := o.write(t, r); err != nil {
		return err
	}
	for _, warning := range c.Warnings {
		t.warn("%s", warning)
	}
	if o.gate != nil && !o.gate.Passed {
		return pipeline.Errorf(pipeline.GateFailed, "%s", o.gate)
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
		suite := report.Suite{Name: "tftl compare " + o.a + " " + o.b}
		if o.gate != nil {
			one := report.Case{Name: o.gate.Demand(), Class: suite.Name}
			if !o.gate.Passed {
				one.Failure = o.gate.String()
			}
			suite.Cases = append(suite.Cases, one)
		}
		if err := atomicfile.Write(o.junit, func(w io.Writer) error { return report.WriteJUnit(w, suite) }); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(t.out, r)
	}
	return r.WriteTable(t.out)
}

// openPredictions reads what a model said, and the decision that was made of it:
// a run's predictions.csv, or such a file by itself.
func openPredictions(path string) (t metrics.Table, d metrics.Decision, err error) {
	name := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if name = filepath.Join(path, "predictions.csv"); !rundir.Is(path) {
			return t, d, pipeline.Errorf(pipeline.BadUsage, "%s: is no run folder: it has no config.json", path)
		}
		if _, err := os.Stat(name); err != nil {
			return t, d, pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "run %s: was not measured: it has no predictions.csv", path), "tftl evaluate --model %s", quoted(path))
		}
	}
	file, err := os.Open(name)
	if err != nil {
		return t, d, pipeline.Errorf(pipeline.BadUsage, "%w", err)
	}
	defer file.Close()
	if t, err = metrics.ReadTable(file, name); err != nil {
		return t, d, err
	}
	run := rundir.Dir{Path: filepath.Dir(name)}
	if filepath.Base(name) != "predictions.csv" || !rundir.Is(run.Path) {
		return t, t.Decision, nil
	}
	return t, d, run.ReadDecision(&d) // which says where it comes from, too
}
