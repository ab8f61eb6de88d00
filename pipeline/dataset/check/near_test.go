package check

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"testing"

	"tftl/internal/phash"
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
	h := phash.New()
	for i, c := range cases {
		one := (*grey)(c.Grey)
		if got := fmt.Sprintf("%016x", h.Hash(one)); got != c.Hash {
			t.Errorf("picture %d: hash %s, want %s", i, got, c.Hash)
		}
		for j, want := range c.Correlation {
			if got := correlation(one, (*grey)(cases[j].Grey)); math.Abs(got-want) > 1e-12 {
				t.Errorf("pictures %d and %d: correlation %v, want %v", i, j, got, want)
			}
		}
	}
}

func TestCorrelationWithOneColourIsNone(t *testing.T) {
	var flat, other grey
	other[7] = 255
	if got := correlation(&flat, &other); got != 0 {
		t.Errorf("%v", got)
	}
}

// Images are in a group if they are alike directly or through others.
func TestNearDuplicatesJoin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	h := phash.New()
	var images []image
	var thumbs []grey
	add := func(g grey, hash uint64) {
		images, thumbs = append(images, image{hash: hash, decoded: true, digest: [32]byte{byte(len(images))}}), append(thumbs, g)
	}
	picture := func() (grey, uint64) {
		var pixels [Side * Side * 3]float32
		for i := range pixels {
			pixels[i] = float32(random.IntN(256))
		}
		g, _ := thumbnail(pixels[:])
		return g, h.Hash(&g)
	}
	add(picture())
	g, hash := picture()
	add(g, hash)
	add(picture())
	for range 3 { // each 6 bits from the one before, so the last is 18 from the first
		for bit := range 6 {
			hash ^= 1 << (6*len(images) + bit)
		}
		add(g, hash)
	}
	add(thumbs[0], images[0].hash)
	images[6].digest = images[0].digest // an exact copy, which makes no near group
	firsts, copies := duplicates(images)
	if fmt.Sprint(firsts, copies) != "[0 1 2 3 4 5] map[0:[0 6]]" {
		t.Errorf("%v, %v", firsts, copies)
	}
	groups, err := nearDuplicates(t.Context(), images, firsts, thumbnails{memory: thumbs})
	if err != nil || fmt.Sprint(groups) != "[[1 3 4 5]]" {
		t.Errorf("%v, %v", groups, err)
	}
}

// Bands find the pairs that comparing every pair finds.
func TestNoNearDuplicateIsMissed(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var g grey
	for i := range g {
		g[i] = uint8(random.IntN(256))
	}
	for range 500 {
		a := random.Uint64()
		b := a
		for range 7 {
			b ^= 1 << random.IntN(64)
		}
		images := []image{{hash: a}, {hash: b}}
		groups, err := nearDuplicates(t.Context(), images, []int32{0, 1}, thumbnails{memory: []grey{g, g}})
		if near := bits.OnesCount64(a^b) <= nearBits; err != nil || (len(groups) == 1) != near {
			t.Fatalf("%x and %x: groups %v, %v", a, b, groups, err)
		}
	}
}

func TestThumbnailsInAFileAreTheSame(t *testing.T) {
	few, err := newThumbnails(2)
	if err != nil {
		t.Fatal(err)
	}
	many, err := newThumbnails(fewThumbnails + 1)
	if err != nil {
		t.Fatal(err)
	}
	defer many.Close()
	for _, thumbs := range []thumbnails{few, many} {
		for i := range 2 {
			if err := thumbs.put(i, &grey{5: uint8(i + 1)}); err != nil {
				t.Fatal(err)
			}
		}
		var got grey
		if err := thumbs.get(1, &got); err != nil || got != (grey{5: 2}) {
			t.Errorf("%v, %v", got, err)
		}
	}
}

// BenchmarkNearDuplicates compares 10,000 images of which no two are alike.
func BenchmarkNearDuplicates(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	images := make([]image, 10_000)
	firsts := make([]int32, len(images))
	for i := range images {
		images[i].hash, firsts[i] = random.Uint64()>>1, int32(i)
	}
	for b.Loop() {
		if _, err := nearDuplicates(b.Context(), images, firsts, thumbnails{memory: make([]grey, len(images))}); err != nil {
			b.Fatal(err)
		}
	}
}
