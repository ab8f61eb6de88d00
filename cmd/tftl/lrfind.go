package main

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
	"tftl/pipeline/workflow/train"
)

// lrFindRequest is what `tftl lr-find` was asked for: a run that is not written
// to disk, and the rates to try.
type lrFindRequest struct {
	train.Request
	train.Sweep
	picture string // .png or .svg; empty for none
	verify  bool
	json    bool
}

func newLRFindCommand() *cli.Command {
	return &cli.Command{
		Name:  "lr-find",
		Usage: "suggest a learning rate",
		Description: `Trains for a few steps at each of several learning rates, always from the same weights
and on the batches that tftl fit would use. Suggests the rate with the lowest
validation loss, averaged over the rate and its two neighbours. With cached features
this takes seconds; without them it fills the cache for tftl fit.

   tftl lr-find --data photos --model savedmodels/vgg16 --output rates.png`,
		Flags: slices.Concat(
			[]cli.Flag{dataFlag(""), trainingSeedFlag(), newBadImageFlag()}, partFlags(), choiceFlags(), sourceFlags(),
			networkFlags(), rateFlags(), newHyperFlags(), newCacheFlags(), []cli.Flag{verifyFlag()}, batchFlags(), runtimeFlags(),
		),
		Action: func(c *cli.Context) error {
			r, err := newLRFindRequest(c)
			if err != nil {
				return err
			}
			return runLRFind(c.Context, newTerminal(c), r)
		},
	}
}

func newLRFindRequest(c *cli.Context) (r lrFindRequest, err error) {
	if err := noArguments(c); err != nil {
		return r, err
	}
	if err := requireDataAndModel(c); err != nil {
		return r, err
	}
	r.Sweep = train.Sweep{Least: c.Float64("lr-min"), Most: c.Float64("lr-max"), Rates: c.Int("rates"), Steps: c.Int("steps")}
	r.json, r.verify, r.picture = c.Bool("json"), c.Bool("verify"), c.String("output")
	if extension := strings.ToLower(filepath.Ext(r.picture)); r.picture != "" && extension != ".png" && extension != ".svg" {
		return r, invalid("output", r.picture, "must end in .png or .svg")
	}
	if err := checkOutput("output", r.picture); err != nil {
		return r, err
	}
	r.Request = train.NewRequest("", "", "")
	if r.Session, err = newSession(c); err != nil {
		return r, err
	}
	r.Config.Training.Stages = []rundir.Stage{{Name: c.String("stage"), Rate: r.Config.Training.Rate}}
	if err := configure(c, &r.Request); err != nil {
		return r, err
	}
	if r.Options, err = newTrainOptions(c); err != nil {
		return r, err
	}
	if err := r.Request.Check(); err != nil {
		return r, err
	}
	return r, r.Sweep.Check()
}

// runLRFind runs the command, after its flags are parsed.
func runLRFind(ctx context.Context, t terminal, r lrFindRequest) error {
	env, shown := environment(t)
	defer shown.end()
	env.Contents = openContents(r.Cache.Dir, r.verify)
	prepared, err := train.Prepare(ctx, r.Request, env)
	if err != nil {
		return err
	}
	points, err := r.Run(ctx, prepared)
	if err != nil {
		return err
	}
	shown.end()
	rate, ok := schedule.Suggest(points)
	if !ok {
		err := pipeline.Errorf(pipeline.Diverged, "training diverged at every rate from %g to %g", r.Least, r.Most)
		return pipeline.WithHint(err, "try a smaller %s", pipeline.Option("lr-min"))
	}
	if rate == points[0].LearningRate || rate == points[len(points)-1].LearningRate {
		t.warn("the suggested rate is at the end of the range that was tried: extend it with --lr-min or --lr-max")
	}
	found := report.Sweep{Stage: r.Config.Training.Stages[0].Name, Steps: r.Steps, Points: points, Suggested: rate}
	if r.picture != "" {
		format := strings.ToLower(strings.TrimPrefix(filepath.Ext(r.picture), "."))
		if err := atomicfile.Write(r.picture, func(w io.Writer) error { return found.Plot(w, format) }); err != nil {
			return err
		}
	}
	if r.json {
		return ui.WriteJSON(t.Out, found)
	}
	return found.WriteTable(t.Out, flag)
}
