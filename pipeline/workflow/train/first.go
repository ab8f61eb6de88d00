package train

import (
	"context"
	"errors"
	"os"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// first is the first stage of a new run. It is opened, and its frozen pass is over,
// before the run has a folder: the pass reads every image once, and only then is it
// known what the images are and which of them are bad.
type first struct {
	name              string
	stage             pipeline.Stage
	taken             bool // by Open
	train, validation pipeline.Source
}

// look reads the images that are not known yet: those for training and validation
// in the frozen pass of the first stage, and those for testing as well if the run is
// measured. It leaves out bad images if those are to be skipped.
func (p *Prepared) look(ctx context.Context) (skipped []rundir.BadImage, err error) {
	all, err := p.Set.Part(pipeline.AllParts)
	if err != nil {
		return nil, err
	}
	if err := p.Digests.Recall(ctx, all, p.Request.Workers); err != nil {
		return nil, err
	}
	if !p.Request.Cache.Off {
		if err := p.pass(ctx); err != nil {
			return nil, err
		}
	}
	if p.skips() {
		if skipped, err = p.env.ScreenSet(ctx, p.Set, p.Digests, p.Request.Workers); err != nil {
			return nil, err
		}
		if p.Request.ClassWeights == BalancedClassWeights { // those of a file do not depend on what is left
			p.Config.Training.ClassWeights = balanced(p.Set)
		}
		if err := p.opened.renew(skipped); err != nil {
			return nil, err
		}
	} else if err := p.Request.hash(ctx, p.Set, p.Digests, p.Config.Training.BatchSize, p.env.Progress); err != nil {
		return nil, err
	}
	p.env.Remember()
	return skipped, nil
}

func (p *Prepared) skips() bool { return p.Config.Data.OnBadImage == SkipBadImages }

// lookFor is look for at most the time limit of the request. It says how long it
// took.
func (p *Prepared) lookFor(ctx context.Context) (skipped []rundir.BadImage, spent time.Duration, err error) {
	began, most := time.Now(), p.Request.MaxTime
	limited := ctx
	if most > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, most)
		defer cancel()
	}
	skipped, err = p.look(limited)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = pipeline.Errorf(pipeline.Other, "%s %v: the frozen pass of the first stage has not ended", pipeline.Option("max-time"), most)
		err = pipeline.WithHint(err, "give it more time; what is in the feature cache is not computed again")
	}
	return skipped, time.Since(began), err
}

// pass opens the first stage and runs its frozen pass.
func (p *Prepared) pass(ctx context.Context) error {
	in := p.inputs(rundir.Timed(p.time))
	p.opened = in // Begin closes them after an error
	plan, name := plan(p.Config, p.Set.Classes, 1), p.Config.Training.Stages[0].Name
	stage, err := p.Network.Open(ctx, name)
	if err != nil {
		return err
	}
	in.first = &first{name: name, stage: stage}
	if plan.InitFrom != "" {
		if err := stage.Restore(ctx, plan.InitFrom); err != nil {
			return err
		}
	}
	in.skipBad, in.testToo = p.skips(), p.Measured && onePass(p.Config.Training)
	defer func() { in.skipBad, in.testToo = false, false }()
	in.first.train, in.first.validation, err = in.open(ctx, name, stage)
	if err == nil && in.fresh != nil {
		err = in.decodeFresh(ctx)
	}
	return err
}

// onePass says whether the frozen pass of the first stage computes the features of
// all stages. Otherwise an evaluation may need others.
func onePass(t rundir.Training) bool {
	n := len(t.Stages)
	return n == 1 || n == 2 && t.HeadFeaturesFrom == t.Stages[1].Name
}

// time shows an event, and keeps the timing of a frozen pass for the run's folder.
func (p *Prepared) time(e pipeline.Event, t rundir.Timing) {
	if p.env.Show != nil {
		p.env.Show(e, t)
	}
	if t.Phase == rundir.FeaturesPhase {
		p.timing = append(p.timing, t)
	}
}

// renew makes the sources of the first stage again, without the images that are
// skipped.
func (in *inputs) renew(skipped []rundir.BadImage) (err error) {
	if in == nil || in.first == nil || len(skipped) == 0 {
		return nil
	}
	f := in.first
	f.train, _, err = in.training(f.stage)
	f.validation = in.features(f.stage, in.set.Validation)
	return err
}

// Open implements pipeline.Opener. The first stage is open already, and so is the one
// that has computed features for the head.
func (in *inputs) Open(ctx context.Context, name string) (pipeline.Stage, error) {
	stage, err := in.openStage(ctx, name)
	if c := in.options.Cluster; c != nil && err == nil {
		return restoring{stage, c, in.newFolder}, nil
	}
	return stage, err
}

func (in *inputs) openStage(ctx context.Context, name string) (pipeline.Stage, error) {
	if f := in.first; f != nil && !f.taken && f.name == name {
		f.taken = true
		return f.stage, nil
	}
	if d := in.deeper; d != nil && d.name == name {
		if stage := d.take(); stage != nil {
			return stage, nil
		}
	}
	return in.network.Open(ctx, name)
}

// newFolder makes a temporary folder for what the chief sends. The stage that was
// restored from it may read it until the inputs are closed.
func (in *inputs) newFolder() (string, error) {
	folder, err := os.MkdirTemp("", "tftl-checkpoint-")
	if err == nil {
		in.received = append(in.received, folder)
	}
	return folder, err
}
