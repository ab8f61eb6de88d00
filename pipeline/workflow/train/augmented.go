package train

import (
	"context"
	"fmt"
	"slices"

	"tftl/pipeline"
	"tftl/pipeline/features"
)

// training returns the source of the training part, and the sources on which the
// frozen pass must run first.
func (in *inputs) training(stage pipeline.Stage) (pipeline.Source, []*features.Source, error) {
	part, missing, err := in.images(stage)
	if err != nil {
		return nil, nil, err
	}
	if in.config.Training.Sampler == BalancedSampler {
		return balancedSource{part, balancedDraws(in.config.Seed, in.set)}, missing, nil
	}
	return shuffled{part}, missing, nil
}

// images returns the training part, augmented and mixed, and the sources on which
// the frozen pass must run first. Pixels are mixed if they pass through the frozen
// part in each epoch, features otherwise.
func (in *inputs) images(stage pipeline.Stage) (images, []*features.Source, error) {
	t := in.config.Training
	a, m := t.Augmentation, mixer{mixup: t.MixUp, cutmix: t.CutMix, seed: in.config.Seed}
	if !a.Enabled() && t.CutMix == 0 {
		s := in.features(stage, in.set.Train)
		return mixed{unchanged{s}, m, in.shares()}, []*features.Source{s}, nil
	}
	if a.Enabled() && in.augmenter == nil { // one for all stages
		augmenter, err := in.env.Augmenter(a, in.config.Seed, in.network.Info().Input, in.config.Runtime.Threads)
		if err != nil {
			return nil, nil, err
		}
		in.augmenter = augmenter
		in.env.Describe(augmenter)
	}
	if a.Copies == 0 {
		pixels, err := in.pixels(in.features(stage, in.set.Train))
		part := fresh{Source: pixels, mixer: m, frozen: stage.Features, shares: in.shares()}
		if in.augmenter != nil {
			part.change = in.augmenter.Apply
		}
		return part, nil, err
	}
	made, needed := in.copies(stage)
	return mixed{made, m, in.shares()}, needed, nil
}

// copies returns sources of augmented copies, and those that the run needs.
func (in *inputs) copies(stage pipeline.Stage) (made copies, needed []*features.Source) {
	t := in.config.Training
	made = make(copies, t.Augmentation.Copies)
	for i := range made {
		epoch := i + 1
		s := in.features(stage, in.set.Train)
		s.Decode = func(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
			pixels, err := in.decoder.Decode(ctx, encoded, samples)
			if err != nil {
				return pixels, err
			}
			return in.augmenter.Apply(ctx, epoch, pixels)
		}
		s.Variant = func(sample pipeline.Sample) string { return in.augmenter.Variant(epoch, sample) }
		made[i] = s
	}
	needed = slices.Clone(made)       // the caller appends to it
	if t.Sampler != BalancedSampler { // which needs more copies of a rare image than there are epochs
		var epochs int
		for _, s := range t.Stages {
			epochs += s.Epochs
		}
		needed = needed[:min(len(made), epochs)]
	}
	in.env.Say("augmented copies: %d of each of %d images are cached; this takes up to %d frozen passes, and epochs take none",
		len(needed), in.set.Train.Len(), len(needed))
	return made, needed
}

// pixels turns a source of features into one of decoded images. It keeps as many
// as fit in memory and decodes the others again every epoch. They are float32,
// because resized pixels are not whole numbers.
func (in *inputs) pixels(s *features.Source) (*features.Source, error) {
	s.Compute = func(_ context.Context, images pipeline.Batch) (pipeline.Batch, error) { return images, nil }
	s.Store, s.Deeper = nil, nil
	if in.options.Cache.Off {
		in.sayFresh(s.Len(), "decoded")
		return s, nil
	}
	if in.decoded == nil { // one for all stages
		room, input := in.pixelRoom(), in.network.Info().Input
		var err error
		if in.decoded, err = features.Open(features.Options{MaxBytes: room}, "pixels"); err != nil {
			return nil, err
		}
		kept := "decoded once"
		if need := int64(s.Due()) * int64(input.Height*input.Width) * 3 * 4; room > 0 && need > room {
			kept = fmt.Sprintf("decoded, %d%% of them once (%.1f of %.1f GB fit in memory)", 100*room/need, float64(room)/1e9, float64(need)/1e9)
		}
		in.sayFresh(s.Len(), kept)
	}
	s.Store, in.fresh = in.decoded, s
	return s, nil
}

// decodeFresh decodes the images that are augmented again every epoch, as many as
// fit in memory, and hashes the others.
func (in *inputs) decodeFresh(ctx context.Context) error {
	event := pipeline.Event{Phase: "read", Total: in.fresh.Due()}
	return in.warmOne(ctx, in.fresh, func(done, _ int) {
		event.Done = done
		in.env.Progress(event)
	})
}

func (in *inputs) sayFresh(images int, kept string) {
	instead := pipeline.Messagef("%s K caches K passes", pipeline.Option("augment-copies"))
	if in.config.Training.CutMix > 0 {
		instead = pipeline.Messagef("%s needs pixels", pipeline.Option("cutmix"))
	}
	in.env.Say("new augmentation every epoch: %d images are %s and pass through the frozen part in each epoch (%v)", images, kept, instead)
}

// pixelRoom returns how many bytes decoded images may take: the cache's limit, but
// at most half of the free memory.
func (in *inputs) pixelRoom() int64 {
	limit := in.options.Cache.MaxBytes
	if free := in.env.FreeMemory(); free >= 0 && (limit == 0 || free/2 < limit) {
		return max(free/2, 1)
	}
	return limit
}
