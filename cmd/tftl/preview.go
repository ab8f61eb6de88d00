package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/internal/printable"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/pixels"
	"tftl/pipeline/workflow/train"
	"tftl/savedmodels"
)

// A contact sheet has a row per image: the original, and its augmented versions
// in the first epochs.
const (
	sheetRows   = 6
	sheetEpochs = 5
)

// previewOptions are the flags of tftl preview.
type previewOptions struct {
	data         string
	dataset      dataset.Options
	input        savedmodels.Input // size and interpolation
	augmentation pipeline.Augmentation
	output       string
	workers      int
	onBad        string // fail or skip
	json         bool
}

func newPreviewCommand() *cli.Command {
	return &cli.Command{
		Name:  "preview",
		Usage: "show what augmentation does to the images",
		Description: fmt.Sprintf(`Writes a contact sheet as PNG with %d rows, one per image of the training part: the
original on the left, then what the first %d epochs of tftl fit would train on with the
same flags and seed.

   tftl preview --data photos --model savedmodels/vgg16 --augment strong \
      --output sheet.png`, sheetRows, sheetEpochs),
		Flags: slices.Concat(
			[]cli.Flag{dataFlag(""), newBadImageFlag(), seedFlag("the augmentation and --split-exact", dataFlags), workersFlag()},
			partFlags(), choiceFlags(), sourceFlags(), sheetFlags(), newAugmentFlags(), commonFlags(),
		),
		Action: func(c *cli.Context) error {
			o, err := newPreviewOptions(c)
			if err != nil {
				return err
			}
			return runPreview(c.Context, newTerminal(c), o)
		},
	}
}

func newPreviewOptions(c *cli.Context) (o previewOptions, err error) {
	if err := noArguments(c); err != nil {
		return o, err
	}
	if err := requireFlags(c, "data", "output"); err != nil {
		return o, err
	}
	if err := within(c, 0, pipeline.MaxWorkers, "workers"); err != nil {
		return o, err
	}
	o = previewOptions{data: c.String("data"), output: c.String("output"), workers: c.Int("workers"), json: c.Bool("json")}
	if o.dataset, err = newDatasetOptions(c); err != nil {
		return o, err
	}
	if o.onBad, err = onBadImage(c); err != nil {
		return o, err
	}
	if strings.ToLower(filepath.Ext(o.output)) != ".png" {
		return o, invalid("output", o.output, "must end in .png")
	}
	if err := checkFolder("output", o.output); err != nil {
		return o, err
	}
	if o.augmentation, err = newAugmentation(c); err != nil {
		return o, err
	}
	if !o.augmentation.Enabled() {
		return o, pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "there is no augmentation to show"), "add one, such as %s light or %s 20", pipeline.Option("augment"), pipeline.Option("rotation-range"))
	}
	o.input, err = previewInput(c.String("model"), c.String("image-size"))
	return o, err
}

// previewInput takes the size of images from a model or from a flag.
func previewInput(model, size string) (in savedmodels.Input, err error) {
	if (model == "") == (size == "") {
		return in, pipeline.Errorf(pipeline.BadUsage, "give either %s or %s for the size of the images", pipeline.Option("model"), pipeline.Option("image-size"))
	}
	if model != "" {
		m, err := savedmodels.Load(model, nil)
		if err == nil {
			err = m.Trainable()
		}
		if err != nil {
			return in, err
		}
		return m.Description.Input, nil
	}
	height, width, two := strings.Cut(size, ",")
	if !two {
		width = height
	}
	in.Interpolation = "bilinear"
	for i, text := range []string{height, width} {
		const most = 4096
		if in.Size[i], err = strconv.Atoi(strings.TrimSpace(text)); err != nil || in.Size[i] < 1 || in.Size[i] > most {
			return in, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be one or two whole numbers from 1 to %d, such as 224", pipeline.Option("image-size"), size, most)
		}
	}
	return in, nil
}

// runPreview writes the sheet.
func runPreview(ctx context.Context, t terminal, o previewOptions) error {
	set, err := dataset.Open(o.data, o.dataset)
	if err != nil {
		return err
	}
	env, shown := environment(t)
	defer shown.end()
	env.DescribeData(set)
	if o.onBad == train.SkipBadImages {
		if _, err := env.ScreenSet(ctx, set, env.Digests(), o.workers); err != nil {
			return err
		}
	}
	shown.end()
	decoder, err := newDecoder(o.input, o.workers)
	if err != nil {
		return err
	}
	defer decoder.Close()
	height, width := o.input.Size[0], o.input.Size[1]
	augmenter, err := pixels.NewAugmenter(o.augmentation, o.dataset.Seed, height, width, 0)
	if err != nil {
		return err
	}
	defer augmenter.Close()
	t.describeAugmentation(o.augmentation)

	index := pipeline.Order(o.dataset.Seed, 1, set.Train.Len()) // the order of the first epoch
	index = index[:min(len(index), sheetRows)]
	sheet, rows, err := augmenter.Preview(ctx, pixels.Source{Encoded: set.Train, Decoder: decoder}, index, sheetEpochs)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(o.output, sheet.WritePNG); err != nil {
		return err
	}
	if o.json {
		return ui.WriteJSON(t.Out, map[string]any{
			"output": o.output, "image_size": [2]int{height, width}, "gap": pixels.SheetGap, "augmentation": o.augmentation, "images": rows,
		})
	}
	_, err = printable.Fprintf(t.Out, "%s: %d images, each with %d epochs to its right\n", o.output, len(index), sheetEpochs)
	return err
}
