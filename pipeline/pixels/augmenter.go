package pixels

import (
	"context"
	"encoding/json"
	"fmt"
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

// Augmenter changes batches of pixels at random, each image by its own draw, in
// one run of a TensorFlow graph. Given the same draw, Keras' ImageDataGenerator
// makes the same pixels, except at the edge with the fill mode constant, and
// beyond it with wrap. An Augmenter is safe for concurrent use.
type Augmenter struct {
	options       pipeline.Augmentation
	seed          uint64
	height, width int
	session       *tf.Session
	in, out       tf.Output
	parameters    []parameter
}

// parameter is an input of the graph that takes values of each image's draw.
type parameter struct {
	input  tf.Output
	shape  []int64 // for one image
	values func(Draw) []float32
}

// NewAugmenter builds the graph for images of one size. TensorFlow uses at most
// so many threads; 0 means one per processor.
func NewAugmenter(a pipeline.Augmentation, seed uint64, height, width, threads int) (*Augmenter, error) {
	if err := CheckAugmentation(a); err != nil {
		return nil, err
	}
	g := &Augmenter{options: a, seed: seed, height: height, width: width}
	root := tfgo.NewRoot()
	g.in = op.Placeholder(root.SubScope("pixels"), tf.Float, op.PlaceholderShape(tf.MakeShape(-1, int64(height), int64(width), 3)))
	g.out = g.in
	g.build(root)
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
	if g.session, err = tensor.NewSession(graph, &tf.SessionOptions{Config: config}); err != nil {
		return nil, fmt.Errorf("augmentation: %w", err)
	}
	return g, nil
}

// Close frees the graph.
func (g *Augmenter) Close() error { return g.session.Close() }

// Draw returns what is drawn for a sample in an epoch.
func (g *Augmenter) Draw(epoch int, s pipeline.Sample) Draw {
	return newDraw(g.options, g.seed, g.options.Epoch(epoch), s.ID, g.height, g.width)
}

// Variant returns, as text, everything that determines what Apply makes of a
// sample's pixels in an epoch: features cached under it can be used whenever it
// comes up again. It is empty if the pixels stay as they are.
func (g *Augmenter) Variant(epoch int, s pipeline.Sample) string {
	d := g.Draw(epoch, s)
	if d.none() {
		return ""
	}
	text, err := json.Marshal(d)
	if err != nil { // no draw has a value that JSON cannot hold
		text = fmt.Appendf(nil, "%v", err)
	}
	return fmt.Sprintf("augmentation 1 %s %s %v", text, g.options.FillMode, g.options.CVal)
}

// Apply changes a batch of pixels, 0 to 255, in place and returns it.
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

// build adds what is enabled to the graph: geometry in one step, then colours.
func (g *Augmenter) build(root *op.Scope) {
	list := slices.DeleteFunc(augmentations(&g.options), func(x augmentation) bool { return !enabled(x) })
	if slices.ContainsFunc(list, func(x augmentation) bool { _, is := x.(geometry); return is }) {
		g.geometry(root.SubScope("geometry"))
	}
	for _, x := range list {
		if x, is := x.(colour); is {
			s := root.SubScope(x.name())
			value := g.parameter(s, []int64{1, 1, 1}, func(d Draw) []float32 { return []float32{d.value(x.name())} })
			g.out = x.apply(s, g.out, value)
		}
	}
}

// parameter adds an input that takes values of each image's draw.
func (g *Augmenter) parameter(s *op.Scope, shape []int64, values func(Draw) []float32) tf.Output {
	whole := tf.MakeShape(append([]int64{-1}, shape...)...)
	input := op.Placeholder(s.SubScope("draw"), tf.Float, op.PlaceholderShape(whole))
	g.parameters = append(g.parameters, parameter{input, shape, values})
	return input
}

// geometry resamples the images by each one's transform.
func (g *Augmenter) geometry(s *op.Scope) {
	transforms := g.parameter(s, []int64{8}, func(d Draw) []float32 {
		var flat []float32
		for _, row := range d.transform() {
			flat = append(flat, float32(row[0]), float32(row[1]), float32(row[2]))
		}
		return flat[:8] // the ninth is 1
	})
	size := tfgo.Const(s, []int32{int32(g.height), int32(g.width)})
	fill := tfgo.Const(s, float32(g.options.CVal))
	g.out = op.ImageProjectiveTransformV3(s, g.out, transforms, size, fill, "BILINEAR",
		op.ImageProjectiveTransformV3FillMode(strings.ToUpper(g.options.FillMode)))
}
