package pixels

import (
	"bytes"
	"os"
	"testing"
)

// Pillow wrote the files and confirmed their traits (testdata/make.py).
func TestTraits(t *testing.T) {
	for name, want := range map[string]Traits{
		"plain.jpg":         {},
		"turned.jpg":        {Orientation: 6},
		"turned-big.jpg":    {Orientation: 8},
		"turned.png":        {Orientation: 3},
		"turned.webp":       {Orientation: 6},
		"upright.jpg":       {Orientation: 1},
		"deep.png":          {Depth16: true},
		"alpha.png":         {Transparent: true},
		"grey-alpha.png":    {Transparent: true},
		"palette-alpha.png": {Transparent: true},
		"palette.png":       {},
		"alpha.gif":         {Transparent: true},
		"plain.gif":         {},
		"alpha.webp":        {Transparent: true},
		"alpha-lossy.webp":  {Transparent: true},
		"plain.webp":        {},
	} {
		encoded, err := os.ReadFile("../../build/testdata/traits/" + name)
		if err != nil {
			t.Fatalf("%v (testdata/make.py writes it)", err)
		}
		if got := ReadTraits(encoded); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		for n := range min(len(encoded), 2000) { // cut short anywhere, it does not panic
			ReadTraits(encoded[:n])
		}
	}
}

// No input makes ReadTraits panic or loop forever.
func FuzzReadTraits(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x1aExif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"))
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x10\x06\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xfftRNS"))
	f.Add(append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x18\x00\x00\x00"), bytes.Repeat([]byte{0}, 40)...))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00\x21\xf9\x04\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		if got := ReadTraits(encoded); got.Orientation < 0 || got.Orientation > 8 {
			t.Errorf("%+v", got)
		}
	})
}
