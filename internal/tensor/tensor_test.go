package tensor

import (
	"slices"
	"testing"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

func TestFloatsRoundTrip(t *testing.T) {
	want := []float32{1, 2, 3, 4, 5, 6}
	x, err := Floats([]int64{2, 3}, want)
	if err != nil {
		t.Fatal(err)
	}
	// The binding reads the memory that View wrote.
	got := x.Value().([][]float32)
	if !slices.Equal(slices.Concat(got...), want) {
		t.Errorf("got %v", got)
	}
	want[0] = 9
	if View(x)[0] != 1 {
		t.Error("the tensor shares the slice's memory")
	}
	Free(x, nil)
	Free(x) // a second time does nothing
}

func TestFloatsRefusesWrongShape(t *testing.T) {
	if _, err := Floats([]int64{2, 2}, make([]float32, 3)); err == nil {
		t.Error("no error")
	}
}

func TestEmpty(t *testing.T) {
	x, err := Floats([]int64{0, 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(View(x)); n != 0 {
		t.Errorf("%d values", n)
	}
	Free(x)
}

func TestFreeStrings(t *testing.T) {
	for range 100 {
		x, err := tf.NewTensor([]string{"a string too long for the inline form of TF_TString", ""})
		if err != nil {
			t.Fatal(err)
		}
		Free(x)
	}
}

func TestLend(t *testing.T) {
	for _, want := range []string{"", "short", "a string too long for the inline form of TF_TString"} {
		x, release, err := Lend([]byte(want))
		if err != nil {
			t.Fatal(err)
		}
		if got := x.Value().(string); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		release()
	}
}

func TestBilinear(t *testing.T) {
	image, err := tf.NewTensor([1][2][3]byte{{{0, 10, 20}, {100, 110, 220}}})
	if err != nil {
		t.Fatal(err)
	}
	defer Free(image)
	got := make([]float32, 4*3)
	if err := Bilinear(image, got, 1, 4); err != nil {
		t.Fatal(err)
	}
	if want := []float32{0, 10, 20, 25, 35, 70, 75, 85, 170, 100, 110, 220}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err := Bilinear(image, got, 4, 4); err == nil {
		t.Error("no error for a slice of another length")
	}
}
