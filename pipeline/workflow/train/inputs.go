package train

import (
	"cmp"
	"context"
	"os"
	"time"

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
	deeper    *deeper            // what the head's features are computed from; nil for images
	last      bool               // no other stage follows, so only the open one's features are kept
	augmenter workflow.Augmenter // nil without augmentation
	decoded   *features.Store    // pixels that are augmented again every epoch
	fresh     *features.Source   // of them; nil without a cache

	first   *first // nil once its sources are taken, and for a resumed run
	skipBad bool   // in the frozen pass
	testToo bool   // in the frozen pass

	received []string // folders of checkpoints that the chief has sent
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
	missing = append(missing, second)
	if in.testToo { // last, because training needs the room more
		missing = append(missing, in.features(stage, in.env.ReadOnce.Images(in.set.Test)))
	}
	return train, second, in.warm(ctx, name, missing)
}

// warm runs the frozen pass on sources and warns of problems with the cache.
func (in *inputs) warm(ctx context.Context, stage string, sources []*features.Source) error {
	event := pipeline.Event{Phase: rundir.FeaturesPhase, Stage: stage}
	for _, s := range sources {
		event.Total += s.Due()
	}
	defer in.env.Caches.Pass()()
	p := &pass{inputs: in, stage: stage, sources: sources, images: event.Total}
	in.progress(event)         // timing starts here
	var done, cached, left int // in the sources so far
	var waited time.Duration
	for _, s := range sources {
		err := in.warmOne(ctx, s, func(d, c int) {
			event.Done, event.Cached, event.Left = done+d, cached+c, left+s.Left()
			event.Waited = waited + s.Waited()
			p.makeRoom(event)
			in.progress(event)
		})
		if err != nil {
			return err
		}
		done, cached, left, waited = event.Done, event.Cached, event.Left, event.Waited
	}
	in.env.Remember()
	stats := in.store.Stats()
	if stats.WriteError != nil {
		in.env.Warn("%v; features that are not stored are computed again every epoch (%s, %s ram)",
			stats.WriteError, pipeline.Option("cache-dir"), pipeline.Option("cache"))
	} else {
		p.warnIfFull()
	}
	if stats.Damaged > 0 {
		in.env.Warn("%d damaged records of the feature cache were computed again", stats.Damaged)
	}
	return nil
}

// warmOne runs the frozen pass on a source, and keeps what was learnt of its images.
func (in *inputs) warmOne(ctx context.Context, s *features.Source, progress func(done, cached int)) error {
	s.Know(in.digests.Of) // again: another run of a batch may have read them meanwhile
	var bad func(i int, err error)
	if in.skipBad {
		bad = func(i int, err error) { in.digests.Bad(s.Sample(i), err) }
	}
	if err := s.WarmGood(ctx, in.frozenBatch(), progress, bad); err != nil {
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
	s := &features.Source{Encoded: in.digests.Watch(part), Decode: in.decoder.Decode, Compute: in.filled(stage.Features), Store: in.store, Workers: in.options.Workers}
	if d := in.deeper; d != nil {
		s.Deeper, s.Compute = &features.Deeper{Compute: in.filled(d.Features), Store: d.store}, in.filled(d.HeadInputs)
	}
	if c := in.options.Cluster; c != nil {
		s.Own = c.Own(part.Len(), in.config.Training.BatchSize)
	}
	s.Know(in.digests.Of)
	return s
}

func (in *inputs) filled(compute features.Compute) features.Compute {
	if in.store == nil {
		return compute
	}
	return features.Filled(compute, in.frozenBatch())
}

// frozenBatch is the number of images in a batch of the frozen part whose output is
// stored.
func (in *inputs) frozenBatch() int { return cmp.Or(in.network.Info().FrozenBatch, features.BatchSize) }

// openStore opens the store of a stage.
func (in *inputs) openStore(stage string) (err error) {
	if in.decoder == nil {
		decoder, err := in.env.Decoder(in.network.Info().Input, in.options.Workers)
		if err != nil {
			return err
		}
		in.decoder = decoder
	}
	from := ""
	if stage == HeadStage {
		from = in.config.Training.HeadFeaturesFrom
	}
	if in.options.Cache.Off {
		return in.computeFrom(from, "")
	}
	space, err := in.featureSpace(stage)
	if err != nil {
		return err
	}
	var below string
	if from != "" {
		if below, err = in.featureSpace(from); err != nil {
			return err
		}
		space += "\nfrom the features of\n" + below
	}
	if in.store != nil && in.space == space {
		return nil
	}
	in.closeSpace(in.store)
	in.store = nil
	if d := in.deeper; d != nil && d.store != nil && d.space == space { // filled by the pass of the head
		in.store, d.store = d.store, nil
		in.store.Limit(in.options.Cache.MaxBytes)
	} else if in.store, err = in.openSpace(space); err != nil {
		return err
	}
	in.space = space
	return in.computeFrom(from, below)
}

// computeFrom ends the use of an earlier deeper stage and begins that of another,
// whose features have a space, if any.
func (in *inputs) computeFrom(stage, space string) (err error) {
	if err := in.closeDeeper(); err != nil || stage == "" {
		return err
	}
	in.deeper = &deeper{network: in.network, name: stage, space: space}
	if space != "" && !in.last {
		in.deeper.store, err = in.openSpace(space)
	}
	return err
}

func (in *inputs) featureSpace(stage string) (string, error) {
	return in.network.FeatureSpace(stage, frozenWeights(in.config.Model.InitFrom, in.network.Info(), stage))
}

// openSpace opens a space of the cache, in memory if the folder cannot be used.
func (in *inputs) openSpace(space string) (*features.Store, error) {
	cache := &in.options.Cache
	unwritable := cache.Homeless
	store, err := in.env.Caches.Open(cache.Options, space)
	if err != nil && cache.Dir != "" {
		unwritable = err
		cache.Dir = ""
		store, err = in.env.Caches.Open(cache.Options, space)
	}
	if unwritable != nil {
		in.env.Warn("features are kept in memory, for this run only: %v (%s)", unwritable, pipeline.Option("cache-dir"))
		cache.Homeless = nil
	}
	return store, err
}

// closeSpace closes what openSpace opened. An error loses nothing that was stored.
func (in *inputs) closeSpace(store *features.Store) {
	if store != nil {
		in.env.Caches.Release(store)
	}
}

// closeDeeper closes the stage from which the head's features are computed.
func (in *inputs) closeDeeper() error {
	d := in.deeper
	if d == nil {
		return nil
	}
	in.deeper = nil
	in.closeSpace(d.store)
	return d.close()
}

func (in *inputs) close() {
	in.closeSpace(in.store)
	_ = in.closeDeeper()
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
	for _, folder := range in.received {
		_ = os.RemoveAll(folder)
	}
}
