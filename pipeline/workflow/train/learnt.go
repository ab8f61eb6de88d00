package train

import (
	"context"
	"errors"
	"iter"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// Learnt predicts with what a run has learnt: the best weights, at the stage of
// the best epoch, on cached features. Within rounding its predictions equal those
// of the model in the run's folder, but it runs the frozen part only for images
// that are not in the cache, and no cache changes a bit of them. The caller closes
// it.
type Learnt struct {
	Run    rundir.Dir
	Labels []string
	in     *inputs
	name   string         // of the stage
	stage  pipeline.Stage // nil before it is needed
	held   *rundir.Held
	// Novelty is what predictions get theirs by. nil: they get none.
	Novelty *pipeline.Novelty
	seen    *features.Store // of the images predicted last, what HeatMaps needs; nil for none
}

// piece is about the number of images whose features are in memory at a time if they
// are not kept on disk.
const piece = 8 * features.BatchSize

// Learn opens what a run has learnt. digests has the images that have already
// been read.
func Learn(run rundir.Dir, network workflow.Network, o Options, digests *workflow.Digests, env workflow.Env) (l *Learnt, err error) {
	held, err := run.Hold() // before anything is read
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			held.Close()
		}
	}()
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
	in := &inputs{env: env, progress: env.Progress, config: config, options: o, network: network, digests: digests, last: true}
	for i, label := range labels { // older runs have another form
		labels[i] = dataset.ClassName(label)
	}
	return &Learnt{Run: run, Labels: labels, in: in, name: best.Stage, held: held}, nil
}

// LearnModel opens what a run has learnt if that is what the model in its folder
// was made of. Otherwise the result is nil, and why says what is in the way: the
// exported network has gone or is another one, or training went on.
func LearnModel(run rundir.Dir, s workflow.Session, o Options, env workflow.Env) (l *Learnt, why error) {
	config, err := run.ReadConfig()
	if err != nil {
		return nil, err
	}
	is, err := run.ModelIsBest()
	if err != nil {
		return nil, err
	}
	if !is {
		return nil, errors.New("its model is not known to have the weights of its best checkpoint")
	}
	network, err := env.Load(config.Model.Path, s)
	if err != nil {
		return nil, err
	}
	if err := sameModel(config, network.Info()); err != nil {
		return nil, err
	}
	return Learn(run, network, o, env.Digests(), env)
}

// Held is the run's folder, held open until it is closed.
func (l *Learnt) Held() *rundir.Held { return l.held }

// Classes returns the run's classes in the order of the outputs.
func (l *Learnt) Classes() []string { return l.Labels }

// Served is how the model in the run's folder judges novelty. It has no Centers if the
// model does not, and is nil if it cannot.
func (l *Learnt) Served() (*pipeline.Novelty, error) {
	if l.in.env.Served == nil {
		return nil, nil
	}
	return l.in.env.Served(l.Run.Model())
}

// Input says how an image becomes the network's input.
func (l *Learnt) Input() workflow.Input { return l.in.network.Info().Input }

// open opens the stage and the cache.
func (l *Learnt) open(ctx context.Context) error {
	if l.stage == nil {
		stage, err := l.in.network.Open(ctx, l.name)
		if err != nil {
			return err
		}
		if err := stage.Restore(ctx, l.Run.Checkpoint(pipeline.Best)); err != nil {
			return errors.Join(err, stage.Close())
		}
		l.stage = stage
	}
	return l.in.openStore(l.name)
}

// Close closes the stage and the cache.
func (l *Learnt) Close() error {
	l.held.Close()
	l.in.close()
	_ = l.seen.Close()
	if l.stage == nil {
		return nil
	}
	return l.stage.Close()
}

// lasts reports whether the cache outlives the evaluation: on disk, or in a batch.
func (l *Learnt) lasts() bool {
	cache := l.in.options.Cache
	return !cache.Off && (cache.Dir != "" || l.in.env.Caches != nil)
}

// Predict predicts images in order, a batch at a time, through the cache and
// everything above the cut. Without a cache on disk it goes through them in pieces,
// so that memory does not grow with their number.
func (l *Learnt) Predict(ctx context.Context, images pipeline.Encoded, batchSize int) iter.Seq2[[]pipeline.Prediction, error] {
	return l.through(ctx, images, batchSize, func() pipeline.Predictor { return pipeline.Top{Stage: l.stage, Novelty: l.Novelty} })
}

// HeadInputs calls use with the inputs of the head for each image in order, through the
// cache as in Predict.
func (l *Learnt) HeadInputs(ctx context.Context, images pipeline.Encoded, batchSize int, use func(s pipeline.Sample, inputs []float32) error) error {
	for _, err := range l.through(ctx, images, batchSize, func() pipeline.Predictor { return below{l.stage, use} }) {
		if err != nil {
			return err
		}
	}
	return nil
}

// below is a Predictor that predicts nothing, but shows the inputs of the head.
type below struct {
	stage pipeline.Stage
	use   func(s pipeline.Sample, inputs []float32) error
}

// Predict implements pipeline.Predictor.
func (b below) Predict(ctx context.Context, features pipeline.Batch) ([]pipeline.Prediction, error) {
	var failed error
	err := pipeline.HeadInputs(ctx, b.stage, features, func(i int, inputs []float32) {
		if failed == nil {
			failed = b.use(features.Samples[i], inputs)
		}
	})
	return make([]pipeline.Prediction, len(features.Samples)), errors.Join(err, failed)
}

// through calls a predictor with the features of images in order, a batch at a time.
func (l *Learnt) through(ctx context.Context, images pipeline.Encoded, batchSize int, predictor func() pipeline.Predictor) iter.Seq2[[]pipeline.Prediction, error] {
	return func(yield func([]pipeline.Prediction, error) bool) {
		if err := errors.Join(l.open(ctx), l.forget()); err != nil {
			yield(nil, err)
			return
		}
		images, digests := workflow.Unhashed(images)
		if digests != nil {
			l.in.digests = digests
		}
		size := images.Len()
		if !l.lasts() {
			size = max(1, piece/batchSize) * batchSize // whole batches, as if there were one piece
		}
		event := pipeline.Event{Phase: rundir.FeaturesPhase, Stage: l.name, Total: images.Len()}
		l.in.progress(event)
		for start := 0; start < images.Len(); start += size {
			before, some := event, window{images, start, min(start+size, images.Len())}
			for predictions, err := range l.predict(ctx, some, batchSize, predictor(), func(done, cached int) {
				event.Done, event.Cached = before.Done+done, before.Cached+cached
				l.in.progress(event)
			}) {
				if !yield(predictions, err) || err != nil {
					return
				}
			}
		}
		l.warn(event)
	}
}

// predict predicts the images of one piece.
func (l *Learnt) predict(ctx context.Context, images pipeline.Encoded, batchSize int, p pipeline.Predictor, progress func(done, cached int)) iter.Seq2[[]pipeline.Prediction, error] {
	return func(yield func([]pipeline.Prediction, error) bool) {
		source, err := l.source(images)
		if err != nil {
			yield(nil, err)
			return
		}
		shown := l.in.progress
		if !l.lasts() {
			defer source.Store.Close()
			shown = nil // of a piece
		}
		if err := l.in.frozenPass(ctx, source, progress); err != nil {
			yield(nil, err)
			return
		}
		pipeline.Evaluate(ctx, source, p, batchSize, shown)(yield)
	}
}

// source returns images as features, from the cache on disk or else from one in
// memory of their own.
func (l *Learnt) source(images pipeline.Encoded) (s *features.Source, err error) {
	s = l.in.features(l.stage, images)
	if !l.lasts() {
		if s.Store, err = features.Open(features.Options{}, ""); err != nil {
			return nil, err
		}
	}
	if d := s.Deeper; d != nil {
		d.Compute = features.Filled(d.Compute, l.in.frozenBatch()) // without a cache, too
	} else if e, ok := l.explainer(); ok && (e.LosesMaps() || !l.lasts()) {
		s.Compute = l.remembering(e, s)
	}
	s.Compute = features.Filled(s.Compute, l.in.frozenBatch())
	return s, nil
}

// warn says what the cache could not do.
func (l *Learnt) warn(pass pipeline.Event) {
	stats := l.in.store.Stats()
	switch {
	case stats.WriteError != nil:
		l.in.env.Warn("%v; the next evaluation computes again what is not stored (%s)", stats.WriteError, pipeline.Option("cache-dir"))
	case stats.Refused > 0:
		l.in.env.Warn("the feature cache is full (%s): features of %d images are not kept for the next evaluation", pipeline.Option("cache-size"), pass.Total-pass.Cached-int(stats.Stored))
	}
	if stats.Damaged > 0 {
		l.in.env.Warn("%d damaged records of the feature cache were computed again", stats.Damaged)
	}
}

// window is the images [from, to) of others.
type window struct {
	pipeline.Encoded
	from, to int
}

func (w window) Len() int                     { return w.to - w.from }
func (w window) Sample(i int) pipeline.Sample { return w.Encoded.Sample(w.from + i) }
func (w window) Bytes(i int) ([]byte, error)  { return w.Encoded.Bytes(w.from + i) }

// frozenPass runs the frozen pass on a source, one at a time in a batch.
func (in *inputs) frozenPass(ctx context.Context, source *features.Source, progress func(done, cached int)) error {
	defer in.env.Caches.Pass()()
	defer in.env.Remember()
	return in.warmOne(ctx, source, progress)
}
