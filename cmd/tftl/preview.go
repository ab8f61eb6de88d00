package main

import (
	"context"
	"fmt"
	stdimage "image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/pixels"
	"tftl/savedmodels"
)

// A contact sheet has a row an image: the original, and what becomes of it in
// the first epochs.
const (
	sheetRows   = 6
	sheetEpochs = 5
	sheetGap    = 4 // pixels of white around every picture
)

// previewOptions are what `tftl preview` was asked for.
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
	flags := []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`DIR` of the model whose image size and interpolation are used"},
		&cli.StringFlag{Name: "image-size", Usage: "`HEIGHT[,WIDTH]`, where no model is given"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FILE.png` to write"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "as fit has it"},
		&cli.IntFlag{Name: "workers", Aliases: []string{"j"}, Usage: "images decoded at a time; 0 for one a processor", Category: machineFlags},
		&cli.BoolFlag{Name: "json", Usage: "what was drawn, as one JSON document"},
	}
	return &cli.Command{
		Name:  "preview",
		Usage: "a contact sheet of augmented photographs",
		Description: fmt.Sprintf(`Writes a PNG with a row for each of %d photographs of the training part: the original on
the left, then what the first %d epochs of tftl fit with the same flags and seed train on.

   tftl preview --data photos --model savedmodels/vgg16 --augment strong \
      --output sheet.png`, sheetRows, sheetEpochs),
		Flags: slices.Concat(fitDataFlags(), flags, choiceFlags(), sourceFlags(), []cli.Flag{newBadImageFlag()}, newAugmentFlags(), commonFlags()),
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
	if err := atLeast(c, 0, "workers"); err != nil {
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
		return o, pipeline.Errorf(pipeline.BadUsage, "--output %q: must end in .png", o.output)
	}
	if o.augmentation, err = newAugmentation(c); err != nil {
		return o, err
	}
	if !o.augmentation.Enabled() {
		return o, pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "there is no augmentation to show"), "such as --augment article, or --rotation-range 20")
	}
	o.input, err = previewInput(c.String("model"), c.String("image-size"))
	return o, err
}

// previewInput is the size of the pictures: a model's, or what was asked for.
func previewInput(model, size string) (in savedmodels.Input, err error) {
	if (model == "") == (size == "") {
		return in, pipeline.Errorf(pipeline.BadUsage, "either --model or --image-size is needed: it says how large the pictures are")
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
			return in, pipeline.Errorf(pipeline.BadUsage, "--image-size %q: must be one or two whole numbers from 1 to %d, such as 224", size, most)
		}
	}
	return in, nil
}

// runPreview is the command without its command line.
func runPreview(ctx context.Context, t terminal, o previewOptions) error {
	set, err := dataset.Open(o.data, o.dataset)
	if err != nil {
		return err
	}
	t.describe(set)
	if o.onBad == skipBadImages {
		if _, err := screenSet(ctx, t, set, o.workers); err != nil {
			return err
		}
	}
	t.describeAugmentation(o.augmentation)
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

	index := pipeline.Order(o.dataset.Seed, 1, set.Train.Len()) // as the first epoch has them
	index = index[:min(len(index), sheetRows)]
	source := pixels.Source{Encoded: set.Train, Decoder: decoder}
	sheet := newSheet(len(index), height, width)
	drawn := make([]previewImage, len(index))
	for epoch := range sheetEpochs + 1 {
		batch, err := source.Batch(ctx, epoch, index)
		if err == nil && epoch > 0 {
			batch, err = augmenter.Apply(ctx, epoch, batch)
		}
		if err != nil {
			return err
		}
		for row, sample := range batch.Samples {
			sheet.put(row, epoch, batch.Data[row*height*width*3:(row+1)*height*width*3])
			drawn[row].ID = sample.ID
			if epoch > 0 {
				drawn[row].Epochs = append(drawn[row].Epochs, augmenter.Draw(epoch, sample))
			}
		}
	}
	if err := atomicfile.Write(o.output, func(w io.Writer) error { return png.Encode(w, sheet) }); err != nil {
		return err
	}
	if o.json {
		return writeJSON(t.out, map[string]any{
			"output": o.output, "image_size": [2]int{height, width}, "gap": sheetGap, "augmentation": o.augmentation, "images": drawn,
		})
	}
	_, err = fmt.Fprintf(t.out, "%s: %d photographs, each with %d epochs to its right\n", o.output, len(index), sheetEpochs)
	return err
}

// previewImage is a row of the sheet.
type previewImage struct {
	ID     string        `json:"id"`
	Epochs []pixels.Draw `json:"epochs"`
}

// sheet is pictures of one size in rows and columns.
type sheet struct {
	*stdimage.NRGBA
	height, width int
}

func newSheet(rows, height, width int) sheet {
	columns := sheetEpochs + 1
	bounds := stdimage.Rect(0, 0, sheetGap+columns*(width+sheetGap), sheetGap+rows*(height+sheetGap))
	canvas := stdimage.NewNRGBA(bounds)
	draw.Draw(canvas, bounds, stdimage.NewUniform(color.White), stdimage.Point{}, draw.Src)
	return sheet{canvas, height, width}
}

// put rounds pixels from 0 to 255 into their place.
func (s sheet) put(row, column int, pixels []float32) {
	left, top := sheetGap+column*(s.width+sheetGap), sheetGap+row*(s.height+sheetGap)
	level := func(v float32) uint8 { return uint8(math.RoundToEven(float64(min(max(v, 0), 255)))) }
	for i := 0; i < len(pixels); i += 3 {
		x, y := i/3%s.width, i/3/s.width
		s.SetNRGBA(left+x, top+y, color.NRGBA{R: level(pixels[i]), G: level(pixels[i+1]), B: level(pixels[i+2]), A: 255})
	}
}
