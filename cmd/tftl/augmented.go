package main

import (
	"context"
	"os"
	"strconv"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/image"
)

// training makes the source of the training part, and lists what the frozen
// pass has to fill for it. source makes one of images as they are.
func (in *inputs) training(stage pipeline.Stage, source func(dataset.Part) *features.Source) (pipeline.Source, []*features.Source, error) {
	a := in.o.config.Training.Augmentation
	if !a.Enabled() {
		s := source(in.set.Train)
		return s, []*features.Source{s}, nil
	}
	first := in.augmenter == nil
	if first {
		in.t.describeAugmentation(a)
		size := in.model.Description.Input.Size
		var err error
		if in.augmenter, err = image.NewAugmenter(a, in.o.config.Seed, size[0], size[1], in.o.config.Runtime.Threads); err != nil {
			return nil, nil, err
		}
	}
	if a.Copies == 0 {
		pixels, err := in.pixels(source(in.set.Train))
		return anew{pixels, in.augmenter, stage.Features}, nil, err
	}
	if in.store == nil {
		return nil, nil, pipeline.Errorf(pipeline.BadUsage, "--augment-copies %d: needs the feature cache, which is off", a.Copies)
	}
	var epochs int
	for _, s := range in.o.config.Training.Stages {
		epochs += s.Epochs
	}
	used := make(copies, min(a.Copies, epochs))
	for i := range used {
		epoch := i + 1
		s := source(in.set.Train)
		s.Decode = func(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
			pixels, err := in.decoder.Decode(ctx, encoded, samples)
			if err != nil {
				return pixels, err
			}
			return in.augmenter.Apply(ctx, epoch, pixels)
		}
		s.Variant = func(sample pipeline.Sample) string { return in.augmenter.Variant(epoch, sample) }
		used[i] = s
	}
	in.t.say("%d augmented copies of each of %d images are cached: %d frozen passes, less what is cached already, and none in later epochs",
		len(used), in.set.Train.Len(), len(used))
	return used, used, nil
}

// pixels makes a source of features one of decoded images, which are kept in
// memory as far as they fit.
func (in *inputs) pixels(s *features.Source) (*features.Source, error) {
	s.Compute = func(_ context.Context, images pipeline.Batch) (pipeline.Batch, error) { return images, nil }
	s.Store = in.decoded
	const cost = "%d images are augmented anew and run through the frozen part in every epoch: a frozen pass an epoch (--augment-copies caches a few)"
	if in.o.cache.off {
		in.t.say("feature cache off: images are decoded every epoch")
		in.t.say(cost, s.Len())
		return s, nil
	}
	if in.decoded == nil {
		var err error
		if s.Store, err = features.Open(features.Options{MaxBytes: pixelRoom(in.o.cache.MaxBytes)}, "pixels"); err != nil {
			return nil, err
		}
		in.decoded = s.Store
	}
	in.t.say(cost, s.Len())
	return s, nil
}

// anew is a pipeline.Source that draws and computes every epoch.
type anew struct {
	*features.Source // of pixels
	augmenter        *image.Augmenter
	frozen           func(context.Context, pipeline.Batch) (pipeline.Batch, error)
}

func (s anew) Batch(ctx context.Context, epoch int, index []int) (pipeline.Batch, error) {
	pixels, err := s.Source.Batch(ctx, epoch, index)
	if err != nil {
		return pixels, err
	}
	if pixels, err = s.augmenter.Apply(ctx, epoch, pixels); err != nil {
		return pixels, err
	}
	return s.frozen(ctx, pixels)
}
