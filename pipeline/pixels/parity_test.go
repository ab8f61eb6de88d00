package pixels

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
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
