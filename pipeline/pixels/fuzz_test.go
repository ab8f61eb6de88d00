package pixels

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tftl/pipeline"
)

// FuzzDecode decodes any bytes by TensorFlow's kernels. The result is pixels, or an
// error in one line that blames the image. Whatever is wrong with an image, it does
// not end the process.
func FuzzDecode(f *testing.F) {
	decoders := map[string]*Decoder{}
	for _, o := range []Options{
		{Height: 6, Width: 8, Interpolation: "bilinear"},
		{Height: 5, Width: 5, Interpolation: "area", Fit: "crop"},
		{Height: 7, Width: 4, Interpolation: "lanczos3", Fit: "pad"},
	} {
		o.Workers = 1
		d, err := NewDecoder(o)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { _ = d.Close() })
		decoders[o.Interpolation] = d
	}
	for _, folder := range []string{"formats", "traits", "spoilt"} {
		err := filepath.WalkDir(filepath.Join(formats, "..", folder), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			encoded, err := os.ReadFile(path)
			if len(encoded) < 20_000 {
				f.Add(encoded)
			}
			return err
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		if h, err := ReadHeader(encoded); err == nil && h.Pixels > 1<<20 {
			return // which takes long, and shows nothing new
		}
		for name, d := range decoders {
			batch, err := d.Decode(t.Context(), [][]byte{encoded}, samples(1))
			if err != nil {
				if text := err.Error(); pipeline.KindOf(err) != pipeline.BadData || strings.ContainsAny(text, "\n\x1b") || strings.Contains(text, "{{node") {
					t.Errorf("%q", text)
				}
				continue
			}
			for _, v := range batch.Data {
				// Lanczos overshoots at edges.
				if v64 := float64(v); math.IsNaN(v64) || name != "lanczos3" && (v64 < 0 || v64 > 255) {
					t.Fatalf("%s: a pixel is %g", name, v)
				}
			}
		}
	})
}
