package pixels

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"tftl/pipeline"
)

// AugmentOption is an option that sets a field of a pipeline.Augmentation.
type AugmentOption struct {
	Name  pipeline.Option
	Usage string // what it does; its value's placeholder is in backquotes
	Value any    // the field: *bool, *int, *float64, *string or *pipeline.Factors
	// Choices are what a *string can be.
	Choices []string
	// Alone turns a single number into factors; nil if both must be given.
	Alone func(float64) pipeline.Factors

	invalid       bool
	must          string // what a valid value is
	shown         bool   // the value matters
	note, warning pipeline.Message
}

// maxCopies is the most augmented copies of an image. Each is cached.
const maxCopies = 1_000

// set reports whether the value asks for a change.
func (o AugmentOption) set() bool {
	switch v := o.Value.(type) {
	case *bool:
		return *v
	case *int:
		return *v != 0
	case *float64:
		return *v != 0
	case *pipeline.Factors:
		return v.Change()
	}
	return false
}

// read returns the value.
func (o AugmentOption) read() any { return reflect.ValueOf(o.Value).Elem().Interface() }

// describe returns the option as a user would write it.
func (o AugmentOption) describe() pipeline.Message {
	switch v := o.Value.(type) {
	case *bool:
		return pipeline.Messagef("%s", o.Name)
	case *pipeline.Factors:
		return pipeline.Messagef("%s %v,%v", o.Name, v[0], v[1])
	}
	return pipeline.Messagef("%s %v", o.Name, o.read())
}

// AugmentOptions lists the options of every augmentation, then those that apply
// to all of them. Their values point into a.
func AugmentOptions(a *pipeline.Augmentation) []AugmentOption {
	var all []AugmentOption
	for _, x := range augmentations(a) {
		for _, o := range x.options() {
			o.shown = o.set()
			all = append(all, o)
		}
	}
	copies := AugmentOption{
		Name: "augment-copies", Usage: "cache `K` augmented copies of each image and use one per epoch, in turn; 0 makes a new one every epoch and runs the frozen part each time",
		Value: &a.Copies, shown: a.Copies != 0, invalid: a.Copies < 0 || a.Copies > maxCopies, must: fmt.Sprintf("from 0 to %d", maxCopies),
	}
	return slices.Concat(all, fillOptions(a), []AugmentOption{copies})
}

// fillOptions apply to all geometry that uncovers something.
func fillOptions(a *pipeline.Augmentation) []AugmentOption {
	modes := []string{"nearest", "constant", "reflect", "wrap"}
	mode := AugmentOption{
		Name: "fill-mode", Usage: "fill the area beyond the edge: nearest, reflect, constant or wrap", Value: &a.FillMode, Choices: modes, shown: uncovers(a),
		invalid: a.Enabled() && !slices.Contains(modes, a.FillMode), must: "nearest, constant, reflect or wrap",
	}
	switch {
	case mode.shown && a.FillMode == "constant":
		mode.warning = pipeline.Messagef("%s constant: TensorFlow blends the outermost pixels of an image with cval, Keras does not; all other pixels are equal", mode.Name)
	case mode.shown && a.FillMode == "wrap":
		mode.warning = pipeline.Messagef("%s wrap: TensorFlow repeats an image after its last pixel, Keras one pixel earlier; the area beyond the edge differs", mode.Name)
	}
	level := AugmentOption{
		Name: "cval", Usage: "fill with `LEVEL` (0 to 255); for fill mode constant", Value: &a.CVal, shown: mode.shown && a.FillMode == "constant",
		invalid: outside(a.CVal, 0, 255), must: "from 0 to 255",
	}
	return []AugmentOption{mode, level}
}

// uncovers reports whether what is beyond an image's edge can be seen.
func uncovers(a *pipeline.Augmentation) bool {
	return slices.ContainsFunc(augmentations(a), func(x augmentation) bool {
		g, is := x.(geometry)
		return is && g.uncovers() && enabled(g)
	})
}

// enabled reports whether an augmentation can change an image.
func enabled(x augmentation) bool {
	return slices.ContainsFunc(x.options(), AugmentOption.set)
}

// outside reports whether a number is out of bounds, as NaN is.
func outside(v, least, most float64) bool { return !(v >= least && v <= most) }

// beyond reports whether factors are out of bounds or the wrong way round.
func beyond(f pipeline.Factors, least, most float64) bool {
	return f != pipeline.Factors{} && (outside(f[0], least, most) || outside(f[1], f[0], most))
}

// CheckAugmentation returns an error that names the first option whose value
// makes no sense.
func CheckAugmentation(a pipeline.Augmentation) error {
	for _, o := range AugmentOptions(&a) {
		if o.invalid {
			return pipeline.Errorf(pipeline.BadUsage, "%s %v: must be %s", o.Name, o.read(), o.must)
		}
	}
	if a.Copies != 0 && !a.Enabled() {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %d: there is no augmentation to copy", pipeline.Option("augment-copies"), a.Copies)
		return pipeline.WithHint(err, "add an augmentation, such as %s light", pipeline.Option("augment"))
	}
	return nil
}

// DescribeAugmentation lists the options that are set, followed by notes on
// values that are easily misunderstood. Warnings say how pixels differ from Keras'.
func DescribeAugmentation(a pipeline.Augmentation) (notes, warnings []pipeline.Message) {
	var set []any
	for _, o := range AugmentOptions(&a) {
		if !o.shown {
			continue
		}
		set = append(set, o.describe())
		if !o.note.Empty() {
			notes = append(notes, pipeline.Messagef("note: %v", o.note))
		}
		if !o.warning.Empty() {
			warnings = append(warnings, o.warning)
		}
	}
	summary := pipeline.Messagef("augmentation:"+strings.Repeat(" %v", len(set)), set...)
	return append([]pipeline.Message{summary}, notes...), warnings
}

// PresetAugmentation returns the augmentation of a preset. The empty name is the
// one that changes nothing.
func PresetAugmentation(name string) (pipeline.Augmentation, error) {
	a := pipeline.Augmentation{FillMode: "nearest"}
	switch name {
	case "":
	case "article":
		a.HorizontalFlip, a.ShearRange, a.ZoomRange = true, 0.2, pipeline.Factors{0.8, 1.2}
	case "light":
		a.HorizontalFlip, a.RotationRange, a.ZoomRange = true, 10, pipeline.Factors{0.9, 1.1}
		a.WidthShiftRange, a.HeightShiftRange = 0.05, 0.05
	case "strong":
		a.HorizontalFlip, a.RotationRange, a.ShearRange, a.RandomResizedCrop = true, 30, 15, pipeline.Factors{0.4, 1}
		a.WidthShiftRange, a.HeightShiftRange = 0.1, 0.1
		a.ChannelShiftRange, a.BrightnessRange, a.ContrastRange = 20, pipeline.Factors{0.7, 1.3}, pipeline.Factors{0.7, 1.3}
	default:
		return a, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be article, light or strong", pipeline.Option("augment"), name)
	}
	return a, nil
}
