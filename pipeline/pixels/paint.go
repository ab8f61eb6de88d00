package pixels

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"tftl/pipeline"
)

// SheetGap is the width, in pixels, of the white space around each picture of a
// Sheet.
const SheetGap = 4

// Sheet is a contact sheet: pictures of one size in rows and columns.
type Sheet struct {
	canvas        *image.RGBA
	height, width int
}

// newSheet makes a white sheet for pictures of this height and width.
func newSheet(rows, columns, height, width int) Sheet {
	canvas := image.NewRGBA(image.Rect(0, 0, SheetGap+columns*(width+SheetGap), SheetGap+rows*(height+SheetGap)))
	draw.Draw(canvas, canvas.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	return Sheet{canvas, height, width}
}

// put paints pixels ([H,W,3], 0 to 255) in their place.
func (s Sheet) put(row, column int, pixels []float32) {
	paint(s.canvas, image.Pt(SheetGap+column*(s.width+SheetGap), SheetGap+row*(s.height+SheetGap)), pixels, s.width)
}

// WritePNG writes the sheet as a PNG.
func (s Sheet) WritePNG(w io.Writer) error { return png.Encode(w, s.canvas) }

// SheetRow describes a row of a Sheet.
type SheetRow struct {
	ID     string `json:"id"`
	Epochs []Draw `json:"epochs"`
}

// Preview makes a Sheet with a row for each image of an index: the original, then
// what each of the first epochs makes of it.
func (g *Augmenter) Preview(ctx context.Context, images pipeline.Source, index []int, epochs int) (Sheet, []SheetRow, error) {
	sheet, rows := newSheet(len(index), epochs+1, g.height, g.width), make([]SheetRow, len(index))
	for epoch := range epochs + 1 {
		batch, err := images.Batch(ctx, epoch, index)
		if err == nil && epoch > 0 {
			batch, err = g.Apply(ctx, epoch, batch)
		}
		if err != nil {
			return Sheet{}, nil, err
		}
		for i, sample := range batch.Samples {
			sheet.put(i, epoch, some(batch, i, i+1).Data)
			rows[i].ID = sample.ID
			if epoch > 0 {
				rows[i].Epochs = append(rows[i].Epochs, g.Draw(epoch, sample))
			}
		}
	}
	return sheet, rows, nil
}

// picture paints pixels ([H,W,3], 0 to 255) on a canvas of their size.
func picture(pixels []float32, height, width int) *image.RGBA {
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	paint(canvas, image.Point{}, pixels, width)
	return canvas
}

// paint rounds pixels to whole levels.
func paint(on *image.RGBA, at image.Point, pixels []float32, width int) {
	level := func(v float32) uint8 { return uint8(math.RoundToEven(float64(min(max(v, 0), 255)))) }
	for i := 0; i < len(pixels); i += 3 {
		x, y := at.X+i/3%width, at.Y+i/3/width
		on.SetRGBA(x, y, color.RGBA{R: level(pixels[i]), G: level(pixels[i+1]), B: level(pixels[i+2]), A: 255})
	}
}

func encodePNG(m image.Image) ([]byte, error) {
	var out bytes.Buffer
	err := png.Encode(&out, m)
	return out.Bytes(), err
}
