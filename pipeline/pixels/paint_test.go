package pixels

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"slices"
	"testing"

	"tftl/pipeline"
)

func TestSheet(t *testing.T) {
	sheet := newSheet(2, 3, 5, 4)
	sheet.put(1, 2, slices.Repeat([]float32{-3, 99.6, 270}, 5*4))
	var out bytes.Buffer
	if err := sheet.WritePNG(&out); err != nil {
		t.Fatal(err)
	}
	got, err := png.Decode(&out)
	if err != nil || got.Bounds() != image.Rect(0, 0, 4+3*(4+4), 4+2*(5+4)) {
		t.Fatalf("%v, %v", got.Bounds(), err)
	}
	within := image.Rect(20, 13, 24, 18)
	for y := range got.Bounds().Dy() {
		for x := range got.Bounds().Dx() {
			want := color.NRGBA{R: 255, G: 255, B: 255, A: 255}
			if image.Pt(x, y).In(within) {
				want = color.NRGBA{G: 100, B: 255, A: 255}
			}
			if color.NRGBAModel.Convert(got.At(x, y)) != want {
				t.Fatalf("pixel %d, %d is %v", x, y, got.At(x, y))
			}
		}
	}
}

func TestPreview(t *testing.T) {
	brown, black := color.NRGBA{R: 200, G: 100, B: 50, A: 255}, color.NRGBA{A: 255}
	images := list{plain(t, 12, 10, black), plain(t, 12, 10, brown)}
	decoder, err := NewDecoder(Options{Height: 10, Width: 12, Interpolation: "bilinear"})
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	half := pipeline.Augmentation{BrightnessRange: pipeline.Factors{0.5, 0.5}, FillMode: "nearest"}
	augmenter, err := NewAugmenter(half, 1, 10, 12, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer augmenter.Close()
	sheet, rows, err := augmenter.Preview(t.Context(), Source{Encoded: images, Decoder: decoder}, []int{1, 0}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for row, want := range [][]color.NRGBA{
		{brown, {R: 100, G: 50, B: 25, A: 255}, {R: 100, G: 50, B: 25, A: 255}},
		{black, black, black},
	} {
		if id := []string{"1", "0"}[row]; rows[row].ID != id || len(rows[row].Epochs) != 2 || rows[row].Epochs[1].value("brightness") != 0.5 {
			t.Errorf("row %d: %+v", row, rows[row])
		}
		for column, c := range want {
			x, y := SheetGap+column*(12+SheetGap), SheetGap+row*(10+SheetGap)
			if got := sheet.canvas.At(x+11, y+9); color.NRGBAModel.Convert(got) != c {
				t.Errorf("row %d, column %d: %v, want %v", row, column, got, c)
			}
		}
	}
}
