// Package pixels turns encoded images into pixels, augments them, and paints
// pictures of them. It knows nothing of data sets or files.
//
// A Decoder decodes and resizes in a TensorFlow graph that is run once per image,
// on several images at a time. If one run had a whole batch, a bad image would
// make it fail; this way there is an error that names the image. The pixels are
// those of tf.io.decode_image and tf.image.resize, to the last bit. All kernels
// but the usual one to resize are TensorFlow's. Cropping and padding follow Keras.
//
// An Augmenter changes pixels at random, a batch at a time and on the CPU. What
// it draws depends only on the seed, the epoch and the sample.
//
// A Painter makes thumbnails and overlays for reports.
package pixels

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	"github.com/galeone/tfgo"
	"golang.org/x/sync/semaphore"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// Options describe the decoded images. A model's description has all of them but
// Workers.
type Options struct {
	Height, Width int
	Interpolation string // as in tf.image.resize: bilinear, nearest, bicubic, area, lanczos3
	Fit           string // for another aspect ratio: stretch (the default), crop or pad
	Workers       int    // images decoded at a time; 0 means one per processor
}

// Decoder decodes and resizes images. It is safe for concurrent use.
type Decoder struct {
	options Options
	session *tf.Session
	encoded tf.Output
	rgb     decoded
	rgba    decoded // for a WebP with transparency, which the kernel only decodes to four channels
	faster  bool    // whether tensor.Bilinear gives the same pixels as the graph
	spare   spare
	room    *semaphore.Weighted // for decoded images, in pixels
	most    int64               // of room
}

// NewDecoder builds the graph.
func NewDecoder(o Options) (*Decoder, error) {
	if err := pipeline.CheckRange("workers", o.Workers, 0, pipeline.MaxWorkers); err != nil {
		return nil, err
	}
	if o.Height < 1 || o.Width < 1 || o.Height > maxPixels/o.Width {
		return nil, pipeline.Errorf(pipeline.BadModel, "cannot resize images to %d x %d pixels: must be 1 x 1 or more, and at most %d pixels", o.Height, o.Width, maxPixels)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	root := tfgo.NewRoot()
	d := &Decoder{options: o, encoded: op.Placeholder(tfgo.NewScope(root), tf.String, op.PlaceholderShape(tf.ScalarShape()))}
	d.most = max(maxPixels, pixelsPerWorker*int64(max(o.Workers, runtime.GOMAXPROCS(0))))
	d.room = semaphore.NewWeighted(d.most)
	var err error
	if d.rgb, err = decodeTo(root.SubScope("rgb"), d.encoded, 3, o); err != nil {
		return nil, err
	}
	if d.rgba, err = decodeTo(root.SubScope("rgba"), d.encoded, 4, o); err != nil {
		return nil, err
	}
	graph, err := root.Finalize()
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	// Decoding one image cannot use threads of its own, and they would compete
	// with the workers and the network for the processors.
	if d.session, err = tensor.NewSession(graph, singleThreaded()); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if d.faster, err = d.compare(); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return d, nil
}

// compare reports whether tensor.Bilinear can take the place of the graph's
// kernel: whether both give the same pixels, to the last bit. They may not if
// another build of TensorFlow rounds differently.
func (d *Decoder) compare() (bool, error) {
	if d.options.Interpolation != "bilinear" || d.options.Fit != "" && d.options.Fit != "stretch" {
		return false, nil
	}
	var image [61][47][3]byte
	for y := range image {
		for x := range image[y] {
			image[y][x] = [3]byte{byte(y * 67), byte(x * 89), byte(x*x + y*y)}
		}
	}
	in, err := tf.NewTensor(image)
	if err != nil {
		return false, err
	}
	defer tensor.Free(in)
	results, err := d.session.Run(map[tf.Output]*tf.Tensor{d.rgb.image: in}, []tf.Output{d.rgb.pixels}, nil)
	if err != nil {
		return false, err
	}
	defer tensor.Free(results...)
	got := make([]float32, d.options.Height*d.options.Width*3)
	if err := tensor.Bilinear(in, got, d.options.Height, d.options.Width); err != nil {
		return false, err
	}
	return slices.Equal(got, tensor.View(results[0])), nil
}

// Close frees the graph.
func (d *Decoder) Close() error { return d.session.Close() }

// Version changes with the kernels, and with what is refused: if other images can
// be decoded.
func (d *Decoder) Version() string { return "1, TensorFlow " + tf.Version() }

// decoded is what the graph makes of an image: uint8 [H,W,3], and its pixels at
// the size of the options.
type decoded struct{ image, pixels tf.Output }

// decodeTo adds nodes that decode to a number of channels, keep the first three,
// and resize.
func decodeTo(s *op.Scope, encoded tf.Output, channels int64, o Options) (decoded, error) {
	image := op.DecodeImage(s, encoded, op.DecodeImageChannels(channels), op.DecodeImageExpandAnimations(false))
	if channels > 3 { // like the kernels of other formats: drop transparency without blending
		image = op.Slice(s, image, op.Const(s.SubScope("from"), []int32{0, 0, 0}), op.Const(s.SubScope("size"), []int32{-1, -1, 3}))
	}
	pixels, err := fit(s.SubScope("fit"), op.ExpandDims(s, image, op.Const(s.SubScope("axis"), int32(0))), o)
	return decoded{image, pixels}, err
}

// Decode makes a batch from encoded images: pixels [N,H,W,3], 0 to 255, in the
// order of the samples. If images cannot be decoded, the error names the first of
// them; its kind is pipeline.BadData.
func (d *Decoder) Decode(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
	return d.decode(ctx, slices.Clone(samples), func(i int) ([]byte, error) { return encoded[i], nil })
}

// decode is Decode for images that the workers read.
func (d *Decoder) decode(ctx context.Context, samples []pipeline.Sample, read func(i int) ([]byte, error)) (pipeline.Batch, error) {
	size := d.options.Height * d.options.Width * 3
	if err := pipeline.CheckBatch(len(samples), size); err != nil {
		return pipeline.Batch{}, err
	}
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
					err = bad(samples[i], d.one(ctx, encoded, batch.Data[i*size:(i+1)*size]))
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

// bad adds the name of the sample to an error. An error without a kind is about the
// image.
func bad(s pipeline.Sample, err error) error {
	if err == nil {
		return nil
	}
	if kind := pipeline.KindOf(err); kind != pipeline.Other {
		return pipeline.Errorf(kind, "image %s: %w", s.ID, err)
	}
	err = pipeline.Errorf(pipeline.BadData, "image %s: %w", s.ID, err)
	return pipeline.WithHint(err, "use %s skip to leave out such images; tftl inspect lists them all", pipeline.Option("on-bad-image"))
}

// pixelsPerWorker is how many decoded pixels a worker may hold on average. Most
// photographs are smaller, so they wait for nobody. Larger images are decoded fewer at
// a time, up to one that has as many as any may have.
const pixelsPerWorker = 32 << 20

// weight is the room that an image takes while it is decoded.
func (d *Decoder) weight(h Header) int64 {
	n := h.Pixels
	if h.scans {
		n *= 3 // libjpeg keeps all coefficients, 2 bytes each
	}
	return min(n, d.most)
}

// admitted calls use with an image that is within the limits, when there is room for it.
func (d *Decoder) admitted(ctx context.Context, encoded []byte, use func(h Header, in *tf.Tensor) error) error {
	header, err := admit(encoded)
	if err != nil {
		return err
	}
	if err := d.room.Acquire(ctx, d.weight(header)); err != nil {
		return err
	}
	defer d.room.Release(d.weight(header))
	in, release, err := tensor.Lend(encoded)
	if err != nil {
		return err
	}
	defer release()
	return use(header, in)
}

func (d *Decoder) one(ctx context.Context, encoded []byte, into []float32) error {
	return d.admitted(ctx, encoded, func(header Header, in *tf.Tensor) error {
		image, err := d.run(in, d.rgb)
		if err != nil && header.Format == "WebP" {
			image, err = d.run(in, d.rgba)
		}
		if err != nil && !d.faster && d.decodes(in) {
			return d.cannotResize(header, err)
		}
		if err != nil {
			return decodeError(encoded, err)
		}
		defer tensor.Free(image)
		if d.faster {
			if err := tensor.Bilinear(image, into, d.options.Height, d.options.Width); err != nil {
				return d.cannotResize(header, err)
			}
			return nil
		}
		if copied := copy(into, tensor.View(image)); copied != len(into) {
			return d.cannotResize(header, fmt.Errorf("the result is %v", image.Shape()))
		}
		return nil
	})
}

// decodes reports whether an image can be decoded, if not resized.
func (d *Decoder) decodes(encoded *tf.Tensor) bool {
	for _, to := range []decoded{d.rgb, d.rgba} {
		if results, err := d.session.Run(map[tf.Output]*tf.Tensor{d.encoded: encoded}, []tf.Output{to.image}, nil); err == nil {
			tensor.Free(results...)
			return true
		}
	}
	return false
}

// cannotResize is an error that is not the image's fault: the model says how to resize.
func (d *Decoder) cannotResize(h Header, err error) error {
	o := d.options
	return pipeline.Errorf(pipeline.BadModel, "cannot resize %d x %d pixels to %d x %d (%s, %s): %s", h.Height, h.Width, o.Height, o.Width, o.Interpolation, cmp.Or(o.Fit, "stretch"), firstLine(err))
}

// run decodes an image, and resizes it unless that is faster outside the graph.
func (d *Decoder) run(encoded *tf.Tensor, to decoded) (*tf.Tensor, error) {
	result := to.pixels
	if d.faster {
		result = to.image
	}
	results, err := d.session.Run(map[tf.Output]*tf.Tensor{d.encoded: encoded}, []tf.Output{result}, nil)
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// Source is a pipeline.Source of pixels, which are the same in every epoch.
type Source struct {
	Encoded pipeline.Encoded
	Decoder *Decoder
}

// Len returns the number of images.
func (s Source) Len() int { return s.Encoded.Len() }

// Sample returns image i without its contents.
func (s Source) Sample(i int) pipeline.Sample { return s.Encoded.Sample(i) }

// Batch reads and decodes the images of an index.
func (s Source) Batch(ctx context.Context, _ int, index []int) (pipeline.Batch, error) {
	samples := make([]pipeline.Sample, len(index))
	for i, at := range index {
		samples[i] = s.Encoded.Sample(at)
	}
	return s.Decoder.decode(ctx, samples, func(i int) ([]byte, error) { return s.Encoded.Bytes(index[i]) })
}
