package features

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tftl/pipeline"
)

// Source is a pipeline.Source of activations: what the frozen part of a network
// makes of the images in Encoded. It is safe for concurrent use; its fields must
// not change once it is in use.
//
// A batch has samples and activations. Targets and weights are not cached, so
// training adds them.
type Source struct {
	Encoded pipeline.Encoded
	// Decode turns images into pixels, [N,H,W,3]. An error names the sample.
	Decode func(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error)
	// Compute runs the frozen part: the Features of a pipeline.Stage. An image's
	// activations must not depend on the other images in its batch or, if they are
	// stored, on the size of the batch: see Filled.
	Compute Compute
	// Deeper, if set, comes before Compute, which then turns activations at that cut
	// into its own.
	Deeper *Deeper
	// Variant, if set, describes what Decode does to a sample that does not follow
	// from its bytes, such as a random augmentation. Empty stands for nothing. It is
	// part of what activations are cached by.
	Variant func(pipeline.Sample) string
	// Store is open for the space that Decode and Compute define. If it is nil,
	// every batch is read, decoded and computed.
	Store *Store
	// Own lists the images that the frozen pass computes, if other processes compute
	// the rest; nil for all.
	Own []int
	// Workers is how many images are read at a time; 0 is one per CPU.
	Workers int

	mu      sync.Mutex
	digests []Digest // of the images as first read; zero if not read yet
	left    int      // images that Warm did not compute
	waited  time.Duration
	shape   []int64 // of one image's activations, from Compute; nil if not known yet
}

// image is one sample on its way through a Source.
type image struct {
	index   int
	sample  pipeline.Sample
	digest  Digest
	encoded []byte // nil until needed
}

// Len is the number of images.
func (s *Source) Len() int { return s.Encoded.Len() }

// Due is the number of images of the frozen pass.
func (s *Source) Due() int {
	if s.Own != nil {
		return len(s.Own)
	}
	return s.Len()
}

// due lists the next images of the frozen pass, at most n.
func (s *Source) due(start, n int) []int {
	index := make([]int, min(n, s.Due()-start))
	for i := range index {
		if index[i] = start + i; s.Own != nil {
			index[i] = s.Own[start+i]
		}
	}
	return index
}

// Sample is image i without its bytes.
func (s *Source) Sample(i int) pipeline.Sample { return s.Encoded.Sample(i) }

// Digest is the SHA-256 of image i's bytes, or zero if it has not been read yet.
func (s *Source) Digest(i int) Digest {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.digests == nil {
		return Digest{}
	}
	return s.digests[i]
}

// Batch returns activations, from the Store if it has them. Each image is hashed
// once. If it must be read again and has changed, that is an error, as a run on
// changing data is meaningless. The epoch is ignored.
func (s *Source) Batch(ctx context.Context, epoch int, index []int) (pipeline.Batch, error) {
	if len(index) == 0 {
		return pipeline.Batch{}, errors.New("features: empty batch requested")
	}
	images := s.images(index)
	if err := s.identify(ctx, images); err != nil {
		return pipeline.Batch{}, err
	}
	out := pipeline.Batch{Samples: make([]pipeline.Sample, len(images))}
	for i, im := range images {
		out.Samples[i] = im.sample
	}
	shape, err := s.expect(images)
	if err != nil {
		return pipeline.Batch{}, err
	}
	width := elements(shape)
	var missing []int // positions in images
	if shape != nil {
		out.Shape = append([]int64{int64(len(images))}, shape...)
		out.Data = make([]float32, len(images)*width)
	}
	for i, im := range images {
		if shape == nil || !s.Store.Get(s.key(im), shape, out.Data[i*width:(i+1)*width]) {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}

	lacking := make([]image, len(missing))
	for i, m := range missing {
		lacking[i] = images[m]
	}
	computed, err := s.fromScratch(ctx, lacking)
	if err != nil {
		return pipeline.Batch{}, err
	}
	if len(missing) == len(images) {
		out.Shape, out.Data = computed.Shape, computed.Data
		return out, nil
	}
	if !slices.Equal(shape, computed.Shape[1:]) {
		// The shape came from a record. Now that Compute's is known, every record
		// that differs from it is taken for damaged.
		return s.Batch(ctx, epoch, index)
	}
	for i, m := range missing {
		copy(out.Data[m*width:(m+1)*width], computed.Data[i*width:(i+1)*width])
	}
	return out, nil
}

// images are the samples of index with their digests, if known.
func (s *Source) images(index []int) []image {
	out := make([]image, len(index))
	for i, at := range index {
		out[i] = image{index: at, sample: s.Encoded.Sample(at)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.digests != nil {
		for i, at := range index {
			out[i].digest = s.digests[at]
		}
	}
	return out
}

// identify reads the images whose digests are not known.
func (s *Source) identify(ctx context.Context, images []image) error {
	return s.read(ctx, images, func(im image) bool { return im.digest == Digest{} })
}

// expect is the shape of one image's activations, or nil if neither Compute nor a
// record has told it yet. A record whose shape would make too large a batch tells
// nothing.
func (s *Source) expect(images []image) ([]int64, error) {
	if s.Store == nil {
		return nil, nil
	}
	s.mu.Lock()
	shape := s.shape
	s.mu.Unlock()
	if shape != nil {
		return shape, pipeline.CheckBatch(len(images), elements(shape))
	}
	for i := 0; shape == nil && i < len(images); i++ {
		shape, _ = s.Store.Shape(s.key(images[i]))
	}
	if pipeline.CheckBatch(len(images), elements(shape)) != nil {
		shape = nil
	}
	return shape, nil
}

// key is what an image's activations are stored under: its digest, or the digest of
// that and its variant.
func (s *Source) key(im image) Digest {
	if s.Variant == nil {
		return im.digest
	}
	variant := s.Variant(im.sample)
	if variant == "" {
		return im.digest
	}
	return sha256.Sum256(append(im.digest[:], variant...))
}

// fromScratch reads, decodes and computes images, and stores the result.
func (s *Source) fromScratch(ctx context.Context, images []image) (pipeline.Batch, error) {
	if err := s.read(ctx, images, func(im image) bool { return im.encoded == nil }); err != nil {
		return pipeline.Batch{}, err
	}
	in, err := s.enter(ctx, images)
	if err != nil {
		return pipeline.Batch{}, err
	}
	computed, _, err := s.compute(ctx, images, in)
	return computed, err
}

func (s *Source) decode(ctx context.Context, images []image) (pipeline.Batch, error) {
	encoded := make([][]byte, len(images))
	samples := make([]pipeline.Sample, len(images))
	for i, im := range images {
		encoded[i], samples[i] = im.encoded, im.sample
	}
	return s.Decode(ctx, encoded, samples)
}

// compute runs the frozen part and stores the result. stored is false if the Store
// refused any of it.
func (s *Source) compute(ctx context.Context, images []image, in entry) (out pipeline.Batch, stored bool, err error) {
	if out, err = s.toDeeper(ctx, images, in); err == nil {
		out, err = s.Compute(ctx, out)
	}
	if err != nil {
		return out, false, err
	}
	width, err := widthOf(out, len(images))
	if err != nil {
		return out, false, err
	}
	shape := out.Shape[1:]
	s.mu.Lock()
	if s.shape == nil {
		s.shape = slices.Clone(shape)
	}
	known := s.shape
	s.mu.Unlock()
	if !slices.Equal(known, shape) {
		return out, false, fmt.Errorf("features: activations of one image have shape %v, but had %v before", shape, known)
	}
	stored = true
	for i, im := range images {
		stored = s.Store.Put(s.key(im), shape, out.Data[i*width:(i+1)*width]) && stored
	}
	return out, stored, nil
}

// read reads and hashes the images that want holds for, in parallel. Of several
// errors it returns the one of the first image.
func (s *Source) read(ctx context.Context, images []image, want func(image) bool) error {
	var todo []int
	for i, im := range images {
		if want(im) {
			todo = append(todo, i)
		}
	}
	errs := make([]error, len(todo))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(s.workers(), len(todo)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(todo) || ctx.Err() != nil {
					return
				}
				if errs[i] = s.readOne(&images[todo[i]]); errs[i] != nil {
					next.Store(int64(len(todo))) // earlier images are being read already
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) workers() int {
	if s.Workers > 0 {
		return s.Workers
	}
	return runtime.GOMAXPROCS(0)
}

var errChanged = errors.New("the image has changed since the run first read it")

func (s *Source) readOne(im *image) error {
	encoded, err := s.Encoded.Bytes(im.index)
	if err != nil {
		return err
	}
	im.encoded = encoded
	im.digest = sha256.Sum256(encoded)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.digests == nil {
		s.digests = make([]Digest, s.Encoded.Len())
	}
	switch s.digests[im.index] {
	case im.digest:
	case Digest{}:
		s.digests[im.index] = im.digest
	default:
		im.encoded = nil
		err := pipeline.Errorf(pipeline.BadData, "%s: %w", im.sample.ID, errChanged)
		return pipeline.WithHint(err, "start the run again with %s, and do not change the data meanwhile", pipeline.Option("verify"))
	}
	return nil
}
