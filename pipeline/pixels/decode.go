// Package pixels turns encoded images into pixel tensors: decode and resize, as
// a TensorFlow graph built with tfgo and run once an image, many at a time. One
// bad image would fail a whole batch inside one graph run; here it is one error
// that names it.
//
// Its pixels are those of tf.io.decode_image and tf.image.resize to the last
// bit: same kernels. What is cropped or padded is so as Keras does it. An
// Augmenter varies such pixels, a batch at a time and on the CPU, by draws that
// follow from the seed, the epoch and the sample alone. It knows nothing of data
// sets or files.
package pixels

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	"github.com/galeone/tfgo"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// Options say what becomes of an image. A model's own description has them.
type Options struct {
	Height, Width int
	Interpolation string // tf.image.resize's: bilinear, nearest, bicubic, area, lanczos3
	Fit           string // of another aspect ratio: stretch (or nothing), crop, pad
	Workers       int    // images decoded at a time; 0 for one a processor
}

// Decoder decodes and resizes. It is safe for concurrent use.
type Decoder struct {
	options Options
	session *tf.Session
	encoded tf.Output
	pixels  tf.Output
	opaque  tf.Output // of a WebP with transparency, which the kernel gives in four channels or not at all
	spare   spare
}

// NewDecoder builds the graph.
func NewDecoder(o Options) (*Decoder, error) {
	if o.Workers < 0 {
		return nil, pipeline.Errorf(pipeline.BadUsage, "--workers %d: must be 0 or more", o.Workers)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	root := tfgo.NewRoot()
	d := &Decoder{options: o, encoded: op.Placeholder(tfgo.NewScope(root), tf.String, op.PlaceholderShape(tf.ScalarShape()))}
	var err error
	if d.pixels, err = decodeTo(root.SubScope("rgb"), d.encoded, 3, o); err != nil {
		return nil, err
	}
	if d.opaque, err = decodeTo(root.SubScope("rgba"), d.encoded, 4, o); err != nil {
		return nil, err
	}
	graph, err := root.Finalize()
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	// Its own threads would fight over the processors with the workers, and
	// with the network: one image's decoding has no use for them.
	if d.session, err = tf.NewSession(graph, singleThreaded()); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return d, nil
}

// Close ends the session.
func (d *Decoder) Close() error { return d.session.Close() }

// decodeTo decodes to a number of channels, keeps the first three, and resizes.
func decodeTo(s *op.Scope, encoded tf.Output, channels int64, o Options) (tf.Output, error) {
	image := op.DecodeImage(s, encoded, op.DecodeImageChannels(channels), op.DecodeImageExpandAnimations(false))
	if channels > 3 { // as the other formats' kernels do: transparency is dropped, not blended
		image = op.Slice(s, image, op.Const(s.SubScope("from"), []int32{0, 0, 0}), op.Const(s.SubScope("size"), []int32{-1, -1, 3}))
	}
	return fit(s.SubScope("fit"), op.ExpandDims(s, image, op.Const(s.SubScope("axis"), int32(0))), o)
}

// Decode makes a batch of encoded images: pixels [N,H,W,3], 0 to 255, in the
// samples' order. An image that cannot be decoded is an error of kind
// pipeline.BadData that names its sample; with several, the first of the batch.
func (d *Decoder) Decode(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
	return d.decode(ctx, slices.Clone(samples), func(i int) ([]byte, error) { return encoded[i], nil })
}

// decode is Decode of what read gives, which the workers call.
func (d *Decoder) decode(ctx context.Context, samples []pipeline.Sample, read func(i int) ([]byte, error)) (pipeline.Batch, error) {
	size := d.options.Height * d.options.Width * 3
	batch := pipeline.Batch{
		Samples: samples,
		Shape:   []int64{int64(len(samples)), int64(d.options.Height), int64(d.options.Width), 3},
		Data:    d.spare.take(len(samples) * size),
	}
	batch.Recycle = func() { d.spare.give(batch.Data) }
	failures := make([]error, len(samples))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(d.options.Workers, len(samples)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(samples) {
					return
				}
				encoded, err := read(i)
				if err == nil {
					err = bad(samples[i], d.one(encoded, batch.Data[i*size:(i+1)*size]))
				}
				failures[i] = err
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return pipeline.Batch{}, err
	}
	for _, err := range failures {
		if err != nil {
			return pipeline.Batch{}, err
		}
	}
	return batch, nil
}

// bad names the sample that an error is about.
func bad(s pipeline.Sample, err error) error {
	if err == nil {
		return nil
	}
	err = pipeline.Errorf(pipeline.BadData, "image %s: %w", s.ID, err)
	return pipeline.WithHint(err, "--on-bad-image skip leaves such images out; tftl inspect finds them all")
}

func (d *Decoder) one(encoded []byte, into []float32) error {
	if err := admit(encoded); err != nil {
		return err
	}
	in, err := tf.NewTensor(string(encoded))
	if err != nil {
		return err
	}
	defer tensor.Free(in)
	results, err := d.session.Run(map[tf.Output]*tf.Tensor{d.encoded: in}, []tf.Output{d.pixels}, nil)
	if err != nil && Format(encoded) == "WebP" {
		results, err = d.session.Run(map[tf.Output]*tf.Tensor{d.encoded: in}, []tf.Output{d.opaque}, nil)
	}
	if err != nil {
		return explain(encoded, err)
	}
	defer tensor.Free(results...)
	if copied := copy(into, tensor.View(results[0])); copied != len(into) {
		return fmt.Errorf("decoded to %v", results[0].Shape())
	}
	return nil
}

// Source is a pipeline.Source of pixels. The epoch changes nothing.
type Source struct {
	Encoded pipeline.Encoded
	Decoder *Decoder
}

// Len is the number of images.
func (s Source) Len() int { return s.Encoded.Len() }

// Sample is image i without its contents.
func (s Source) Sample(i int) pipeline.Sample { return s.Encoded.Sample(i) }

// Batch reads and decodes.
func (s Source) Batch(ctx context.Context, _ int, index []int) (pipeline.Batch, error) {
	samples := make([]pipeline.Sample, len(index))
	for i, at := range index {
		samples[i] = s.Encoded.Sample(at)
	}
	return s.Decoder.decode(ctx, samples, func(i int) ([]byte, error) { return s.Encoded.Bytes(index[i]) })
}
