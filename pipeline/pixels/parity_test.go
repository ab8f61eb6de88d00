package pixels

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tftl/pipeline"
)

// pixels has the expected pixels, by TensorFlow and Keras, for every format,
// interpolation and fit. testdata/pixels.py writes them.
const pixels = "../../build/testdata/pixels"

type parityCase struct {
	Image, Interpolation, Fit, Expected string
	Height, Width                       int
}

func TestPixelsAreTensorFlows(t *testing.T) {
	seen := map[[2]string]bool{}
	for _, c := range parityCases(t) {
		seen[[2]string{c.Interpolation, c.Fit}] = true
		t.Run(fmt.Sprintf("%s/%s/%s/%dx%d", c.Image, c.Interpolation, c.Fit, c.Height, c.Width), func(t *testing.T) {
			decoder, err := NewDecoder(Options{Height: c.Height, Width: c.Width, Interpolation: c.Interpolation, Fit: c.Fit})
			if err != nil {
				t.Fatal(err)
			}
			defer decoder.Close()
			encoded, err := os.ReadFile(filepath.Join(pixels, c.Image))
			if err != nil {
				t.Fatal(err)
			}
			got, err := decoder.Decode(t.Context(), [][]byte{encoded}, []pipeline.Sample{{ID: c.Image}})
			if err != nil {
				t.Fatal(err)
			}
			if want := []int64{1, int64(c.Height), int64(c.Width), 3}; !slices.Equal(got.Shape, want) {
				t.Fatalf("shape %v, want %v", got.Shape, want)
			}
			comparePixels(t, got.Data, readFloats(t, filepath.Join(pixels, c.Expected)))
		})
	}
	if len(seen) != 9 {
		t.Errorf("interpolations and fits compared: %v", seen)
	}
}

func parityCases(t *testing.T) (cases []parityCase) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(pixels, "index.json"))
	if err != nil {
		t.Fatalf("%v (testdata/make.py writes it)", err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// comparePixels requires the same bits, not just nearly the same values.
func comparePixels(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("value %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func readFloats(t *testing.T, path string) []float32 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float32, len(raw)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return values
}

// Outside the graph, images are resized as the kernel does it, whether they grow
// or shrink, in height or in width.
func TestResizingOutsideTheGraph(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][4]int{{1, 1, 224, 224}, {1, 9, 5, 1}, {9, 1, 1, 5}, {47, 31, 47, 31}, {375, 500, 224, 224}, {32, 32, 299, 299}, {613, 401, 10, 600}, {3, 2000, 7, 7}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			d, err := NewDecoder(Options{Height: size[2], Width: size[3], Interpolation: "bilinear", Workers: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			picture := image.NewNRGBA(image.Rect(0, 0, size[1], size[0]))
			for i := range picture.Pix {
				picture.Pix[i] = byte(random.Uint32()) | byte(i%4/3*255) // opaque
			}
			var encoded bytes.Buffer
			if err := png.Encode(&encoded, picture); err != nil {
				t.Fatal(err)
			}
			var got [2]pipeline.Batch
			for i, faster := range []bool{d.faster, false} {
				d.faster = faster
				if got[i], err = d.Decode(t.Context(), [][]byte{encoded.Bytes()}, samples(1)); err != nil {
					t.Fatal(err)
				}
			}
			comparePixels(t, got[0].Data, got[1].Data)
		})
	}
}
