package train

import (
	"context"
	"errors"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// Learnt predicts with what a run has learnt: the best weights, at the stage of
// the best epoch, on cached features. Within rounding its predictions equal those
// of the model in the run's folder, but it runs the frozen part only for images
// that are not in the cache.
type Learnt struct {
	Run     rundir.Dir
	Labels  []string
	in      *inputs
	stage   string
	network workflow.Network
}

// Learn opens what a run has learnt. digests has the images that have already
// been read.
func Learn(run rundir.Dir, network workflow.Network, o Options, digests *workflow.Digests, env workflow.Env) (*Learnt, error) {
	config, err := run.ReadConfig()
	if err != nil {
		return nil, err
	}
	history, err := run.ReadHistory()
	if err != nil {
		return nil, err
	}
	best, ok := pipeline.BestOf(history)
	if !ok {
		return nil, pipeline.Errorf(pipeline.Diverged, "run %s: no epoch is usable", run.Path)
	}
	labels, err := run.ReadLabels()
	if err != nil {
		return nil, err
	}
	in := &inputs{env: env, progress: env.Progress, config: config, options: o, network: network, digests: digests}
	for i, label := range labels { // older runs have another form
		labels[i] = dataset.ClassName(label)
	}
	return &Learnt{Run: run, Labels: labels, in: in, stage: best.Stage, network: network}, nil
}

// Classes returns the run's classes in the order of the outputs.
func (l *Learnt) Classes() []string { return l.Labels }

// Predict predicts images, through the cache and everything above the cut.
func (l *Learnt) Predict(ctx context.Context, images pipeline.Encoded, batchSize int) (predictions []pipeline.Prediction, err error) {
	stage, err := l.network.Open(ctx, l.stage)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	if err := stage.Restore(ctx, l.Run.Checkpoint(pipeline.Best)); err != nil {
		return nil, err
	}
	in := *l.in
	defer in.close()
	if err := in.openStore(l.stage); err != nil {
		return nil, err
	}
	source := in.features(stage, images)
	if in.store != nil {
		if err := in.warmOne(ctx, source, nil); err != nil {
			return nil, err
		}
		in.env.Remember()
	}
	return pipeline.Evaluate(ctx, source, pipeline.Top{Stage: stage}, batchSize, in.env.Progress)
}
