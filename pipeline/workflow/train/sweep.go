package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
)

// Sweep is a search for a learning rate.
type Sweep struct {
	Least, Most float64 // the first and the last rate
	Rates       int     // number of rates
	Steps       int     // training steps at each rate
}

// The most rates of a sweep, and the most steps at each.
const (
	maxRates = 1_000
	maxSteps = 1_000_000
)

// Check refuses values that make no sense.
func (s Sweep) Check() error {
	if !(s.Least > 0 && s.Most > s.Least && !math.IsInf(s.Most, 0)) {
		return pipeline.Errorf(pipeline.BadUsage, "%s %v, %s %v: must be above 0, the second larger than the first", pipeline.Option("lr-min"), s.Least, pipeline.Option("lr-max"), s.Most)
	}
	if err := pipeline.CheckRange("rates", s.Rates, 2, maxRates); err != nil {
		return err
	}
	return pipeline.CheckRange("steps", s.Steps, 1, maxSteps)
}

// Run trains briefly at every rate, on the data of a prepared request with one
// stage. It keeps nothing.
func (s Sweep) Run(ctx context.Context, p *Prepared) (points []pipeline.SweepPoint, err error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	p.opened = p.inputs(rundir.Timed(p.env.Show))
	defer func() { p.opened.close() }()
	if _, err := p.look(ctx); err != nil {
		return nil, err
	}
	warnOfShared(p.env, p.Set, p.Digests)
	in, name := p.opened, p.Config.Training.Stages[0].Name
	stage, err := in.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	train, validation, err := in.open(ctx, name, stage)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "tftl-lr-find-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	return pipeline.Sweep{
		Plan: plan(p.Config, p.Set.Classes, epochLength(p.Config.Training, p.Set)), Hyper: p.Config.Training.Hyper,
		Rates: schedule.Range(s.Least, s.Most, s.Rates), Steps: s.Steps,
		Checkpoint: filepath.Join(work, "ckpt"), Progress: p.env.Progress,
		Loss: func(predictions []pipeline.Prediction) float64 { return metrics.Basic(predictions)[0].Value },
	}.Run(ctx, stage, train, validation)
}
