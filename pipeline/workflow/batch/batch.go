// Package batch trains and measures many runs, some of them at the same time.
//
// Finished runs are skipped unless their options, data or model changed, and
// interrupted runs are resumed. Plan finds out how far each run has come and
// checks all that can be checked before training. Do does the rest. Runs that only
// train a head leave most of a machine idle, so several are done at the same time,
// each with a network of its own. They share the feature cache and its frozen pass.
// A run's result does not depend on what is done beside it.
package batch

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/train"
)

// Request describes a batch.
type Request struct {
	Runs      []Run
	Output    string // folder of the runs and their summary
	KeepGoing bool   // continue with the other runs if one fails
	// Jobs is how many runs are done at the same time. 0 does one per processor, up
	// to four, if they only train heads on cached features, and the others alone.
	Jobs int
}

// Run describes one run of a batch.
type Run struct {
	Name     string // of its folder below the output
	Group    string // shared by the seeds and the folds of one setting
	Folds    int    // of the group; 0 without folds
	Seed     string // of a group with several; empty: the group has one
	Train    train.Request
	Evaluate evaluate.Request
	// Terms is a digest of how the run is measured.
	Terms string
	// Place adds the position in the file of runs to an error. It may be nil.
	Place func(error) error
}

// State is how far a run has come.
type State string

// The states of a run.
const (
	ToBegin   State = "to do"
	ToRedo    State = "to do again: its inputs changed"
	ToResume  State = "to resume"
	ToMeasure State = "to evaluate"
	Done      State = "done"
)

// Job is a run of a batch with its state and its result.
type Job struct {
	Run
	Inputs string // digest of everything that decides the trained model; empty before the run has a folder
	Images [3]int // of each part
	State  State

	Err     error
	Seconds float64
	Best    *pipeline.Epoch
	Report  *metrics.Report

	light   bool
	digests *workflow.Digests // of the images, as planning found them
	best    *pipeline.Epoch   // of a run that is trained; Best once it is measured
}

// Missed lists the gates that a run did not pass.
func (j *Job) Missed() []metrics.Outcome {
	if j.Report == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(j.Report.Gates), func(o metrics.Outcome) bool { return o.Passed })
}

func (j *Job) failed() bool { return j.Err != nil || len(j.Missed()) > 0 }

func (j *Job) dir() rundir.Dir { return rundir.Dir{Path: j.Train.Output} }

// Batch is a planned request.
type Batch struct {
	Jobs []*Job

	request Request
	env     workflow.Env
	pools   []*pool    // one for each run that is done at a time
	free    chan *pool // those of pools that no run uses
	planner *planner
	unlock  func() // nil: Do has not begun
}

// Do does what is not done yet. It returns an error only if the batch's folder
// cannot be used; each job has the result or the error of its run. When ctx ends,
// the current runs stop as if interrupted, and the rest are not started. Nor are
// they after a failure, but then the current runs are finished. The folder stays
// locked until Close, so that a summary can be written.
func (b *Batch) Do(ctx context.Context) (err error) {
	if b.unlock, err = b.lock(); err != nil {
		return err
	}
	var doing sync.WaitGroup
	var failed atomic.Bool
	for i, j := range b.Jobs {
		pools := b.take(j)
		stopped := ctx.Err() != nil || failed.Load() && !b.request.KeepGoing
		if stopped && j.State != Done {
			b.give(pools)
			continue
		}
		b.env.Say("run %d of %d: %s, %s", i+1, len(b.Jobs), j.Name, j.State)
		doing.Go(func() {
			defer b.give(pools)
			b.do(ctx, j, pools[0])
			if j.failed() {
				failed.Store(true)
			}
		})
	}
	doing.Wait()
	return nil
}

// lock locks the folder for other batches. Two batches in one folder would take
// each other's runs for failed ones.
func (b *Batch) lock() (unlock func(), err error) {
	output := b.request.Output
	if err := os.MkdirAll(output, 0o777); err != nil {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s: %w", pipeline.Option("output"), err)
	}
	unlock, err = rundir.Dir{Path: output}.Lock()
	if pipeline.KindOf(err) == pipeline.BadUsage {
		err = pipeline.Errorf(pipeline.BadUsage, "%s %s: another tftl run is using this folder", pipeline.Option("output"), output)
	}
	return unlock, err
}

// do takes a run through its remaining states.
func (b *Batch) do(ctx context.Context, j *Job, p *pool) {
	began, env := time.Now(), b.envOf(j, p)
	if j.State == Done {
		j.Err = j.read()
	} else {
		if j.State != ToMeasure {
			j.best, j.Err = b.train(ctx, j, env)
		}
		if j.Err == nil {
			j.Err = measure(ctx, j, env)
		}
		if j.Err == nil {
			j.State, j.Best = Done, j.best
		}
	}
	j.Seconds = time.Since(began).Seconds()
}

// read reads the result of a finished run.
func (j *Job) read() error {
	best, err := j.bestEpoch()
	if err != nil {
		return err
	}
	j.Best, j.Report = best, new(metrics.Report)
	return j.dir().ReadEvaluation(j.Report)
}

// bestEpoch reads the best epoch of a trained run, or nil if it has none.
func (j *Job) bestEpoch() (*pipeline.Epoch, error) {
	history, err := j.dir().ReadHistory()
	if best, ok := pipeline.BestOf(history); ok && err == nil {
		return &best, nil
	}
	return nil, err
}

// train begins or resumes a run, and trains it.
func (b *Batch) train(ctx context.Context, j *Job, env workflow.Env) (best *pipeline.Epoch, err error) {
	run, err := b.open(ctx, j, env)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	result, err := run.Fit(ctx)
	if err != nil {
		return nil, err
	}
	return &result.Best, nil
}

func (b *Batch) open(ctx context.Context, j *Job, env workflow.Env) (*train.Run, error) {
	if j.State == ToResume {
		run, err := train.Resume(ctx, j.Train.Output, train.Moved{}, j.Train.Session, j.Train.Options, env)
		if err == nil {
			j.Train.Session = j.Train.Session.Again(run.Config.Runtime)
		}
		return run, err
	}
	j.Train.Overwrite = j.State == ToRedo
	p, err := train.Prepare(ctx, j.Train, env) // again: planning keeps no data sets in memory
	if err != nil {
		return nil, err
	}
	// Now, because what it begins with may have changed since it was planned: an
	// earlier run of the batch, say, whose weights it takes.
	config, set := p.Config, *p.Set // as they are before bad images are left out
	p.Measured = true
	p.Identify = func() (string, error) {
		_, err := b.planner.inputs(ctx, j, config, &set)
		return j.Inputs, err
	}
	return p.Begin(ctx)
}

// measure evaluates a run on its test part through the feature cache, and records
// that it did.
func measure(ctx context.Context, j *Job, env workflow.Env) error {
	config, err := j.dir().ReadConfig()
	if err != nil {
		return err
	}
	network, err := env.Load(config.Model.Path, j.Train.Session)
	if err != nil {
		return err
	}
	learnt, err := train.Learn(j.dir(), network, j.Train.Options, env.Digests(), env)
	if err != nil {
		return err
	}
	defer learnt.Close()
	// Only the file of runs decides how outputs become a class, so an earlier
	// decision must not stay.
	if err := j.dir().RemoveDecision(); err != nil {
		return err
	}
	result, err := evaluate.Run(ctx, j.Evaluate, learnt, env)
	if err != nil {
		return err
	}
	// Pictures would take longer than the rest of an evaluation. Only the best run
	// gets them; tftl evaluate makes them for others.
	if err := result.Keep(ctx); err != nil {
		return err
	}
	if err := result.Describe(ctx); err != nil {
		return err
	}
	record, err := j.dir().NewBatchRecord(j.Inputs, j.Terms)
	if err != nil {
		return err
	}
	if err := j.dir().WriteBatchRecord(record); err != nil {
		return err
	}
	report := result.Report // a copy, because the result has all predictions
	j.Report = &report
	if j.best != nil {
		return nil
	}
	j.best, err = j.bestEpoch() // it was trained earlier
	return err
}

// Env is the environment of what is done with a run after the batch.
func (b *Batch) Env() workflow.Env { return b.env }

// CloseModel closes the open models, to make room for another.
func (b *Batch) CloseModel() {
	for _, p := range b.pools {
		p.close()
	}
}

// Close closes the open models and unlocks the folder.
func (b *Batch) Close() {
	b.CloseModel()
	b.env.Caches.Close()
	if b.unlock != nil {
		b.unlock()
		b.unlock = nil
	}
}

// Verdict returns the error with which a batch ends: that of the first failed run,
// or else one that names the failed gates. Failed runs come first, because a run
// that was not measured has passed no gate.
func (b *Batch) Verdict(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var first error
	var missed []string
	failed := 0
	for _, j := range b.Jobs {
		if j.Err != nil {
			first = cmp.Or(first, pipeline.Errorf(pipeline.KindOf(j.Err), "run %s: %w", j.Name, j.Err))
			failed++
		}
		for _, gate := range j.Missed() {
			missed = append(missed, fmt.Sprintf("%s: %s", j.Name, gate.Gate.Demand()))
		}
	}
	switch {
	case failed > 1:
		return pipeline.Errorf(pipeline.KindOf(first), "%d of %d runs failed; %w", failed, len(b.Jobs), first)
	case failed == 1:
		return first
	case len(missed) > 0:
		return pipeline.Errorf(pipeline.GateFailed, "gates failed: %s", printable.Few(missed))
	}
	return nil
}
