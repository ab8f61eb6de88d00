// Package image turns encoded images into pixel tensors: decode and resize, as
// a TensorFlow graph built with tfgo and run once an image, many at a time. One
// bad image would fail a whole batch inside one graph run; here it is one error
// that names it.
//
// Its pixels are those of tf.io.decode_image and tf.image.resize to the last
// bit: same kernels. What is cropped or padded is so as Keras does it. An
// Augmenter varies such pixels, a batch at a time and on the CPU, by draws that
// follow from the seed, the epoch and the sample alone. It knows nothing of data
// sets or files.
package image

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	"github.com/galeone/tfgo"
	"golang.org/x/sync/errgroup"

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
	in := op.Placeholder(tfgo.NewScope(root), tf.String, op.PlaceholderShape(tf.ScalarShape()))
	out, err := decodeTo(root.SubScope("rgb"), in, 3, o)
	if err != nil {
		return nil, err
	}
	opaque, err := decodeTo(root.SubScope("rgba"), in, 4, o)
	if err != nil {
		return nil, err
	}
	graph, err := root.Finalize()
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	// Its own threads would fight over the processors with the workers, and
	// with the network: one image's decoding has no use for them.
	session, err := tf.NewSession(graph, singleThreaded())
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return &Decoder{options: o, session: session, encoded: in, pixels: out, opaque: opaque}, nil
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
	size := d.options.Height * d.options.Width * 3
	batch := pipeline.Batch{
		Samples: slices.Clone(samples),
		Shape:   []int64{int64(len(encoded)), int64(d.options.Height), int64(d.options.Width), 3},
		Data:    make([]float32, len(encoded)*size),
	}
	failures := make([]error, len(encoded))
	var group errgroup.Group
	group.SetLimit(d.options.Workers)
	for i := range encoded {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			failures[i] = d.one(encoded[i], batch.Data[i*size:(i+1)*size])
			return nil
		})
	}
	_ = group.Wait()
	if err := ctx.Err(); err != nil {
		return pipeline.Batch{}, err
	}
	for i, err := range failures {
		if err != nil {
			err := pipeline.Errorf(pipeline.BadData, "image %s: %w", samples[i].ID, err)
			return pipeline.Batch{}, pipeline.WithHint(err, "--on-bad-image skip leaves such images out; tftl inspect finds them all")
		}
	}
	return batch, nil
}

func (d *Decoder) one(encoded []byte, into []float32) error {
	if len(encoded) == 0 {
		return fmt.Errorf("the file is empty")
	}
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
	encoded := make([][]byte, len(index))
	samples := make([]pipeline.Sample, len(index))
	for i, at := range index {
		var err error
		if encoded[i], err = s.Encoded.Bytes(at); err != nil {
			return pipeline.Batch{}, err
		}
		samples[i] = s.Encoded.Sample(at)
	}
	return s.Decoder.Decode(ctx, encoded, samples)
}
