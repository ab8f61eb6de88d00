package features

import (
	"context"
	"fmt"
	"slices"

	"tftl/pipeline"
)

// BatchSize is the number of images in a batch of the frozen part if its output
// is stored, whatever the batch size of training, unless the network's device has
// another.
const BatchSize = 32

// Compute turns pixels into activations, both [N,…].
type Compute func(ctx context.Context, images pipeline.Batch) (pipeline.Batch, error)

// Filled is compute in batches of exactly n images: a short batch is filled up
// with copies of its last image. TensorFlow chooses kernels by a tensor's size,
// so the last bits of an image's activations depend on the size of its batch: in
// most networks for a batch of one, on many processors for other small sizes.
// What is stored must not depend on it.
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
				return pipeline.Batch{}, fmt.Errorf("features: activations of %d images have shape %v", n, done.Shape)
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
