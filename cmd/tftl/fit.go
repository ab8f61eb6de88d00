package main

import (
	"context"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl/internal/printable"
	"tftl/internal/ui"
	"tftl/pipeline/cluster"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/train"
)

func newFitCommand() *cli.Command {
	return &cli.Command{
		Name:  "fit",
		Usage: "train a model on labelled images",
		Description: `The frozen part of the network runs once per image, and its features are cached, so an
epoch takes a fraction of that time, in later runs too. The weights of the best epoch
become OUTPUT/model, a SavedModel ready to serve.

   tftl fit --data photos --model savedmodels/vgg16 --output runs/first
   tftl fit --data photos --model savedmodels/vgg16 --tune 50 --stage auto

Augmented images run through the frozen part in every epoch, unless --augment-copies
caches a few augmented copies of each image. tftl preview shows what they look like.

   tftl fit --data photos --model savedmodels/vgg16 --augment light \
      --augment-copies 5

Several processes train one run together if TF_CONFIG, or --cluster, says who takes
part: start the same command everywhere. tftl launch starts them on one machine.`,
		Flags: slices.Concat(fitFlags(), []cli.Flag{continueFlag()}, clusterFlags()),
		Action: func(c *cli.Context) error {
			r, err := newFitRequest(c)
			if err == nil {
				r.member, err = newClusterOptions(c)
			}
			if err != nil {
				return err
			}
			t, err := newTerminal(c).withLog(c.String("log-file"))
			if err != nil {
				return err
			}
			return t.closeLog(startFit(c.Context, t, r))
		},
	}
}

// startFit runs the command, after its flags are parsed, alone or as a member of a
// cluster.
func startFit(ctx context.Context, t terminal, r fitRequest) error {
	c, err := cluster.Resolve(cluster.Options{Spec: r.member.Spec, Task: r.member.Task, Getenv: os.Getenv})
	switch {
	case err != nil:
		return err
	case c != nil && c.Evaluator:
		t.say("the chief validates after each epoch, so this evaluator has nothing to do")
		return nil
	case c.Alone():
		env, shown := environment(t)
		return runFit(ctx, t, r, env, shown)
	}
	return fitTogether(ctx, t, r, c)
}

// runFit trains a run.
func runFit(ctx context.Context, t terminal, r fitRequest, env workflow.Env, shown *progress) error {
	defer shown.end()
	env.Contents = openContents(r.Cache.Dir, r.verify)
	run, err := r.open(ctx, env)
	if err != nil {
		return err
	}
	defer run.Close()
	shown.monitor = run.Config.Training.Monitor
	result, err := run.Fit(ctx)
	if err != nil || result == nil {
		return err
	}
	shown.end()
	if result.Stopped {
		at, _ := run.Dir.Unfinished()
		at.Limit = 0
		t.say("stopped after %v (--max-time) %v; continue with tftl fit --resume %s", r.MaxTime, at, printable.Argument(run.Dir.Path))
	}
	fit := report.Fit{
		Run: result.Run.Path, Model: result.Run.Model(), Monitor: result.Monitor, History: result.History, Best: result.Best,
		GuessLoss: result.GuessLoss, Stages: result.Depth, Tuning: result.Tuning, Stopped: result.Stopped,
	}
	if r.json {
		return ui.WriteJSON(t.Out, fit)
	}
	if err := fit.WriteTable(t.Out, flag); err != nil {
		return err
	}
	t.say("next: tftl evaluate --model %s", printable.Argument(run.Dir.Path))
	return nil
}

// open starts a new run or resumes one.
func (r fitRequest) open(ctx context.Context, env workflow.Env) (*train.Run, error) {
	switch {
	case r.Cluster != nil && !r.Cluster.Chief():
		return train.Help(ctx, r.Request, r.moved, env)
	case r.resume != "":
		return train.Resume(ctx, r.resume, r.moved, r.Session, r.Options, env)
	case r.goesOn && rundir.Is(r.Output):
		return train.Continue(ctx, r.Request, env)
	}
	return train.New(ctx, r.Request, env)
}
