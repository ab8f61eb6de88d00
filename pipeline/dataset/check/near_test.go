package check

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// The expected hash and correlation are SciPy's and NumPy's, from testdata/phash.py.
func TestHashAndCorrelationAreSciPys(t *testing.T) {
	text, err := os.ReadFile("testdata/phash.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Grey        []byte
		Hash        string
		Correlation []float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	h := newHasher()
	for i, c := range cases {
		grey := (*[Side * Side]uint8)(c.Grey)
		if got := fmt.Sprintf("%016x", h.hash(grey)); got != c.Hash {
			t.Errorf("picture %d: hash %s, want %s", i, got, c.Hash)
		}
		for j, want := range c.Correlation {
			if got := correlation(grey, (*[Side * Side]uint8)(cases[j].Grey)); math.Abs(got-want) > 1e-12 {
				t.Errorf("pictures %d and %d: correlation %v, want %v", i, j, got, want)
			}
		}
	}
}

func TestCorrelationWithOneColourIsNone(t *testing.T) {
	var flat, other [Side * Side]uint8
	other[7] = 255
	if got := correlation(&flat, &other); got != 0 {
		t.Errorf("%v", got)
	}
}

// Images are in a group if they are alike directly or through others.
func TestNearDuplicatesJoin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	h := newHasher()
	picture := func() *thumbnail {
		var pixels [Side * Side * 3]float32
		for i := range pixels {
			pixels[i] = float32(random.IntN(256))
		}
		thumb, _ := h.thumbnail(pixels[:])
		return thumb
	}
	chain := picture()
	images := []image{{thumbnail: picture()}, {thumbnail: chain}, {thumbnail: picture()}}
	for range 3 { // each 6 bits from the one before, so the last is 18 from the first
		next := *chain
		for bit := range 6 {
			next.hash ^= 1 << (6*len(images) + bit)
		}
		chain = &next
		images = append(images, image{thumbnail: chain})
	}
	images = append(images, images[0]) // an exact copy, which makes no near group
	exact := [][]int{{0, 6}, {1}, {2}, {3}, {4}, {5}}
	groups, err := nearDuplicates(t.Context(), images, exact)
	if err != nil || fmt.Sprint(groups) != "[[1 3 4 5]]" {
		t.Errorf("%v, %v", groups, err)
	}
}

// BenchmarkNearDuplicates compares 10,000 images of which no two are alike.
func BenchmarkNearDuplicates(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	images := make([]image, 10_000)
	exact := make([][]int, len(images))
	for i := range images {
		images[i].thumbnail = &thumbnail{hash: random.Uint64() >> 1}
		exact[i] = []int{i}
	}
	for b.Loop() {
		if _, err := nearDuplicates(b.Context(), images, exact); err != nil {
			b.Fatal(err)
		}
	}
}
