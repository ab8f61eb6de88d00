package pixels

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	"github.com/galeone/tfgo"
	"google.golang.org/protobuf/proto"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// Augmenter changes batches of pixels at random, each image by its own draw,
// in one run of a TensorFlow graph. Its pixels are those of Keras'
// ImageDataGenerator given the same draw, but for the fill modes constant, at
// the edge, and wrap. It is safe for concurrent use.
type Augmenter struct {
	options       pipeline.Augmentation
	seed          uint64
	height, width int
	session       *tf.Session
	in, out       tf.Output
	parameters    []parameter
}

// parameter is an input of the graph that takes figures of each image's draw.
type parameter struct {
	input  tf.Output
	shape  []int64 // of one image's
	values func(Draw) []float32
}

// NewAugmenter builds the graph of what is asked for, for images of one size.
// Threads is how many processors TensorFlow may use; 0 for all.
func NewAugmenter(a pipeline.Augmentation, seed uint64, height, width, threads int) (*Augmenter, error) {
	if err := CheckAugmentation(a); err != nil {
		return nil, err
	}
	g := &Augmenter{options: a, seed: seed, height: height, width: width}
	root := tfgo.NewRoot()
	g.in = op.Placeholder(root.SubScope("pixels"), tf.Float, op.PlaceholderShape(tf.MakeShape(-1, int64(height), int64(width), 3)))
	g.out = g.in
	// The order is ImageDataGenerator's; what it lacks comes last.
	g.geometry(root.SubScope("geometry"))
	g.channelShift(root.SubScope("channel_shift"))
	g.brightness(root.SubScope("brightness"))
	g.contrast(root.SubScope("contrast"))
	graph, err := root.Finalize()
	if err != nil {
		return nil, fmt.Errorf("augmentation: %w", err)
	}
	config, err := proto.Marshal(&for_core_protos_go_proto.ConfigProto{
		IntraOpParallelismThreads: int32(threads),
		DeviceCount:               map[string]int32{"GPU": 0},
	})
	if err != nil {
		return nil, fmt.Errorf("augmentation: %w", err)
	}
	if g.session, err = tf.NewSession(graph, &tf.SessionOptions{Config: config}); err != nil {
		return nil, fmt.Errorf("augmentation: %w", err)
	}
	return g, nil
}

// Close ends the session.
func (g *Augmenter) Close() error { return g.session.Close() }

// Draw is what a sample is given in an epoch.
func (g *Augmenter) Draw(epoch int, s pipeline.Sample) Draw {
	return draw(g.options, g.seed, g.options.Epoch(epoch), s.ID, g.height, g.width)
}

// Variant is everything that decides what Apply makes of a sample's pixels in
// an epoch, as text: what was cached under it can be used wherever it comes up
// again. It is empty where they stay as they are.
func (g *Augmenter) Variant(epoch int, s pipeline.Sample) string {
	d := g.Draw(epoch, s)
	if d.none() {
		return ""
	}
	text, err := json.Marshal(d)
	if err != nil { // no draw has a figure that JSON lacks
		text = fmt.Appendf(nil, "%v", err)
	}
	return fmt.Sprintf("augmentation 1 %s %s %v", text, g.options.FillMode, g.options.CVal)
}

// Apply changes a batch of pixels, 0 to 255, where it lies, and returns it.
func (g *Augmenter) Apply(ctx context.Context, epoch int, batch pipeline.Batch) (pipeline.Batch, error) {
	if err := ctx.Err(); err != nil {
		return pipeline.Batch{}, err
	}
	if g.out == g.in || len(batch.Samples) == 0 {
		return batch, nil
	}
	feeds := make(map[tf.Output]*tf.Tensor, 1+len(g.parameters))
	defer func() {
		for _, t := range feeds {
			tensor.Free(t)
		}
	}()
	var err error
	if feeds[g.in], err = tensor.Floats(batch.Shape, batch.Data); err != nil {
		return pipeline.Batch{}, fmt.Errorf("augmentation: %w", err)
	}
	draws := make([]Draw, len(batch.Samples))
	for i, s := range batch.Samples {
		draws[i] = g.Draw(epoch, s)
	}
	for _, p := range g.parameters {
		var values []float32
		for _, d := range draws {
			values = append(values, p.values(d)...)
		}
		if feeds[p.input], err = tensor.Floats(append([]int64{int64(len(draws))}, p.shape...), values); err != nil {
			return pipeline.Batch{}, fmt.Errorf("augmentation: %w", err)
		}
	}
	results, err := g.session.Run(feeds, []tf.Output{g.out}, nil)
	if err != nil {
		return pipeline.Batch{}, fmt.Errorf("augmentation: %w", err)
	}
	defer tensor.Free(results...)
	if copied := copy(batch.Data, tensor.View(results[0])); copied != len(batch.Data) {
		return pipeline.Batch{}, fmt.Errorf("augmentation: %d images became %v", len(draws), results[0].Shape())
	}
	return batch, nil
}

// parameter adds an input for figures of each image's draw.
func (g *Augmenter) parameter(s *op.Scope, shape []int64, values func(Draw) []float32) tf.Output {
	whole := tf.MakeShape(append([]int64{-1}, shape...)...)
	input := op.Placeholder(s.SubScope("draw"), tf.Float, op.PlaceholderShape(whole))
	g.parameters = append(g.parameters, parameter{input, shape, values})
	return input
}

// scalar is a parameter of one figure, to be used with a batch of images.
func (g *Augmenter) scalar(s *op.Scope, value func(Draw) *float64) tf.Output {
	return g.parameter(s, []int64{1, 1, 1}, func(d Draw) []float32 { return []float32{float32(*value(d))} })
}

func (g *Augmenter) geometry(s *op.Scope) {
	if a := g.options; !a.Geometric() && !a.HorizontalFlip && !a.VerticalFlip {
		return
	}
	transforms := g.parameter(s, []int64{8}, func(d Draw) []float32 {
		var flat []float32
		for _, row := range d.transform(g.height, g.width) {
			flat = append(flat, float32(row[0]), float32(row[1]), float32(row[2]))
		}
		return flat[:8] // the ninth is 1
	})
	size := tfgo.Const(s, []int32{int32(g.height), int32(g.width)})
	fill := tfgo.Const(s, float32(g.options.CVal))
	g.out = op.ImageProjectiveTransformV3(s, g.out, transforms, size, fill, "BILINEAR",
		op.ImageProjectiveTransformV3FillMode(strings.ToUpper(g.options.FillMode)))
}

// channelShift adds the same to all channels, and keeps within the levels that
// the image has.
func (g *Augmenter) channelShift(s *op.Scope) {
	if g.options.ChannelShiftRange == 0 {
		return
	}
	shift := g.scalar(s, func(d Draw) *float64 { return d.ChannelShift })
	all := tfgo.Const(s, []int32{1, 2, 3})
	low, high := op.Min(s, g.out, all, op.MinKeepDims(true)), op.Max(s, g.out, all, op.MaxKeepDims(true))
	g.out = op.Minimum(s, op.Maximum(s, op.Add(s, g.out, shift), low), high)
}

// brightness multiplies whole levels and gives whole levels, rounded down, as
// Pillow does for Keras.
func (g *Augmenter) brightness(s *op.Scope) {
	if !g.options.BrightnessRange.Change() {
		return
	}
	factor := g.scalar(s, func(d Draw) *float64 { return d.Brightness })
	g.out = level(s.SubScope("from"), g.out)
	g.out = level(s.SubScope("to"), op.Mul(s, g.out, factor))
}

func level(s *op.Scope, x tf.Output) tf.Output { return op.Floor(s, clip(s, x)) }

// contrast is tf.image.adjust_contrast: away from each channel's mean.
func (g *Augmenter) contrast(s *op.Scope) {
	if !g.options.ContrastRange.Change() {
		return
	}
	factor := g.scalar(s, func(d Draw) *float64 { return d.Contrast })
	mean := op.Mean(s, g.out, tfgo.Const(s, []int32{1, 2}), op.MeanKeepDims(true))
	g.out = clip(s, op.Add(s, op.Mul(s, op.Sub(s, g.out, mean), factor), mean))
}

// clip keeps levels from 0 to 255.
func clip(s *op.Scope, x tf.Output) tf.Output {
	return op.ClipByValue(s, x, tfgo.Const(s, float32(0)), tfgo.Const(s, float32(255)))
}

// CheckAugmentation says what of an augmentation makes no sense, by the name
// that its flag has.
func CheckAugmentation(a pipeline.Augmentation) error {
	within := func(low, high float64, values ...float64) bool {
		for _, v := range values {
			if !(v >= low && v <= high) { // as a NaN is not
				return false
			}
		}
		return true
	}
	factors := func(f pipeline.Factors, least, most float64) bool {
		return f == pipeline.Factors{} || within(least, most, f[:]...) && f[0] <= f[1]
	}
	most, little := math.MaxFloat64, math.SmallestNonzeroFloat64
	for _, option := range []struct {
		name  string
		value any
		good  bool
		must  string
	}{
		{"rotation-range", a.RotationRange, within(0, 360, a.RotationRange), "from 0 to 360 degrees"},
		{"width-shift-range", a.WidthShiftRange, within(0, most, a.WidthShiftRange), "0 or more"},
		{"height-shift-range", a.HeightShiftRange, within(0, most, a.HeightShiftRange), "0 or more"},
		{"shear-range", a.ShearRange, within(0, math.Nextafter(90, 0), a.ShearRange), "from 0 to below 90 degrees"},
		{"zoom-range", a.ZoomRange, factors(a.ZoomRange, little, most), "two factors above 0, the lesser first"},
		{"random-resized-crop", a.RandomResizedCrop, factors(a.RandomResizedCrop, little, 1), "two parts of the area, above 0 and up to 1, the lesser first"},
		{"channel-shift-range", a.ChannelShiftRange, within(0, 255, a.ChannelShiftRange), "from 0 to 255"},
		{"brightness-range", a.BrightnessRange, factors(a.BrightnessRange, 0, most), "two factors, 0 or more, the lesser first"},
		{"contrast-range", a.ContrastRange, factors(a.ContrastRange, 0, most), "two factors, 0 or more, the lesser first"},
		{"fill-mode", a.FillMode, !a.Enabled() || slices.Contains([]string{"nearest", "constant", "reflect", "wrap"}, a.FillMode), "nearest, constant, reflect or wrap"},
		{"cval", a.CVal, within(0, 255, a.CVal), "from 0 to 255"},
		{"augment-copies", a.Copies, a.Copies >= 0, "0 or more"},
	} {
		if !option.good {
			return pipeline.Errorf(pipeline.BadUsage, "--%s %v: must be %s", option.name, option.value, option.must)
		}
	}
	return nil
}
