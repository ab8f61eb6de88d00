package train

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/features"
	"tftl/pipeline/workflow"
)

// training returns the source of the training part, and the sources on which the
// frozen pass must run first.
func (in *inputs) training(stage pipeline.Stage) (pipeline.Source, []*features.Source, error) {
	a := in.config.Training.Augmentation
	if !a.Enabled() {
		s := in.features(stage, in.set.Train)
		return s, []*features.Source{s}, nil
	}
	if in.augmenter == nil { // one for all stages
		augmenter, err := in.env.Augmenter(a, in.config.Seed, in.network.Info().Input, in.config.Runtime.Threads)
		if err != nil {
			return nil, nil, err
		}
		in.augmenter = augmenter
		in.env.Describe(augmenter)
	}
	if a.Copies == 0 {
		pixels, err := in.pixels(in.features(stage, in.set.Train))
		return fresh{pixels, in.augmenter, stage.Features}, nil, err
	}
	made := make(copies, a.Copies)
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
	var epochs int
	for _, s := range in.config.Training.Stages {
		epochs += s.Epochs
	}
	needed := made[:min(len(made), epochs)]
	in.env.Say("augmented copies: %d of each of %d images are cached; this takes up to %d frozen passes, and epochs take none",
		len(needed), in.set.Train.Len(), len(needed))
	return made, slices.Clone(needed), nil // the caller appends to it
}

// pixels turns a source of features into one of decoded images. It keeps as many
// as fit in memory and decodes the others again every epoch. They are float32,
// because resized pixels are not whole numbers.
func (in *inputs) pixels(s *features.Source) (*features.Source, error) {
	s.Compute = func(_ context.Context, images pipeline.Batch) (pipeline.Batch, error) { return images, nil }
	s.Store = nil
	if in.options.Cache.Off {
		in.sayFresh(s.Len(), "decoded")
		return s, nil
	}
	if in.decoded == nil { // one for all stages
		room, input := pixelRoom(in.options.Cache.MaxBytes), in.network.Info().Input
		var err error
		if in.decoded, err = features.Open(features.Options{MaxBytes: room}, "pixels"); err != nil {
			return nil, err
		}
		kept := "decoded once"
		if need := int64(s.Len()) * int64(input.Height*input.Width) * 3 * 4; room > 0 && need > room {
			kept = fmt.Sprintf("decoded, %d%% of them once (%.1f of %.1f GB fit in memory)", 100*room/need, float64(room)/1e9, float64(need)/1e9)
		}
		in.sayFresh(s.Len(), kept)
	}
	s.Store = in.decoded
	return s, nil
}

func (in *inputs) sayFresh(images int, kept string) {
	in.env.Say("new augmentation every epoch: %d images are %s and pass through the frozen part in each epoch (%s K caches K passes)",
		images, kept, pipeline.Option("augment-copies"))
}

// pixelRoom returns how many bytes decoded images may take: the cache's limit, but
// at most half of the free memory.
func pixelRoom(limit int64) int64 {
	for _, source := range []struct{ file, field string }{
		{"/proc/meminfo", "MemAvailable:"}, // kB
		{"/sys/fs/cgroup/memory.max", ""},  // bytes, of a container
	} {
		text, err := os.ReadFile(source.file)
		if err != nil {
			continue // another system: use the limit
		}
		_, rest, _ := strings.Cut(string(text), source.field)
		words := strings.Fields(rest)
		if len(words) == 0 {
			continue
		}
		bytes, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			continue // max: no limit
		}
		if len(words) > 1 && words[1] == "kB" {
			bytes *= 1024
		}
		if limit == 0 || bytes/2 < limit {
			limit = bytes / 2
		}
	}
	return limit
}

// fresh is a pipeline.Source that augments images and computes features again
// every epoch.
type fresh struct {
	*features.Source // of pixels
	augmenter        workflow.Augmenter
	frozen           func(context.Context, pipeline.Batch) (pipeline.Batch, error)
}

func (s fresh) Batch(ctx context.Context, epoch int, index []int) (pipeline.Batch, error) {
	pixels, err := s.Source.Batch(ctx, epoch, index)
	if err != nil {
		return pixels, err
	}
	if pixels, err = s.augmenter.Apply(ctx, epoch, pixels); err != nil {
		return pixels, err
	}
	return s.frozen(ctx, pixels)
}

// copies is a pipeline.Source of augmented copies. Epochs use them in turn.
type copies []*features.Source

func (c copies) Len() int                     { return c[0].Len() }
func (c copies) Sample(i int) pipeline.Sample { return c[0].Sample(i) }

func (c copies) Batch(ctx context.Context, epoch int, index []int) (pipeline.Batch, error) {
	return c[(epoch-1)%len(c)].Batch(ctx, epoch, index)
}
