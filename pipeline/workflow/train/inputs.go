package train

import (
	"context"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// inputs makes the sources of a stage from a data set: images are decoded and run
// through the frozen part of the network, with the feature cache in front.
type inputs struct {
	env      workflow.Env
	progress pipeline.Progress
	config   rundir.Config
	options  Options
	network  workflow.Network
	set      *dataset.Set
	digests  *workflow.Digests

	decoder   workflow.Decoder
	store     *features.Store    // nil without a cache, or before it is needed
	space     string             // of the store
	augmenter workflow.Augmenter // nil without augmentation
	decoded   *features.Store    // pixels that are augmented again every epoch
	fresh     *features.Source   // of them; nil without a cache

	first   *first // nil once its sources are taken, and for a resumed run
	skipBad bool   // in the frozen pass
}

// inputs are those that Begin opened, or new ones.
func (r *Run) inputs(progress pipeline.Progress) *inputs {
	if in := r.opened; in != nil {
		r.opened, in.progress = nil, progress
		return in
	}
	return &inputs{env: r.env, progress: progress, config: r.Config, options: r.options, network: r.network, set: r.set, digests: r.digests}
}

func (p *Prepared) inputs(progress pipeline.Progress) *inputs {
	return &inputs{env: p.env, progress: progress, config: p.Config, options: p.Request.Options, network: p.Network, set: p.Set, digests: p.Digests}
}

// open is a pipeline.Inputs. It runs the frozen pass on both parts.
func (in *inputs) open(ctx context.Context, name string, stage pipeline.Stage) (train, validation pipeline.Source, err error) {
	if f := in.first; f != nil && f.taken {
		in.first = nil
		return f.train, f.validation, nil
	}
	if err := in.openStore(name); err != nil {
		return nil, nil, err
	}
	train, missing, err := in.training(stage)
	if err != nil {
		return nil, nil, err
	}
	second := in.features(stage, in.set.Validation)
	if in.store == nil {
		in.env.Say("the feature cache is off: every epoch runs the frozen part")
		return train, second, nil
	}
	return train, second, in.warm(ctx, name, append(missing, second))
}

// warm runs the frozen pass on sources and warns of problems with the cache.
func (in *inputs) warm(ctx context.Context, stage string, sources []*features.Source) error {
	event := pipeline.Event{Phase: rundir.FeaturesPhase, Stage: stage}
	for _, s := range sources {
		event.Total += s.Len()
	}
	in.progress(event)   // timing starts here
	var done, cached int // in the sources so far
	for _, s := range sources {
		err := in.warmOne(ctx, s, func(d, c int) {
			event.Done, event.Cached = done+d, cached+c
			in.progress(event)
		})
		if err != nil {
			return err
		}
		done, cached = event.Done, event.Cached
	}
	in.env.Remember()
	stats := in.store.Stats()
	switch {
	case stats.WriteError != nil:
		in.env.Warn("%v; features that are not stored are computed again every epoch (%s, %s ram)",
			stats.WriteError, pipeline.Option("cache-dir"), pipeline.Option("cache"))
	case stats.Refused > 0:
		in.env.Warn("the feature cache is full (%s): in stage %s, %d of %d images do not fit and are computed again every epoch",
			pipeline.Option("cache-size"), stage, stats.Refused, event.Total)
	}
	if stats.Damaged > 0 {
		in.env.Warn("%d damaged records of the feature cache were computed again", stats.Damaged)
	}
	return nil
}

// warmOne runs the frozen pass on a source, and keeps what was learnt of its images.
func (in *inputs) warmOne(ctx context.Context, s *features.Source, progress func(done, cached int)) error {
	var bad func(i int, err error)
	if in.skipBad {
		bad = func(i int, err error) { in.digests.Bad(s.Sample(i), err) }
	}
	if err := s.WarmGood(ctx, features.BatchSize, progress, bad); err != nil {
		return err
	}
	decoder := in.decoder.Version()
	if s.Store.Stats().Refused > 0 && !in.skipBad { // then some were not decoded
		decoder = ""
	}
	in.digests.Take(s.Encoded, func(i int) workflow.Digest { return workflow.Digest(s.Digest(i)) }, decoder)
	return nil
}

// features returns a part as a stage's features, from the store or computed.
func (in *inputs) features(stage pipeline.Stage, part pipeline.Encoded) *features.Source {
	compute := features.Compute(stage.Features)
	if in.store != nil {
		compute = features.Filled(compute, features.BatchSize)
	}
	s := &features.Source{Encoded: in.digests.Watch(part), Decode: in.decoder.Decode, Compute: compute, Store: in.store, Workers: in.options.Workers}
	s.Know(in.digests.Of)
	return s
}

func (in *inputs) openStore(stage string) (err error) {
	if in.decoder == nil {
		decoder, err := in.env.Decoder(in.network.Info().Input, in.options.Workers)
		if err != nil {
			return err
		}
		in.decoder = decoder
	}
	cache := &in.options.Cache
	if cache.Off {
		return nil
	}
	space, err := in.network.FeatureSpace(stage, frozenWeights(in.config.Model.InitFrom, in.network.Info(), stage))
	if err != nil {
		return err
	}
	if in.store != nil && in.space == space {
		return nil
	}
	in.closeStore()
	in.space = space
	unwritable := cache.Homeless
	if in.store, err = features.Open(cache.Options, space); err != nil && cache.Dir != "" {
		unwritable = err
		cache.Dir = ""
		in.store, err = features.Open(cache.Options, space)
	}
	if unwritable != nil {
		in.env.Warn("features are kept in memory, for this run only: %v (%s)", unwritable, pipeline.Option("cache-dir"))
		cache.Homeless = nil
	}
	return err
}

// closeStore closes the store. An error loses nothing that was stored.
func (in *inputs) closeStore() {
	if in.store != nil {
		_ = in.store.Close()
	}
}

func (in *inputs) close() {
	in.closeStore()
	if in.decoder != nil {
		_ = in.decoder.Close()
	}
	if in.augmenter != nil {
		_ = in.augmenter.Close()
	}
	if in.decoded != nil {
		_ = in.decoded.Close()
	}
	if f := in.first; f != nil && !f.taken {
		_ = f.stage.Close()
	}
}
