package train

import (
	"context"

	"tftl/pipeline"
	"tftl/pipeline/features"
)

// images is the training part as features, each image in an epoch of its own. The
// balanced sampler draws a rare image more than once per epoch: its own epoch is
// then how often it was drawn by now, so that it gets new augmentation each time.
type images interface {
	Len() int
	Sample(i int) pipeline.Sample
	batch(ctx context.Context, epochs, index []int) (pipeline.Batch, error)
}

// shuffled is a pipeline.Source of each image once per epoch.
type shuffled struct{ images }

func (s shuffled) Batch(ctx context.Context, epoch int, index []int) (pipeline.Batch, error) {
	epochs := make([]int, len(index))
	for i := range epochs {
		epochs[i] = epoch
	}
	return s.batch(ctx, epochs, index)
}

// balancedSource is a pipeline.Source of each class equally often per epoch. An
// index is a draw, not an image.
type balancedSource struct {
	images
	draws pipeline.Balanced
}

func (s balancedSource) Len() int { return s.draws.Len() }

// Sample returns the sample of a draw in the first epoch. Others have the same
// class.
func (s balancedSource) Sample(i int) pipeline.Sample {
	samples, _ := s.draws.Draws(1, []int{i})
	return s.images.Sample(samples[0])
}

func (s balancedSource) Batch(ctx context.Context, epoch int, index []int) (pipeline.Batch, error) {
	samples, times := s.draws.Draws(epoch, index)
	return s.batch(ctx, times, samples)
}

// unchanged is images whose features are the same in all epochs.
type unchanged struct{ *features.Source }

func (s unchanged) batch(ctx context.Context, _, index []int) (pipeline.Batch, error) {
	return s.Source.Batch(ctx, 0, index)
}

// copies is images with augmented copies. Epochs use them in turn.
type copies []*features.Source

func (c copies) Len() int                     { return c[0].Len() }
func (c copies) Sample(i int) pipeline.Sample { return c[0].Sample(i) }

func (c copies) batch(ctx context.Context, epochs, index []int) (pipeline.Batch, error) {
	turns := make([]int, len(epochs))
	for i, epoch := range epochs {
		turns[i] = (epoch - 1) % len(c)
	}
	return together(turns, index, func(turn int, index []int) (pipeline.Batch, error) {
		return c[turn].Batch(ctx, 0, index)
	})
}

// mixed is images whose features are mixed.
type mixed struct {
	images
	mixer
	shares *shares
}

func (s mixed) batch(ctx context.Context, epochs, index []int) (pipeline.Batch, error) {
	part := s.shares.of(index, s.mixes())
	epochs = pick(epochs, part.read)
	b, err := s.images.batch(ctx, epochs, pick(index, part.read))
	if err == nil {
		s.apply(epochs, &b)
		part.trim(&b)
	}
	return b, err
}

// fresh is images that are augmented and run through the frozen part again every
// epoch.
type fresh struct {
	*features.Source // of pixels
	change           func(ctx context.Context, epoch int, pixels pipeline.Batch) (pipeline.Batch, error)
	mixer
	frozen features.Compute
	shares *shares
}

func (s fresh) batch(ctx context.Context, epochs, index []int) (pipeline.Batch, error) {
	part := s.shares.of(index, s.mixes())
	epochs = pick(epochs, part.read)
	pixels, err := together(epochs, pick(index, part.read), func(epoch int, index []int) (pipeline.Batch, error) {
		pixels, err := s.Source.Batch(ctx, epoch, index)
		if err != nil || s.change == nil {
			return pixels, err
		}
		return s.change(ctx, epoch, pixels)
	})
	if err != nil {
		return pixels, err
	}
	s.apply(epochs, &pixels)
	part.trim(&pixels)
	return s.frozen(ctx, pixels)
}

// together reads images with the same key at once, and returns all of them in
// their order.
func together(keys, index []int, read func(key int, index []int) (pipeline.Batch, error)) (pipeline.Batch, error) {
	groups := map[int][]int{} // positions
	for i, key := range keys {
		groups[key] = append(groups[key], i)
	}
	if len(groups) == 1 {
		return read(keys[0], index)
	}
	all := pipeline.Batch{Samples: make([]pipeline.Sample, len(index))}
	for i, key := range keys {
		group := groups[key]
		if group[0] != i {
			continue // read with the first of its group
		}
		part := make([]int, len(group))
		for k, at := range group {
			part[k] = index[at]
		}
		b, err := read(key, part)
		if err != nil {
			return b, err
		}
		width := len(b.Data) / len(part)
		if all.Data == nil {
			all.Shape = append([]int64{int64(len(index))}, b.Shape[1:]...)
			all.Data = make([]float32, len(index)*width)
		}
		for k, at := range group {
			all.Samples[at] = b.Samples[k]
			copy(all.Data[at*width:(at+1)*width], b.Data[k*width:(k+1)*width])
		}
	}
	return all, nil
}
