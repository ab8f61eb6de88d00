package pixels_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/pixels"
)

// Whole gives the pixels that the standard library decodes.
func TestWhole(t *testing.T) {
	want := image.NewRGBA(image.Rect(0, 0, 7, 4))
	var rgb []byte
	for y := range 4 {
		for x := range 7 {
			c := color.RGBA{uint8(x * 30), uint8(y * 60), uint8(x * y), 255}
			want.SetRGBA(x, y, c)
			rgb = append(rgb, c.R, c.G, c.B)
		}
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, want); err != nil {
		t.Fatal(err)
	}
	d, err := pixels.NewDecoder(pixels.Options{Height: 2, Width: 2, Interpolation: "area"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, width, height, err := d.Whole(t.Context(), encoded.Bytes(), pipeline.Sample{ID: "a.png"})
	if err != nil || width != 7 || height != 4 || !bytes.Equal(got, rgb) {
		t.Errorf("%d x %d, %v, %v", width, height, got, err)
	}
	for _, bad := range [][]byte{nil, encoded.Bytes()[:60], []byte("<html>")} {
		_, _, _, err := d.Whole(t.Context(), bad, pipeline.Sample{ID: "bad.png"})
		if pipeline.KindOf(err) != pipeline.BadData || !strings.HasPrefix(err.Error(), "image bad.png: ") {
			t.Errorf("%v", err)
		}
	}
}
