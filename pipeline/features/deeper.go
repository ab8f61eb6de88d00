package features

import (
	"context"
	"fmt"

	"tftl/pipeline"
)

// Deeper is the network up to a deeper cut than a Source's. A run that trains
// there next needs its activations too, so they are stored on the way.
type Deeper struct {
	// Compute turns pixels into activations at the deeper cut, with the same demands
	// as Source.Compute.
	Compute Compute
	// Store is open for the space of these activations; nil keeps none.
	Store *Store
}

// entry is where a batch of images enters the network: as pixels, or, if the
// Store of Deeper has them all, at the deeper cut.
type entry struct {
	pipeline.Batch
	deeper bool
}

// enter decodes images, unless their activations at the deeper cut are stored.
func (s *Source) enter(ctx context.Context, images []image) (entry, error) {
	if kept, ok := s.fromDeeper(images); ok {
		return entry{kept, true}, nil
	}
	pixels, err := s.decode(ctx, images)
	return entry{Batch: pixels}, err
}

// fromDeeper returns images' activations at the deeper cut if all are stored.
func (s *Source) fromDeeper(images []image) (out pipeline.Batch, ok bool) {
	if s.Deeper == nil {
		return out, false
	}
	store := s.Deeper.Store
	for _, im := range images {
		if _, ok := store.Shape(s.key(im)); !ok {
			return out, false
		}
	}
	shape, _ := store.Shape(s.key(images[0]))
	width := elements(shape)
	if pipeline.CheckBatch(len(images), width) != nil {
		return out, false
	}
	out.Shape = append([]int64{int64(len(images))}, shape...)
	out.Data = make([]float32, len(images)*width)
	for i, im := range images {
		out.Samples = append(out.Samples, im.sample)
		if !store.Get(s.key(im), shape, out.Data[i*width:(i+1)*width]) {
			return out, false
		}
	}
	return out, true
}

// toDeeper computes and stores activations at the deeper cut, if there is one. A
// refusal costs nothing: what is not stored is computed when that cut's turn comes.
func (s *Source) toDeeper(ctx context.Context, images []image, in entry) (pipeline.Batch, error) {
	if s.Deeper == nil || in.deeper {
		return in.Batch, nil
	}
	out, err := s.Deeper.Compute(ctx, in.Batch)
	if err != nil {
		return out, err
	}
	width, err := widthOf(out, len(images))
	if err != nil {
		return out, err
	}
	for i, im := range images {
		s.Deeper.Store.Put(s.key(im), out.Shape[1:], out.Data[i*width:(i+1)*width])
	}
	return out, nil
}

// widthOf returns the number of one image's activations, or an error if b is not
// the activations of n images.
func widthOf(b pipeline.Batch, n int) (int, error) {
	if len(b.Shape) == 0 || b.Shape[0] != int64(n) {
		return 0, fmt.Errorf("features: activations of %d images have shape %v", n, b.Shape)
	}
	width := elements(b.Shape[1:])
	if width < 0 || n*width != len(b.Data) {
		return 0, fmt.Errorf("features: %d activations do not fill shape %v", len(b.Data), b.Shape)
	}
	return width, nil
}
