package pixels

import (
	"bytes"
	goimage "image"
	"image/color"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
)

// The indexes of a palette are levels of grey only if its colours are.
func TestBMPWithPalette(t *testing.T) {
	encode := func(red func(i int) uint8) []byte {
		var palette color.Palette
		for i := range 256 {
			palette = append(palette, color.RGBA{red(i), uint8(i), uint8(i), 255})
		}
		var b bytes.Buffer
		if err := bmp.Encode(&b, goimage.NewPaletted(goimage.Rect(0, 0, 8, 4), palette)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	if _, err := admit(encode(func(i int) uint8 { return uint8(i) })); err != nil {
		t.Errorf("grey: %v", err)
	}
	_, err := admit(encode(func(i int) uint8 { return uint8(255 - i) }))
	if err == nil || !strings.Contains(err.Error(), "is a BMP with a palette of 8 bits, which is not supported: convert it to PNG") {
		t.Errorf("colours: %v", err)
	}
}
