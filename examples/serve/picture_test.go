package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// reference is what testdata/reference.py writes.
type reference struct {
	folder           string
	Decoded, Resized []struct {
		Picture, Pixels, Fit string
		Size                 [2]int
	}
}

func newReference(t *testing.T) (r reference) {
	r.folder = t.TempDir()
	execute(t, python(t), "testdata/reference.py", r.folder)
	if err := json.Unmarshal(read(t, filepath.Join(r.folder, "index.json")), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPixelsAreTensorFlows(t *testing.T) {
	r := newReference(t)
	if len(r.Decoded) < 30 || len(r.Resized) < 50 {
		t.Fatalf("%d and %d pictures", len(r.Decoded), len(r.Resized))
	}
	// libjpeg's accurate inverse transform rounds a few values otherwise than Go's.
	other, values := 0, 0
	for _, d := range r.Decoded {
		p, err := decode(read(t, r.folder, d.Picture))
		if err != nil {
			t.Fatalf("%s: %v", d.Picture, err)
		}
		got, want := whole(p), read(t, r.folder, d.Pixels)
		if len(got.data) != len(want) {
			t.Fatalf("%s has %d x %d pixels, TensorFlow has %d values", d.Picture, got.width, got.height, len(want))
		}
		for i, v := range got.data {
			gap := math.Abs(float64(v) - float64(want[i]))
			if gap > 4 {
				t.Errorf("%s: value %d is %v, TensorFlow has %d", d.Picture, i, v, want[i])
				break
			}
			if gap > 0 {
				other++
			}
		}
		values += len(want)
	}
	if share := float64(other) / float64(values); share > 0.05 {
		t.Errorf("%.3f of the values differ", share)
	}
	for _, d := range r.Resized {
		p, err := decode(read(t, r.folder, d.Picture))
		if err != nil {
			t.Fatalf("%s: %v", d.Picture, err)
		}
		got := input{Size: d.Size, Interpolation: "bilinear", Fit: d.Fit}.pixels(p)
		want := floats(read(t, r.folder, d.Pixels))
		if len(got.data) != len(want) {
			t.Fatalf("%s: %d values, TensorFlow has %d", d.Pixels, len(got.data), len(want))
		}
		for i, v := range got.data {
			if v != want[i] {
				t.Errorf("%s: value %d is %v, TensorFlow has %v", d.Pixels, i, v, want[i])
				break
			}
		}
	}
}

func floats(raw []byte) []float32 {
	list := make([]float32, len(raw)/4)
	for i := range list {
		b := raw[4*i:]
		list[i] = math.Float32frombits(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
	}
	return list
}

func TestAFaultInADecoderIsAnError(t *testing.T) {
	if _, err := decode(nil); err == nil { // an index out of range
		t.Error("no error")
	}
}

// The smallest image of each kind that is refused before it is decoded.
func TestManyScansAreRefused(t *testing.T) {
	scans := []byte("\xff\xd8\xff")
	for range mostScans + 1 {
		scans = append(scans, "\xff\xda"...)
	}
	if _, err := measure(scans); err == nil || err.Error() != "the JPEG has 101 scans: the limit is 100" {
		t.Error(err)
	}
}
