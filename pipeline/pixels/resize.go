package pixels

import (
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"

	"tftl/pipeline"
)

// fit resizes [1,H,W,3] uint8 to the size of the options, in float32. The
// exporter's Input.decode (scripts/tftl_export/graph/images.py) does the same.
func fit(s *op.Scope, images tf.Output, o Options) (tf.Output, error) {
	size := op.Const(s.SubScope("target"), []int32{int32(o.Height), int32(o.Width)})
	if o.Fit == "" || o.Fit == "stretch" {
		return resize(s, images, size, o.Interpolation)
	}
	// TensorFlow would turn the division by a constant into a multiplication by
	// its inverse. That rounds differently, so that a side may be a pixel off.
	size = op.PlaceholderWithDefault(s, size, tf.MakeShape(2))
	switch o.Fit {
	case "crop":
		return resize(s, crop(s.SubScope("crop"), images, size), size, o.Interpolation)
	case "pad":
		return pad(s.SubScope("pad"), images, size, o.Interpolation)
	}
	return tf.Output{}, pipeline.Errorf(pipeline.BadModel, "fit %q: must be stretch, crop or pad", o.Fit)
}

// crop keeps the middle, in the aspect ratio of size. It rounds towards zero in
// float32, like Keras' crop_to_aspect_ratio.
func crop(s *op.Scope, images, size tf.Output) tf.Output {
	zero := op.Const(s.SubScope("zero"), []int32{0})
	has := sides(s, images)
	// The length that each side would need for the other one to fit.
	of := op.Cast(s.SubScope("of"), op.Mul(s, op.ReverseV2(s, has, zero), size), tf.Float)
	by := op.Cast(s.SubScope("by"), op.ReverseV2(s.SubScope("reversed"), size, zero), tf.Float)
	fitting := op.Cast(s, op.Div(s, of, by), tf.Int32)
	middle := op.Maximum(s, op.Minimum(s, has, fitting), op.Const(s.SubScope("one"), []int32{1}))
	start := op.FloorDiv(s, op.Sub(s, has, middle), op.Const(s.SubScope("two"), []int32{2}))
	all := op.Const(s.SubScope("all"), []int32{-1})
	return op.Slice(s, images, join(s.SubScope("from"), zero, start, zero), join(s.SubScope("n"), all, middle, all))
}

// pad keeps the whole image, between black bars. It is tf.image.resize_with_pad,
// except that even the thinnest image keeps a pixel.
func pad(s *op.Scope, images, size tf.Output, interpolation string) (tf.Output, error) {
	zero := op.Const(s.SubScope("zero"), []int32{0})
	has, whole := op.Cast(s.SubScope("has"), sides(s, images), tf.Float), op.Cast(s.SubScope("whole"), size, tf.Float)
	scaled := op.Div(s.SubScope("scaled"), has, op.Max(s, op.Div(s, has, whole), zero))
	inner := op.Maximum(s, op.Cast(s.SubScope("inner"), op.Floor(s, scaled), tf.Int32), op.Const(s.SubScope("one"), []int32{1}))
	half := op.Div(s.SubScope("half"), op.Sub(s, whole, scaled), op.Const(s.SubScope("two"), []float32{2}))
	before := op.Cast(s.SubScope("before"), op.Floor(s.SubScope("before"), half), tf.Int32)
	rest := op.Sub(s.SubScope("rest"), size, inner)
	before = op.Minimum(s, op.Maximum(s.SubScope("before"), before, zero), rest)
	after := op.Sub(s.SubScope("after"), rest, before)
	bars := []tf.Output{join(s.SubScope("from"), zero, before, zero), join(s.SubScope("to"), zero, after, zero)}
	resized, err := resize(s.SubScope("resize"), images, inner, interpolation)
	if err != nil {
		return tf.Output{}, err
	}
	return op.Pad(s, resized, op.Pack(s, bars, op.PackAxis(1))), nil
}

// sides returns height and width of [N,H,W,C].
func sides(s *op.Scope, images tf.Output) tf.Output {
	s = s.SubScope("sides")
	return op.Slice(s, op.Shape(s, images), op.Const(s.SubScope("from"), []int32{1}), op.Const(s.SubScope("n"), []int32{2}))
}

func join(s *op.Scope, parts ...tf.Output) tf.Output {
	return op.ConcatV2(s, parts, op.Const(s.SubScope("axis"), int32(0)))
}

// resize is tf.image.resize, from [1,H,W,3] uint8 to float32.
func resize(s *op.Scope, images, size tf.Output, interpolation string) (tf.Output, error) {
	switch interpolation {
	case "bilinear":
		return op.ResizeBilinear(s, images, size, op.ResizeBilinearHalfPixelCenters(true)), nil
	case "nearest":
		near := op.ResizeNearestNeighbor(s, images, size, op.ResizeNearestNeighborHalfPixelCenters(true))
		return op.Cast(s, near, tf.Float), nil
	case "bicubic":
		return op.ResizeBicubic(s, images, size, op.ResizeBicubicHalfPixelCenters(true)), nil
	case "area":
		return op.ResizeArea(s, images, size), nil
	case "lanczos3":
		// Like tf.image.resize, compute the scale as size / input size in float32.
		scale := op.Div(s, op.Cast(s.SubScope("to"), size, tf.Float), op.Cast(s.SubScope("of"), sides(s, images), tf.Float))
		zero := op.Const(s.SubScope("zero"), []float32{0, 0})
		resized := s.AddOperation(tf.OpSpec{ // the binding has no function for it
			Type:  "ScaleAndTranslate",
			Input: []tf.Input{images, size, scale, zero},
			Attrs: map[string]any{"kernel_type": "lanczos3", "antialias": false},
		})
		return resized.Output(0), nil
	}
	return tf.Output{}, pipeline.Errorf(pipeline.BadModel, "interpolation %q: must be one of %s", interpolation,
		strings.Join([]string{"bilinear", "nearest", "bicubic", "area", "lanczos3"}, ", "))
}
