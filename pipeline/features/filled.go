package features

import (
	"context"
	"fmt"
	"slices"

	"tftl/pipeline"
)

// BatchSize is how many images the frozen part is given at a time where what it
// gives is stored, whatever a training step takes.
const BatchSize = 32

// Compute makes activations of pixels, both [N,…].
type Compute func(ctx context.Context, images pipeline.Batch) (pipeline.Batch, error)

// Filled is compute in batches of n images, no more and no fewer: a short one
// is filled up with copies of its last image. TensorFlow's kernels choose their
// way by a tensor's size, and so the last bits of an image's activations depend
// on the number of images beside it: for one image alone in most networks, for
// other small numbers on many processors. What is stored must not.
func Filled(compute Compute, n int) Compute {
	return func(ctx context.Context, images pipeline.Batch) (out pipeline.Batch, err error) {
		total := len(images.Samples)
		if total == n {
			return compute(ctx, images)
		}
		out = pipeline.Batch{Samples: images.Samples, Targets: images.Targets, Weights: images.Weights}
		width := len(images.Data) / max(total, 1)
		for start := 0; start < total; start += n {
			end := min(start+n, total)
			part := pipeline.Batch{Samples: slices.Clone(images.Samples[start:end]), Shape: slices.Clone(images.Shape)}
			part.Shape[0] = int64(n)
			part.Data = append(make([]float32, 0, n*width), images.Data[start*width:end*width]...)
			for len(part.Samples) < n {
				part.Samples = append(part.Samples, images.Samples[end-1])
				part.Data = append(part.Data, images.Data[(end-1)*width:end*width]...)
			}
			done, err := compute(ctx, part)
			if err != nil {
				return pipeline.Batch{}, err
			}
			if len(done.Shape) == 0 || done.Shape[0] != int64(n) || len(done.Data)%n != 0 {
				return pipeline.Batch{}, fmt.Errorf("features: %d images gave activations of shape %v", n, done.Shape)
			}
			out.Data = append(out.Data, done.Data[:len(done.Data)/n*(end-start)]...)
			out.Shape = append([]int64{int64(total)}, done.Shape[1:]...)
		}
		if images.Recycle != nil {
			images.Recycle()
		}
		return out, nil
	}
}
