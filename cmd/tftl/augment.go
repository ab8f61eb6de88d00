package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/pixels"
)

const augmentFlags = "augmentation, of the training part" // a category in --help

// newAugmentFlags are Keras' ImageDataGenerator's, and two that it lacks.
func newAugmentFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "augment", Usage: "article, light or strong: several of the flags below at once; those given beside it win", Category: augmentFlags},
		&cli.BoolFlag{Name: "horizontal-flip", Usage: "half of the images", Category: augmentFlags},
		&cli.BoolFlag{Name: "vertical-flip", Usage: "half of the images", Category: augmentFlags},
		&cli.Float64Flag{Name: "rotation-range", Usage: "`DEGREES` to either side", Category: augmentFlags},
		&cli.Float64Flag{Name: "width-shift-range", Usage: "to either side: a fraction of the width, or pixels from 1 on", Category: augmentFlags},
		&cli.Float64Flag{Name: "height-shift-range", Usage: "up and down: a fraction of the height, or pixels from 1 on", Category: augmentFlags},
		&cli.Float64Flag{Name: "shear-range", Usage: "`DEGREES` to either side, as Keras has it: 0.2 hardly shows", Category: augmentFlags},
		&cli.StringFlag{Name: "zoom-range", Usage: "`Z`, for factors from 1-Z to 1+Z, or the two factors A,B; below 1 enlarges", Category: augmentFlags},
		&cli.StringFlag{Name: "random-resized-crop", Usage: "`LEAST[,MOST]` part of the area that a crop keeps", Category: augmentFlags},
		&cli.Float64Flag{Name: "channel-shift-range", Usage: "`LEVELS` of 0 to 255 to either side", Category: augmentFlags},
		&cli.StringFlag{Name: "brightness-range", Usage: "two factors `A,B`", Category: augmentFlags},
		&cli.StringFlag{Name: "contrast-range", Usage: "two factors `A,B`", Category: augmentFlags},
		&cli.StringFlag{Name: "fill-mode", Value: "nearest", Usage: "what lies beyond the edge: nearest, reflect, constant or wrap", Category: augmentFlags},
		&cli.Float64Flag{Name: "cval", Usage: "`LEVEL` of --fill-mode constant, 0 to 255", Category: augmentFlags},
	}
}

// newCopiesFlags are of use where there is a feature cache.
func newCopiesFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "augment-copies", Usage: "cache `K` augmented copies of each image and train on one an epoch in turn; 0 draws anew and runs the frozen part every epoch", Category: augmentFlags},
	}
}

// newAugmentation reads the flags: what was given, over what a preset says.
func newAugmentation(c *cli.Context) (a pipeline.Augmentation, err error) {
	if a, err = preset(c.String("augment")); err != nil {
		return a, err
	}
	for _, f := range []struct {
		name string
		to   *bool
	}{{"horizontal-flip", &a.HorizontalFlip}, {"vertical-flip", &a.VerticalFlip}} {
		if c.IsSet(f.name) {
			*f.to = c.Bool(f.name)
		}
	}
	for _, f := range []struct {
		name string
		to   *float64
	}{
		{"rotation-range", &a.RotationRange},
		{"width-shift-range", &a.WidthShiftRange},
		{"height-shift-range", &a.HeightShiftRange},
		{"shear-range", &a.ShearRange},
		{"channel-shift-range", &a.ChannelShiftRange},
		{"cval", &a.CVal},
	} {
		if c.IsSet(f.name) {
			*f.to = c.Float64(f.name)
		}
	}
	for _, f := range []struct {
		name  string
		alone func(v float64) pipeline.Factors // what one number stands for; nil: two are needed
		to    *pipeline.Factors
	}{
		{"zoom-range", func(v float64) pipeline.Factors { return pipeline.Factors{1 - v, 1 + v} }, &a.ZoomRange},
		{"random-resized-crop", func(v float64) pipeline.Factors { return pipeline.Factors{v, 1} }, &a.RandomResizedCrop},
		{"brightness-range", nil, &a.BrightnessRange},
		{"contrast-range", nil, &a.ContrastRange},
	} {
		if !c.IsSet(f.name) {
			continue
		}
		if *f.to, err = parseFactors(f.name, c.String(f.name), f.alone); err != nil {
			return a, err
		}
	}
	a.FillMode, a.Copies = c.String("fill-mode"), c.Int("augment-copies")
	if a.Copies != 0 && !a.Enabled() {
		return a, pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "--augment-copies %d: there is no augmentation to copy", a.Copies), "such as --augment article")
	}
	return a, pixels.CheckAugmentation(a)
}

func parseFactors(name, text string, alone func(float64) pipeline.Factors) (f pipeline.Factors, err error) {
	low, high, two := strings.Cut(text, ",")
	f[0], err = strconv.ParseFloat(strings.TrimSpace(low), 64)
	if err == nil && two {
		f[1], err = strconv.ParseFloat(strings.TrimSpace(high), 64)
	}
	if err != nil || !two && alone == nil {
		form := "two numbers, such as 0.8,1.2"
		if alone != nil {
			form = "a number or two with a comma"
		}
		return f, pipeline.Errorf(pipeline.BadUsage, "--%s %q: must be %s", name, text, form)
	}
	if !two {
		f = alone(f[0])
	}
	if f == (pipeline.Factors{}) { // which would stand for none asked for
		return f, pipeline.Errorf(pipeline.BadUsage, "--%s %q: would leave nothing of an image", name, text)
	}
	return f, nil
}

// preset is what a name given to --augment stands for.
func preset(name string) (pipeline.Augmentation, error) {
	switch name {
	case "":
		return pipeline.Augmentation{}, nil
	case "article":
		return pipeline.Augmentation{HorizontalFlip: true, ShearRange: 0.2, ZoomRange: pipeline.Factors{0.8, 1.2}}, nil
	case "light":
		return pipeline.Augmentation{
			HorizontalFlip: true, RotationRange: 10, WidthShiftRange: 0.05, HeightShiftRange: 0.05, ZoomRange: pipeline.Factors{0.9, 1.1},
		}, nil
	case "strong":
		return pipeline.Augmentation{
			HorizontalFlip: true, RotationRange: 30, WidthShiftRange: 0.1, HeightShiftRange: 0.1, ShearRange: 15,
			RandomResizedCrop: pipeline.Factors{0.4, 1}, ChannelShiftRange: 20,
			BrightnessRange: pipeline.Factors{0.7, 1.3}, ContrastRange: pipeline.Factors{0.7, 1.3},
		}, nil
	}
	return pipeline.Augmentation{}, pipeline.Errorf(pipeline.BadUsage, "--augment %q: must be article, light or strong", name)
}

// describeAugmentation says what is drawn, in flags, and what of it is not as
// Keras has it or not what it seems.
func (t terminal) describeAugmentation(a pipeline.Augmentation) {
	var words []string
	add := func(asked bool, format string, values ...any) {
		if asked {
			words = append(words, fmt.Sprintf(format, values...))
		}
	}
	factors := func(name string, f pipeline.Factors) { add(f.Change(), "--%s %v,%v", name, f[0], f[1]) }
	add(a.HorizontalFlip, "--horizontal-flip")
	add(a.VerticalFlip, "--vertical-flip")
	add(a.RotationRange != 0, "--rotation-range %v", a.RotationRange)
	add(a.WidthShiftRange != 0, "--width-shift-range %v", a.WidthShiftRange)
	add(a.HeightShiftRange != 0, "--height-shift-range %v", a.HeightShiftRange)
	add(a.ShearRange != 0, "--shear-range %v", a.ShearRange)
	factors("zoom-range", a.ZoomRange)
	factors("random-resized-crop", a.RandomResizedCrop)
	add(a.ChannelShiftRange != 0, "--channel-shift-range %v", a.ChannelShiftRange)
	factors("brightness-range", a.BrightnessRange)
	factors("contrast-range", a.ContrastRange)
	add(a.Geometric(), "--fill-mode %s", a.FillMode)
	add(a.Geometric() && a.FillMode == "constant", "--cval %v", a.CVal)
	t.say("augmentation: %s", strings.Join(words, " "))
	if a.ShearRange > 0 && a.ShearRange < 1 {
		t.say("note: --shear-range is in degrees, as in Keras: %v hardly shows", a.ShearRange)
	}
	if !a.Geometric() {
		return
	}
	switch a.FillMode {
	case "constant":
		t.warn("--fill-mode constant: TensorFlow blends an image's outermost pixels with cval and Keras does not; all others are equal")
	case "wrap":
		t.warn("--fill-mode wrap: TensorFlow repeats an image after its last pixel and Keras one pixel earlier: what lies beyond the edge differs")
	}
}
