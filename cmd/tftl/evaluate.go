package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl"
	"tftl/internal/ui"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/shard"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/evaluate"
)

func newEvaluateCommand() *cli.Command {
	return &cli.Command{
		Name:      "evaluate",
		Usage:     "measure a trained model on held-out images",
		ArgsUsage: "[MODEL]",
		Description: `Evaluates a run on the test part of its own data, as recorded when the run began, and
writes evaluation.json, predictions.csv and the report into its folder. The run also
keeps a --threshold, --temperature, --abstain, --conformal or --novelty: evaluate and
predict use it from then on.

   tftl evaluate --model runs/first
   tftl evaluate --model runs/first --data other-photos
   tftl evaluate --model runs/first --threshold f1 --temperature fit
   tftl evaluate --model runs/first --abstain risk=0.02 --conformal 0.95
   tftl evaluate --model runs/first --novelty 0.95 --unfamiliar other-things
   tftl evaluate --model runs/first --junit gates.xml \
      --min accuracy=0.95 --min 'recall[cat]=0.9' --max ece=0.05
   tftl evaluate --model keras-model --data photos \
      --model-output probabilities --labels labels.txt

You can gate on any metric: ` + strings.Join(metrics.All(), ", ") + `.`,
		Flags: slices.Concat(evaluateFlags(), []cli.Flag{shardFlag()}, cacheFlagsOf("disk; ram and off keep none for the next evaluation", "are not kept", "disk", "ram", "off")),
		Action: func(c *cli.Context) error {
			r, err := newEvaluateRequest(c)
			if err != nil {
				return err
			}
			if r.cache, err = newCache(c); err != nil {
				return err
			}
			if r.shard, err = newShard(c); err != nil {
				return err
			}
			if r.shard.Count > 0 {
				if err := notWith(c, "is for tftl merge, not for a shard", "min", "max", "gate-on", "junit", "summary", "json", "predictions", "resamples", "seed", "top-k"); err != nil {
					return err
				}
				if err := notWith(c, "needs all images at once: evaluate without a shard first; the run keeps it", "novelty", "unfamiliar"); err != nil {
					return err
				}
			}
			return runEvaluate(c.Context, newTerminal(c), r)
		},
	}
}

// manyClasses is how many make probabilities most of what is in memory. They cost the
// garbage collector no time, so it may run often.
const manyClasses = 300

// runEvaluate runs the command, after its flags are parsed.
func runEvaluate(ctx context.Context, t terminal, r evaluateRequest) error {
	env, shown := environment(t)
	defer shown.end()
	env.Contents = openContents(r.cache.Dir, r.verify)
	r.open.Progress = env.Progress
	model, err := tftl.OpenMeasured(r.Model, r.open, r.cache, env)
	if err != nil {
		return err
	}
	defer model.Close()
	if r.shard.Count > 0 {
		return r.runShard(ctx, t, model, env)
	}
	r.Illustrated = true
	if len(model.Classes()) >= manyClasses {
		allowGarbage(5)
	}
	result, err := evaluate.Run(ctx, r.Request, model, env)
	if err != nil {
		return err
	}
	shown.end()
	t.warnOfProbabilities(r.open.Plain, result.LikeProbabilities)
	// A result that cannot be saved, for example on a full disk, is still printed.
	err = result.Keep(ctx)
	if err == nil {
		painter := model.Painter()
		defer painter.Close()
		err = result.Illustrate(ctx, painter)
	}
	if err := errors.Join(err, r.outputs.write(r.Model, result.Report), r.print(t, result.Report)); err != nil {
		return err
	}
	return report.TellGates(result.Report.Gates, t.say, t.warn)
}

// runShard predicts the shard's images.
func (r evaluateRequest) runShard(ctx context.Context, t terminal, model *tftl.Measured, env workflow.Env) error {
	h, err := model.ShardHeader(env.Version)
	if err != nil {
		return err
	}
	h.Facts[shard.Command] = shard.Evaluate
	maps.Copy(h.Options, r.ShardOptions())
	return evaluate.RunShard(ctx, evaluate.ShardRequest{Request: r.Request, Shard: r.shard, Header: h, Spell: flag}, model, t.Out, env)
}

// print writes the result to stdout in the requested form.
func (r evaluateRequest) print(t terminal, m metrics.Report) error {
	switch {
	case r.json:
		return ui.WriteJSON(t.Out, m)
	case r.outputs.summary == "-":
		return report.Summary(t.Out, r.Model, m)
	}
	return report.WriteTable(t.Out, m)
}
