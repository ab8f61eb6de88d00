package pixels

import (
	"fmt"
	"math"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	"github.com/galeone/tfgo"

	"tftl/pipeline"
)

// An augmentation is one kind of random change: a geometry or a colour. To add
// one, add its field to pipeline.Augmentation, a type here and a line to
// augmentations. Its options, their checks and descriptions, what it draws and
// what it does to an image all come from the type.
type augmentation interface {
	options() []AugmentOption
	// draw adds a random change to a Draw. It takes the same number of values from
	// the stream whether it is enabled or not, so that enabling one augmentation
	// does not change what the others draw.
	//
	// A geometry records what it drew with d.note and changes the draw's matrices.
	// A colour calls d.colour, but only if it changes this image: without a value
	// the image counts as unchanged and shares the original's cached features.
	draw(random stream, d *Draw)
}

// geometry moves pixels.
type geometry interface {
	augmentation
	// uncovers reports whether it can show what is beyond an image's edge, so that
	// the fill mode matters.
	uncovers() bool
}

// colour changes pixel values.
type colour interface {
	augmentation
	name() string // of the value that it draws
	// apply adds the change to the graph. value has each image's drawn value, in a
	// shape for use with a batch. It is 0 for an image without one, and apply must
	// return that image bit for bit; a colour that always draws a value need not
	// care. Two operations of the same kind need different scopes (tfgo.Const has
	// its own).
	apply(s *op.Scope, images, value tf.Output) tf.Output
}

// augmentations lists them all. They draw in this order. Geometry is applied
// first, in one step, then colours in this order. It is the order of
// ImageDataGenerator, followed by what Keras lacks. Add new ones at the end: any
// other place changes what those behind it draw.
func augmentations(a *pipeline.Augmentation) []augmentation {
	return []augmentation{
		rotation{&a.RotationRange},
		shift{&a.WidthShiftRange, &a.HeightShiftRange},
		shear{&a.ShearRange},
		zoom{&a.ZoomRange},
		flips{&a.HorizontalFlip, &a.VerticalFlip},
		resizedCrop{&a.RandomResizedCrop},
		channelShift{&a.ChannelShiftRange},
		brightness{&a.BrightnessRange},
		contrast{&a.ContrastRange},
	}
}

// Limits of values that have none by their nature: of shifts in pixels, and of factors.
// Nothing is left of an image long before, but arithmetic still works.
const (
	maxShift  = 1_000_000
	maxFactor = 1000.0
)

type rotation struct{ degrees *float64 }

func (r rotation) options() []AugmentOption {
	return []AugmentOption{{
		Name: "rotation-range", Usage: "rotate by up to `DEGREES` either way", Value: r.degrees,
		invalid: outside(*r.degrees, 0, 360), must: "from 0 to 360 degrees",
	}}
}

func (r rotation) uncovers() bool { return true }

func (r rotation) draw(random stream, d *Draw) {
	theta := random.either(*r.degrees)
	d.note("theta", theta)
	d.around = d.around.times(rotated(theta))
}

type shift struct{ width, height *float64 }

func (s shift) options() []AugmentOption {
	return []AugmentOption{{
		Name: "width-shift-range", Usage: "shift left or right by up to `X`: below 1 a fraction of the width, otherwise pixels", Value: s.width,
		invalid: outside(*s.width, 0, maxShift), must: fmt.Sprintf("from 0 to %d", maxShift),
	}, {
		Name: "height-shift-range", Usage: "shift up or down by up to `Y`: below 1 a fraction of the height, otherwise pixels", Value: s.height,
		invalid: outside(*s.height, 0, maxShift), must: fmt.Sprintf("from 0 to %d", maxShift),
	}}
}

func (s shift) uncovers() bool { return true }

func (s shift) draw(random stream, d *Draw) {
	x, y := random.either(inPixels(*s.width, d.width)), random.either(inPixels(*s.height, d.height))
	d.note("tx", x)
	d.note("ty", y)
	d.around = d.around.times(moved(x, y))
}

// inPixels converts a shift range to pixels. Like Keras, it takes a number below
// 1 for a fraction.
func inPixels(shift, size float64) float64 {
	if shift < 1 {
		return shift * size
	}
	return shift
}

type shear struct{ degrees *float64 }

func (s shear) options() []AugmentOption {
	o := AugmentOption{
		Name: "shear-range", Usage: "shear by up to `DEGREES` either way, as in Keras: 0.2 is hardly visible", Value: s.degrees,
		invalid: outside(*s.degrees, 0, math.Nextafter(90, 0)), must: "from 0 to below 90 degrees",
	}
	if *s.degrees > 0 && *s.degrees < 1 {
		o.note = pipeline.Messagef("%s is in degrees, as in Keras: %v is hardly visible", o.Name, *s.degrees)
	}
	return []AugmentOption{o}
}

func (s shear) uncovers() bool { return true }

func (s shear) draw(random stream, d *Draw) {
	degrees := random.either(*s.degrees)
	d.note("shear", degrees)
	d.around = d.around.times(sheared(degrees))
}

type zoom struct{ factors *pipeline.Factors }

func (z zoom) options() []AugmentOption {
	return []AugmentOption{{
		Name: "zoom-range", Usage: "scale width and height by factors from 1-Z to 1+Z for `Z`, or from A to B for A,B; below 1 enlarges", Value: z.factors,
		Alone:   func(v float64) pipeline.Factors { return pipeline.Factors{1 - v, 1 + v} },
		invalid: beyond(*z.factors, 1/maxFactor, maxFactor), must: fmt.Sprintf("two factors from %v to %v, the smaller first", 1/maxFactor, maxFactor),
	}}
}

func (z zoom) uncovers() bool { return true }

func (z zoom) draw(random stream, d *Draw) {
	x, y := random.factor(*z.factors), random.factor(*z.factors)
	d.note("zx", x)
	d.note("zy", y)
	d.around = d.around.times(scaled(x, y))
}

type flips struct{ horizontal, vertical *bool }

func (f flips) options() []AugmentOption {
	return []AugmentOption{
		{Name: "horizontal-flip", Usage: "flip half of the images left to right", Value: f.horizontal},
		{Name: "vertical-flip", Usage: "flip half of the images upside down", Value: f.vertical},
	}
}

func (f flips) uncovers() bool { return false }

func (f flips) draw(random stream, d *Draw) {
	horizontal, vertical := random.unit() < 0.5 && *f.horizontal, random.unit() < 0.5 && *f.vertical
	d.note("flip_horizontal", horizontal)
	d.note("flip_vertical", vertical)
	if horizontal {
		d.flips = append(d.flips, matrix{{-1, 0, d.width - 1}, {0, 1, 0}, {0, 0, 1}})
	}
	if vertical {
		d.flips = append(d.flips, matrix{{1, 0, 0}, {0, -1, d.height - 1}, {0, 0, 1}})
	}
}

type resizedCrop struct{ area *pipeline.Factors }

func (c resizedCrop) options() []AugmentOption {
	return []AugmentOption{{
		Name: "random-resized-crop", Usage: "crop to a random part with `MIN[,MAX]` of the area, then resize", Value: c.area,
		Alone:   func(v float64) pipeline.Factors { return pipeline.Factors{v, 1} },
		invalid: beyond(*c.area, math.SmallestNonzeroFloat64, 1), must: "two fractions of the area, above 0 and up to 1, the smaller first",
	}}
}

// uncovers is true because the outermost pixels blend with half a pixel beyond
// the edge.
func (c resizedCrop) uncovers() bool { return true }

// draw picks the area and the aspect ratio. The ratio is relative to the
// image's, from 3/4 to 4/3 on a logarithmic scale, or as far as the image allows.
func (c resizedCrop) draw(random stream, d *Draw) {
	area := random.factor(*c.area)
	widest := min(math.Log(4.0/3), -math.Log(area))
	aspect := math.Exp(random.either(widest))
	width, height := min(math.Sqrt(area*aspect), 1), min(math.Sqrt(area/aspect), 1)
	box := [4]float64{random.between(0, 1-width), random.between(0, 1-height), width, height}
	d.note("crop", box) // left, top, width and height as fractions of the image
	if box != [4]float64{0, 0, 1, 1} {
		// A crop begins at a pixel's corner, which is half a pixel from its centre.
		d.crop = moved(box[0]*d.width-0.5, box[1]*d.height-0.5).times(scaled(width, height)).times(moved(0.5, 0.5))
	}
}

type channelShift struct{ levels *float64 }

func (c channelShift) options() []AugmentOption {
	return []AugmentOption{{
		Name: "channel-shift-range", Usage: "shift all channels by up to `LEVELS` (of 255) either way", Value: c.levels,
		invalid: outside(*c.levels, 0, 255), must: "from 0 to 255",
	}}
}

func (c channelShift) name() string { return "channel_shift_intensity" }

func (c channelShift) draw(random stream, d *Draw) {
	if shift := random.either(*c.levels); *c.levels != 0 {
		d.colour(c.name(), shift)
	}
}

// apply keeps the result within the levels that the image has.
func (c channelShift) apply(s *op.Scope, images, value tf.Output) tf.Output {
	all := tfgo.Const(s, []int32{1, 2, 3})
	low, high := op.Min(s, images, all, op.MinKeepDims(true)), op.Max(s, images, all, op.MaxKeepDims(true))
	return op.Minimum(s, op.Maximum(s, op.Add(s, images, value), low), high)
}

type brightness struct{ factors *pipeline.Factors }

func (b brightness) options() []AugmentOption {
	return []AugmentOption{{
		Name: "brightness-range", Usage: "multiply levels by a random factor from `A,B`", Value: b.factors,
		invalid: beyond(*b.factors, 0, maxFactor), must: fmt.Sprintf("two factors from 0 to %v, the smaller first", maxFactor),
	}}
}

func (b brightness) name() string { return "brightness" }

func (b brightness) draw(random stream, d *Draw) {
	if factor := random.factor(*b.factors); b.factors.Change() {
		d.colour(b.name(), factor)
	}
}

// apply rounds down to whole levels before and after, as Pillow does for Keras.
func (b brightness) apply(s *op.Scope, images, value tf.Output) tf.Output {
	whole := func(s *op.Scope, x tf.Output) tf.Output { return op.Floor(s, clip(s, x)) }
	return whole(s.SubScope("to"), op.Mul(s, whole(s.SubScope("from"), images), value))
}

type contrast struct{ factors *pipeline.Factors }

func (c contrast) options() []AugmentOption {
	return []AugmentOption{{
		Name: "contrast-range", Usage: "scale contrast by a random factor from `A,B`", Value: c.factors,
		invalid: beyond(*c.factors, 0, maxFactor), must: fmt.Sprintf("two factors from 0 to %v, the smaller first", maxFactor),
	}}
}

func (c contrast) name() string { return "contrast" }

func (c contrast) draw(random stream, d *Draw) {
	if factor := random.factor(*c.factors); c.factors.Change() {
		d.colour(c.name(), factor)
	}
}

// apply is tf.image.adjust_contrast: it scales the distance to each channel's mean.
func (c contrast) apply(s *op.Scope, images, value tf.Output) tf.Output {
	mean := op.Mean(s, images, tfgo.Const(s, []int32{1, 2}), op.MeanKeepDims(true))
	return clip(s, op.Add(s, op.Mul(s, op.Sub(s, images, mean), value), mean))
}

// clip limits levels to 0 to 255.
func clip(s *op.Scope, x tf.Output) tf.Output {
	return op.ClipByValue(s, x, tfgo.Const(s, float32(0)), tfgo.Const(s, float32(255)))
}
