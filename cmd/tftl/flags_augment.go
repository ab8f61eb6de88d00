package main

import (
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/pipeline"
	"tftl/pipeline/pixels"
)

const augmentFlags = "augmentation of the training part" // a category in --help

// newAugmentFlags returns a flag for each option of pipeline.Augmentation.
func newAugmentFlags() []cli.Flag {
	flags := []cli.Flag{commandline.Offer(&cli.StringFlag{
		Name: "augment", Usage: "use a preset: article, light or strong; the flags below override it", Category: augmentFlags,
	}, "article", "light", "strong")}
	var defaults pipeline.Augmentation
	defaults.FillMode = "nearest"
	for _, o := range pixels.AugmentOptions(&defaults) {
		name := o.Name.String()
		switch v := o.Value.(type) {
		case *bool:
			flags = append(flags, &cli.BoolFlag{Name: name, Usage: o.Usage, Category: augmentFlags})
		case *int:
			flags = append(flags, &cli.IntFlag{Name: name, Usage: o.Usage, Category: augmentFlags})
		case *float64:
			flags = append(flags, &cli.Float64Flag{Name: name, Usage: o.Usage, Category: augmentFlags})
		case *string:
			flags = append(flags, commandline.Offer(&cli.StringFlag{Name: name, Usage: o.Usage, Value: *v, Category: augmentFlags}, o.Choices...))
		case *pipeline.Factors:
			flags = append(flags, &cli.StringFlag{Name: name, Usage: o.Usage, Category: augmentFlags})
		}
	}
	return flags
}

// mixFlags are for training only, because an image's partner depends on its batch.
func mixFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Name: "mixup", Usage: "mix each image and its target with another image of its batch, in shares from Beta(`ALPHA`, ALPHA); 0 for off. Mixes pixels if they are augmented in every epoch, otherwise cached features", Category: augmentFlags},
		&cli.Float64Flag{Name: "cutmix", Usage: "put a box of another image of its batch into each image, and mix the targets by area; the area is from Beta(`ALPHA`, ALPHA); 0 for off. Runs the frozen part in every epoch. With --mixup, one of the two is drawn for each image", Category: augmentFlags},
	}
}

// newAugmentation reads the flags. Those that are set override the preset.
func newAugmentation(c *cli.Context) (pipeline.Augmentation, error) {
	a, err := pixels.PresetAugmentation(c.String("augment"))
	if err != nil {
		return a, err
	}
	for _, o := range pixels.AugmentOptions(&a) {
		name := o.Name.String()
		if !c.IsSet(name) {
			continue
		}
		switch v := o.Value.(type) {
		case *bool:
			*v = c.Bool(name)
		case *int:
			*v = c.Int(name)
		case *float64:
			*v = c.Float64(name)
		case *string:
			*v = c.String(name)
		case *pipeline.Factors:
			if *v, err = parseFactors(o, c.String(name)); err != nil {
				return a, err
			}
		}
	}
	return a, pixels.CheckAugmentation(a)
}

// parseFactors reads A,B, or one number if that has a meaning.
func parseFactors(o pixels.AugmentOption, text string) (f pipeline.Factors, err error) {
	low, high, two := strings.Cut(text, ",")
	f[0], err = strconv.ParseFloat(strings.TrimSpace(low), 64)
	if err == nil && two {
		f[1], err = strconv.ParseFloat(strings.TrimSpace(high), 64)
	}
	if err != nil || !two && o.Alone == nil {
		form := "two numbers, such as 0.8,1.2"
		if o.Alone != nil {
			form = "one number, or two separated by a comma"
		}
		return f, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be %s", o.Name, text, form)
	}
	if !two {
		f = o.Alone(f[0])
	}
	if f == (pipeline.Factors{}) { // the zero value means that the option is not set
		return f, pipeline.Errorf(pipeline.BadUsage, "%s %q: must not be 0,0, which would leave nothing of an image", o.Name, text)
	}
	return f, nil
}

// describeAugmentation prints the augmentation and how it differs from Keras'.
func (t terminal) describeAugmentation(a pipeline.Augmentation) {
	notes, warnings := pixels.DescribeAugmentation(a)
	for _, note := range notes {
		t.say("%s", note.Text(flag))
	}
	for _, warning := range warnings {
		t.warn("%s", warning.Text(flag))
	}
}
