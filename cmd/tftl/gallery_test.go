package main

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"testing"

	"tftl/pipeline"
	"tftl/savedmodels"
)

// A thumb is small, in the image's own shape where the network sees all of it,
// else in the network's, and looks like the image.
func TestThumbs(t *testing.T) {
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
		picture := image.NewNRGBA(image.Rect(0, 0, tt.width, tt.height))
		draw.Draw(picture, picture.Rect, image.NewUniform(color.NRGBA{R: 200, G: 100, B: 50, A: 255}), image.Point{}, draw.Src)
		var encoded bytes.Buffer
		if err := png.Encode(&encoded, picture); err != nil {
			t.Fatal(err)
		}
		thumbs := newThumbs(savedmodels.Input{Size: [2]int{112, 224}, Fit: tt.fit})
		thumb, err := thumbs.make(t.Context(), encoded.Bytes(), pipeline.Sample{ID: "a.png"})
		thumbs.close()
		if err != nil {
			t.Fatal(err)
		}
		got, err := jpeg.Decode(bytes.NewReader(thumb))
		if err != nil {
			t.Fatal(err)
		}
		if size := got.Bounds().Size(); size.X != tt.thumbWidth || size.Y != tt.thumbHeight {
			t.Errorf("%dx%d, %q: a thumb of %dx%d, want %dx%d", tt.width, tt.height, tt.fit, size.X, size.Y, tt.thumbWidth, tt.thumbHeight)
		}
		r, g, b, _ := got.At(tt.thumbWidth/2, tt.thumbHeight/2).RGBA()
		if near := func(v uint32, want int) bool { d := int(v>>8) - want; return d > -6 && d < 6 }; !near(r, 200) || !near(g, 100) || !near(b, 50) {
			t.Errorf("%dx%d, %q: the middle is %d %d %d", tt.width, tt.height, tt.fit, r>>8, g>>8, b>>8)
		}
	}
}
