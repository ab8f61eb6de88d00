package pixels

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"

	"tftl/pipeline"
)

// plain encodes a picture of one colour.
func plain(t *testing.T, width, height int, c color.NRGBA) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.Draw(picture, picture.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	encoded, err := encodePNG(picture)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// near reports whether a pixel is opaque and has nearly this colour.
func near(m image.Image, x, y int, want color.NRGBA) bool {
	got := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
	for _, pair := range [][2]uint8{{got.R, want.R}, {got.G, want.G}, {got.B, want.B}} {
		if d := int(pair[0]) - int(pair[1]); d < -6 || d > 6 {
			return false
		}
	}
	return got.A == 255
}

// A thumbnail is small and looks like the image. It has the image's shape if the
// network sees all of it, otherwise the network's.
func TestThumbnail(t *testing.T) {
	brown := color.NRGBA{R: 200, G: 100, B: 50, A: 255}
	for _, tt := range []struct {
		fit                     string
		width, height           int
		thumbWidth, thumbHeight int
	}{
		{"stretch", 1000, 500, 240, 120},
		{"", 300, 900, 80, 240},
		{"stretch", 48, 40, 48, 40},
		{"stretch", 5000, 1, 240, 1},
		{"crop", 1000, 500, 224, 112},
		{"pad", 500, 1000, 224, 112},
	} {
		painter := NewPainter(Options{Height: 112, Width: 224, Interpolation: "bilinear", Fit: tt.fit}, nil)
		thumb, err := painter.Thumbnail(t.Context(), plain(t, tt.width, tt.height, brown), pipeline.Sample{ID: "a.png"})
		painter.Close()
		if err != nil {
			t.Fatal(err)
		}
		got, err := jpeg.Decode(bytes.NewReader(thumb))
		if err != nil {
			t.Fatal(err)
		}
		if size := got.Bounds().Size(); size.X != tt.thumbWidth || size.Y != tt.thumbHeight {
			t.Errorf("%dx%d, %q: a thumbnail of %dx%d, want %dx%d", tt.width, tt.height, tt.fit, size.X, size.Y, tt.thumbWidth, tt.thumbHeight)
		}
		if x, y := tt.thumbWidth/2, tt.thumbHeight/2; !near(got, x, y, brown) {
			t.Errorf("%dx%d, %q: the middle is %v", tt.width, tt.height, tt.fit, got.At(x, y))
		}
	}
}

// topRow is a network that sees a class in the top row of images whose sample
// has it as its label, and nowhere else.
type topRow struct{ batches *[]int }

func (topRow) Explains() bool { return true }

func (n topRow) Explain(_ context.Context, images pipeline.Batch, classes []int) (pipeline.HeatMaps, error) {
	*n.batches = append(*n.batches, len(images.Samples))
	heat := pipeline.HeatMaps{Height: 3, Width: 2}
	for i, s := range images.Samples {
		cells := make([]float32, 6)
		if s.Label == classes[i] {
			cells[0], cells[1] = 1, 1
		}
		heat.Data = append(heat.Data, cells...)
	}
	return heat, nil
}

type blind struct{ topRow }

func (blind) Explains() bool { return false }

// list is a pipeline.Encoded of images that each have their number as label.
type list [][]byte

func (l list) Len() int                     { return len(l) }
func (l list) Sample(i int) pipeline.Sample { return pipeline.Sample{ID: fmt.Sprint(i), Label: i} }
func (l list) Bytes(i int) ([]byte, error)  { return l[i], nil }

func TestOverlays(t *testing.T) {
	images := make(list, 9)
	for i := range images {
		images[i] = plain(t, 20, 20, color.NRGBA{A: 255})
	}
	classes := []int{0, 0, 2, 3, 4, 5, 6, 7, 8}
	var batches, order []int
	input := Options{Height: 8, Width: 8, Interpolation: "bilinear"}
	decoder, err := NewDecoder(input)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	painter := NewPainter(input, Explained(topRow{&batches}, decoder))
	defer painter.Close()
	err = painter.Overlays(t.Context(), images, classes, func(k int, overlay []byte) error {
		order = append(order, k)
		got, err := png.Decode(bytes.NewReader(overlay))
		if err != nil {
			return err
		}
		_, _, _, top := got.At(8, 0).RGBA()
		_, _, _, bottom := got.At(8, 23).RGBA()
		if seen := k == classes[k]; got.Bounds() != image.Rect(0, 0, 16, 24) || (top > 0) != seen || bottom != 0 {
			t.Errorf("overlay %d: %v, opacity %d at the top, %d at the bottom", k, got.Bounds(), top, bottom)
		}
		return nil
	})
	if err != nil || !slices.Equal(order, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}) || !slices.Equal(batches, []int{8, 1}) {
		t.Errorf("%v: overlays %v from batches of %v", err, order, batches)
	}
	if err := NewPainter(Options{}, Explained(blind{}, decoder)).Overlays(t.Context(), images, classes, nil); err != nil {
		t.Errorf("a network that cannot explain: %v", err)
	}
}

func TestPaintExplained(t *testing.T) {
	batch := pipeline.Batch{Shape: []int64{9, 30, 20, 3}, Data: make([]float32, 9*30*20*3)}
	for i := range 9 {
		batch.Samples = append(batch.Samples, pipeline.Sample{Label: i % 2})
	}
	for i := range batch.Data {
		batch.Data[i] = float32(i / (30 * 20 * 3) * 20)
	}
	var batches []int
	painted := 0
	err := PaintExplained(t.Context(), topRow{&batches}, batch, make([]int, 9), func(i int, encoded []byte) error {
		painted++
		got, err := png.Decode(bytes.NewReader(encoded))
		if err != nil {
			return err
		}
		grey := uint8(20 * i)
		background := color.NRGBA{R: grey, G: grey, B: grey, A: 255}
		if got.Bounds() != image.Rect(0, 0, 20, 30) || !near(got, 10, 29, background) || near(got, 10, 0, background) != (i%2 == 1) {
			t.Errorf("image %d: %v, %v at the top, %v at the bottom", i, got.Bounds(), got.At(10, 0), got.At(10, 29))
		}
		return nil
	})
	if err != nil || painted != 9 || !slices.Equal(batches, []int{8, 1}) {
		t.Errorf("%v: %d pictures from batches of %v", err, painted, batches)
	}
}

// Values in between take colours in between, more opaque the larger they are.
func TestHeatColor(t *testing.T) {
	last := -1
	for i := range 101 {
		c := heatColor(float64(i) / 100)
		if int(c.A) < last {
			t.Errorf("%d%%: opacity falls from %d to %d", i, last, c.A)
		}
		last = int(c.A)
	}
	if first := heatColor(0); first.A != 0 || heatColor(1) != (color.NRGBA{R: 252, G: 240, B: 120, A: 190}) {
		t.Errorf("from %v to %v", first, heatColor(1))
	}
}
