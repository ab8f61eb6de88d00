package phash_test

import (
	"math/rand/v2"
	"testing"

	"tftl/internal/phash"
)

// Hashes of a picture in other orientations are those of pictures that were turned. The
// hash itself is compared with SciPy's where it is used, in pipeline/dataset/check.
func TestHashesAreOfTurnedPictures(t *testing.T) {
	h := phash.New()
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var g phash.Grey
		for i := range g {
			g[i] = uint8(random.IntN(256))
		}
		hashes := h.Hashes(&g)
		if hashes[0] != h.Hash(&g) {
			t.Fatal("the picture as it is has another hash")
		}
		for o := range phash.Orientations {
			var turned phash.Grey
			for y := range phash.Side {
				for x := range phash.Side {
					fromX, fromY := x, y
					if o&1 != 0 {
						fromX = phash.Side - 1 - x
					}
					if o&2 != 0 {
						fromY = phash.Side - 1 - y
					}
					if o&4 != 0 {
						fromX, fromY = fromY, fromX
					}
					turned[y*phash.Side+x] = g[fromY*phash.Side+fromX]
				}
			}
			if got, want := hashes[o], h.Hash(&turned); got != want {
				t.Errorf("orientation %d: %016x, want %016x", o, got, want)
			}
		}
	}
}
