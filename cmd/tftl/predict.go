package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"tftl"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/shard"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/train"
)

// predictRequest is what `tftl predict` was asked for.
type predictRequest struct {
	model     string
	open      tftl.Options
	paths     []string
	stdin     io.Reader // for "-" among them
	dataset   dataset.Options
	batchSize int
	onBad     string // fail or skip
	write     answerWriter
	top       int
	explain   string // folder of pictures; empty for none
	shard     shard.Shard
}

func newPredictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "classify images",
		ArgsUsage: "FILES_OR_DIRS",
		Description: `Takes images; folders, with all images in and below them; data sets, ignoring labels
(` + dataset.Usage(dataset.UnlabelledKinds()) + `); and - for paths on standard input, one per
line. Answers are printed in this order, a batch at a time; those of a list also
when no path has come for a moment. Images that cannot be classified are reported,
and the exit code is 3.

   tftl predict --model runs/first cat.jpg more-photos --csv
   find photos -name '*.jpg' | tftl predict --model runs/first --json -

Applies the threshold and the temperature that tftl evaluate stored with the run, says
"unsure" where its abstention does, and gives the prediction sets.`,
		Flags: slices.Concat(
			[]cli.Flag{modelFlag("use the run or SavedModel in `DIR`")}, answerFlags(), fileFlags(), []cli.Flag{answeredFlag(), shardFlag()},
			plainModelFlags(), batchFlags(), runtimeFlags(),
		),
		Action: func(c *cli.Context) error {
			r, err := newPredictRequest(c)
			if err != nil {
				return err
			}
			return runPredict(c.Context, newTerminal(c), r)
		},
	}
}

func newPredictRequest(c *cli.Context) (r predictRequest, err error) {
	if err := requireFlags(c, "model"); err != nil {
		return r, err
	}
	if c.NArg() == 0 {
		return r, usageError(c, fmt.Errorf("expected images or folders, got none"), false)
	}
	if err := within(c, 1, pipeline.MaxBatchSize, "batch-size"); err != nil {
		return r, err
	}
	if err := within(c, 0, pipeline.MaxWorkers, "workers"); err != nil {
		return r, err
	}
	if c.IsSet("top-k") {
		if err := atLeast(c, 1, "top-k"); err != nil {
			return r, err
		}
	}
	r = predictRequest{
		model: c.String("model"), paths: c.Args().Slice(), stdin: c.App.Reader, batchSize: c.Int("batch-size"),
		top: c.Int("top-k"), explain: c.String("explain"),
	}
	if r.shard, err = newShard(c); err != nil {
		return r, err
	}
	if r.shard.Count > 0 {
		if err := notWith(c, "is for tftl merge, not for a shard", "json", "csv", "top-k"); err != nil {
			return r, err
		}
	}
	if r.open, err = classifierOptions(c); err != nil {
		return r, err
	}
	if r.onBad, err = onBadImage(c); err != nil {
		return r, err
	}
	if r.dataset, err = newDatasetOptions(c); err != nil {
		return r, err
	}
	r.write, err = answerForm(c)
	return r, err
}

// alone says that there may be only one image.
func (r predictRequest) alone() bool { return len(r.paths) == 1 && r.paths[0] != "-" }

// listWait is how long a list of paths on standard input may pause before the
// images so far are answered.
const listWait = 100 * time.Millisecond

// runPredict runs the command, after its flags are parsed.
func runPredict(ctx context.Context, t terminal, r predictRequest) error {
	env, shown := environment(t)
	defer shown.end()
	if !t.ShowsResults() { // which are progress enough
		r.open.Progress = env.Progress
	}
	model, err := tftl.Open(r.model, r.open)
	if err != nil {
		return err
	}
	defer model.Close()
	evaluate.DescribeDecision(env, model.Decision, model.Classes())
	stream := model.Stream(r.batchSize)
	if slices.Contains(r.paths, "-") {
		// The clock decides which images share a batch, but not what comes of them.
		stream.Wait, stream.Predictor = listWait, pipeline.Filled{Predictor: model.Network, Size: r.batchSize}
	}
	if r.explain != "" {
		if stream.Predictor, err = model.Explainer(stream.Predictor, r.explain); err != nil {
			return err
		}
	}
	var alike metrics.Likeness
	tally := report.Tally{Skip: r.onBad == train.SkipBadImages, Alone: r.alone(), Warn: shown.warn, Fault: shown.fault}
	answers := report.NewAnswers(t.Out, model.Classes(), model.Decision, r.top)
	images := dataset.Unlabelled(r.paths, r.dataset, r.stdin, func(m pipeline.Message) { env.Warn("%v", m) })
	if r.shard.Count > 0 {
		return r.runShard(ctx, shown, model, stream, images)
	}
	for outcomes, err := range stream.Outcomes(ctx, images) {
		if err != nil {
			shown.end()
			tally.Tell()
			return err
		}
		outcomes = tally.Count(outcomes)
		for _, o := range outcomes {
			if o.Err == nil {
				alike.Add([]pipeline.Prediction{o.Prediction})
			}
		}
		if err := r.write(answers, outcomes); err != nil {
			return err
		}
	}
	shown.end()
	t.warnOfProbabilities(r.open.Plain, alike.Probabilities())
	return tally.Err()
}
