package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/shard"
	"tftl/savedmodels"
)

func newMergeCommand() *cli.Command {
	return &cli.Command{
		Name:      "merge",
		Usage:     "put together what the shards of evaluate or predict found",
		ArgsUsage: "FILES",
		Description: `Takes the files of all shards, and does the rest of what one command for all images
would have done: with those of evaluate --shard it measures and writes the result into
the run; with those of predict --shard it prints the answers. The result is the same.

   tftl evaluate --model runs/first --shard 3/10 >shards/3
   tftl merge --model runs/first --min accuracy=0.95 shards/*

   tftl predict --model runs/first --shard 3/10 photos >answers/3
   tftl merge --csv answers/* >answers.csv

Each shard is a task of its own, on any machine. Files may be compressed with gzip.`,
		Flags: slices.Concat(
			[]cli.Flag{modelFlag("the run or SavedModel in `DIR` that evaluate was to measure")}, mergedFlags(),
			[]cli.Flag{predictionsFlag()}, newGateFlags(), newDecisionFlags(), runtimeFlags(),
		),
		Action: func(c *cli.Context) error {
			set, err := shard.Open(c.Args().Slice())
			if c.NArg() == 0 {
				return usageError(c, err, false)
			}
			if err != nil {
				return err
			}
			t := newTerminal(c)
			if len(set.Processors) > 1 {
				t.warn("the shards were computed by different processors (%s): the last digits may not be those of one", strings.Join(set.Processors, "; "))
			}
			if set.Facts[shard.Command] == shard.Evaluate {
				return mergeEvaluation(c, t, set)
			}
			return mergeAnswers(c, t, set)
		},
	}
}

// mergeAnswers prints what predict would have printed.
func mergeAnswers(c *cli.Context, t terminal, set *shard.Set) error {
	if err := notWith(c, "is for shards of tftl evaluate", evaluationOnly()...); err != nil {
		return err
	}
	if err := atLeast(c, 1, "top-k"); err != nil {
		return err
	}
	write, err := answerForm(c)
	if err != nil {
		return err
	}
	var terms report.Terms
	if err = json.Unmarshal(set.Details, &terms); err == nil {
		err = terms.Decision.Check(len(set.Classes))
	}
	if err != nil {
		return pipeline.Errorf(pipeline.BadData, "%s: %w", c.Args().First(), err)
	}
	tally := report.Tally{Skip: terms.Skip, Alone: terms.Alone, Warn: t.warn, Fault: t.fault}
	top, alike := 0, metrics.Likeness{}
	if c.IsSet("top-k") {
		top = c.Int("top-k")
	}
	answers := report.NewAnswers(t.Out, set.Classes, terms.Decision, top)
	for outcomes, err := range set.Outcomes(0, set.Block) {
		if err = errors.Join(err, c.Context.Err()); err != nil {
			tally.Tell()
			return err
		}
		outcomes = tally.Count(outcomes)
		for _, o := range outcomes {
			if o.Err == nil {
				alike.Add([]pipeline.Prediction{o.Prediction})
			}
		}
		if err := write(answers, outcomes); err != nil {
			return err
		}
	}
	t.warnOfProbabilities(savedmodels.Plain{Output: set.Options["model-output"]}, alike.Probabilities())
	return tally.Err()
}
