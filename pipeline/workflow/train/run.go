package train

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"strings"
	"time"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// Run is a run that can be trained, either new or resumed. It locks its folder
// for other processes until it is closed.
type Run struct {
	Dir     rundir.Dir
	Config  rundir.Config     // resolved
	Skipped []rundir.BadImage // only of a new run

	env     workflow.Env
	session workflow.Session
	network workflow.Network
	set     *dataset.Set
	digests *workflow.Digests
	options Options
	unlock  func()
	opened  *inputs       // by Begin; nil for a resumed run, and without a cache
	spent   time.Duration // of MaxTime, by Begin
	resumed bool
	state   pipeline.State // where to continue
	history []pipeline.Epoch
}

// Result is the result of a run.
type Result struct {
	Run     rundir.Dir
	Monitor string // the metric that selects the best epoch
	History []pipeline.Epoch
	Best    pipeline.Epoch
	// GuessLoss is the val_loss of a guess that ignores the image: see
	// metrics.GuessLoss. It may be infinite.
	GuessLoss float64
	Depth     []pipeline.StageResult // what each stage gained
	Tuning    *rundir.Tuning         // what was tried before; nil without
	Stopped   bool                   // by MaxTime, before all was done
	Skipped   []rundir.BadImage
}

// Close unlocks the run's folder.
func (r *Run) Close() {
	if r.opened != nil { // it was not trained
		r.opened.close()
	}
	r.unlock()
}

// Fit trains the rest of the run and writes the model of its best epoch. A new
// run that fails before its first step leaves no folder. In a process that helps the
// chief of a cluster there is no result.
func (r *Run) Fit(ctx context.Context) (*Result, error) {
	if c := r.options.Cluster; c != nil && !c.Chief() {
		return nil, r.help(ctx)
	}
	history, stopped, err := r.train(ctx)
	var result *Result
	if err == nil {
		result, err = r.finish(ctx, history, stopped)
	}
	if sealErr := r.Dir.Seal(); err == nil {
		err = sealErr
	}
	if err != nil && !stopped && !r.resumed {
		err = r.leaveNothing(ctx, err)
	}
	return result, err
}

// train runs the loop. After MaxTime it stops like an interrupted run, so a time
// limit never changes a result.
func (r *Run) train(ctx context.Context) (history []pipeline.Epoch, stopped bool, err error) {
	recorder := &rundir.Recorder{Dir: r.Dir, Warn: func(m pipeline.Message) { r.env.Warn("%v", m) }}
	progress, loop := recorder.Progress(r.env.Show), ctx
	if r.options.MaxTime > 0 {
		var cancel context.CancelFunc
		loop, cancel = context.WithTimeout(ctx, r.options.MaxTime-r.spent)
		defer cancel()
	}
	in := r.inputs(progress)
	defer in.close()
	history, err = pipeline.Fit(loop, r.job(in, recorder, progress))
	switch {
	case !errors.Is(err, context.DeadlineExceeded):
	case ctx.Err() != nil: // interrupted while the last checkpoint was written
		err = ctx.Err()
	default:
		stopped, err = true, nil
		recorder.TimeLimit(r.options.MaxTime)
	}
	if len(r.Skipped) > 0 {
		r.env.Warn("skipped %d bad images, listed in %s", len(r.Skipped), r.Dir.BadImagesPath())
	}
	return history, stopped, errors.Join(err, recorder.Flush(), r.Dir.WriteHistoryCSV(history))
}

// measure returns the validation metrics of an epoch and their standard errors.
func measure(predictions []pipeline.Prediction) []pipeline.Metric {
	return append(metrics.Basic(predictions), metrics.StandardErrors(predictions)...)
}

// termsOf returns the terms of the monitored metric, or nil if it is no mean over
// the validation part.
func termsOf(monitor string) pipeline.Terms {
	if metric, ok := strings.CutPrefix(monitor, "val_"); ok {
		return metrics.Terms(metric)
	}
	return nil
}

// finish writes the model of the best epoch and returns the result.
func (r *Run) finish(ctx context.Context, history []pipeline.Epoch, stopped bool) (*Result, error) {
	t := r.Config.Training
	best, ok := pipeline.BestOf(history)
	switch {
	case !ok && stopped:
		err := pipeline.Errorf(pipeline.Other, "%s %v: no epoch has ended", pipeline.Option("max-time"), r.options.MaxTime)
		return nil, pipeline.WithHint(err, "continue with tftl fit %s %s", pipeline.Option("resume"), printable.Argument(r.Dir.Path))
	case !ok:
		return nil, pipeline.Errorf(pipeline.Diverged, "no epoch had a finite %s", t.Monitor)
	}
	unlock, err := lockEvaluation(ctx, r.Dir)
	if err != nil {
		return nil, err
	}
	err = r.Dir.ReplaceModel(func(dir string) error {
		return r.network.Export(ctx, r.Dir.Checkpoint(pipeline.Best), dir, r.set.Classes)
	}, r.env.CheckModel)
	unlock()
	if err != nil {
		return nil, err
	}
	tuning, err := r.Dir.ReadTuning()
	if err != nil {
		return nil, err
	}
	result := &Result{
		Run: r.Dir, Monitor: t.Monitor, History: history, Best: best, Depth: pipeline.StageResults(history, t.Monitor, stopping(t).Higher), Tuning: tuning, Stopped: stopped, Skipped: r.Skipped,
		GuessLoss: metrics.GuessLoss(workflow.Samples(r.set.Train), workflow.Samples(r.set.Validation), len(r.set.Classes), t.ClassWeights != nil || t.Sampler == BalancedSampler),
	}
	r.warnOfGuessing(best, result.GuessLoss)
	if !stopped {
		err = r.compareServed(ctx)
	}
	return result, err
}

// lockEvaluation waits until no process writes an evaluation of a run that is about to
// be replaced, or its model. There may be no such run.
func lockEvaluation(ctx context.Context, run rundir.Dir) (unlock func(), err error) {
	unlock, err = run.LockEvaluation(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	return unlock, err
}

// warnOfGuessing compares the best epoch with guessing, because even a finite
// loss can be absurd. A loss near that of guessing means that little was learnt, a
// loss far above it that the learning rate was too high.
func (r *Run) warnOfGuessing(best pipeline.Epoch, guess float64) {
	loss, ok := best.Value("val_loss")
	if !ok || !(loss >= guess) || math.IsInf(guess, 0) {
		return
	}
	next := pipeline.Messagef("train longer, or with another learning rate")
	if loss > 2*guess {
		next = pipeline.Messagef("lower the learning rate (%s)", pipeline.Option("lr"))
	}
	r.env.Warn("the best epoch's val_loss %.4g is no better than guessing (%.4g): %s", loss, guess, next)
}

// leaveNothing removes the folder of a run that failed before its first step, if
// the same options would fail again. The folder stays if it keeps a replaced run,
// or if the run can be resumed.
func (r *Run) leaveNothing(ctx context.Context, err error) error {
	if ctx.Err() != nil || pipeline.KindOf(err) == pipeline.Diverged || rundir.Is(r.Dir.Replaced()) || r.Dir.Begun() {
		return err
	}
	return errors.Join(err, r.Dir.Remove())
}
