// Package phash has perceptual hashes of small grey pictures: which of the lowest
// frequencies of a discrete cosine transform are above their median. Pictures that look
// alike have hashes that differ in few bits.
package phash

import (
	"math"
	"slices"
)

const (
	// Side is the height and width of a picture.
	Side = 32
	// lowest is the number of frequencies of a hash in each direction.
	lowest = 8
)

// Grey is a picture, row by row.
type Grey [Side * Side]uint8

// Hasher makes hashes. It is safe for concurrent use.
type Hasher struct {
	cosines [Side][lowest]float64 // by pixel, the first rows of an orthonormal DCT-II
}

// New returns a Hasher.
func New() *Hasher {
	var h Hasher
	for k := range lowest {
		scale := math.Sqrt(2.0 / Side)
		if k == 0 {
			scale = math.Sqrt(1.0 / Side)
		}
		for x := range h.cosines {
			h.cosines[x][k] = scale * math.Cos(math.Pi*float64(k)*(float64(x)+0.5)/Side)
		}
	}
	return &h
}

// frequencies are the lowest ones of a picture, by y and x.
type frequencies [lowest][lowest]float64

// Hash returns a picture's hash of 63 bits. The mean brightness is not in it.
func (h *Hasher) Hash(g *Grey) uint64 {
	f := h.transform(g)
	return f.hash()
}

// Orientations is the number of ways to mirror a square and to turn it by 90 degrees.
const Orientations = 8

// Hashes returns the hashes of a picture in every orientation. That of orientation o is
// of the picture transposed if o has bit 2, then mirrored left to right if it has bit 0,
// then top to bottom if it has bit 1.
func (h *Hasher) Hashes(g *Grey) (hashes [Orientations]uint64) {
	f := h.transform(g)
	for o := range hashes {
		var turned frequencies
		for y := range turned {
			for x := range turned[y] {
				v := f[y][x]
				if o&4 != 0 {
					v = f[x][y]
				}
				if (o&1 != 0 && x%2 == 1) != (o&2 != 0 && y%2 == 1) {
					v = -v
				}
				turned[y][x] = v
			}
		}
		hashes[o] = turned.hash()
	}
	return hashes
}

func (h *Hasher) transform(g *Grey) (all frequencies) {
	var rows [Side][lowest]float64
	for y := range rows {
		row := &rows[y]
		for x := range Side {
			value := float64(g[y*Side+x])
			for k, cosine := range &h.cosines[x] {
				row[k] += cosine * value
			}
		}
	}
	for y := range rows {
		for ky, cosine := range &h.cosines[y] {
			for kx, value := range &rows[y] {
				all[ky][kx] += cosine * value
			}
		}
	}
	return all
}

func (f *frequencies) hash() (hash uint64) {
	var values [lowest*lowest - 1]float64 // without the mean
	for i := range values {
		values[i] = f[(i+1)/lowest][(i+1)%lowest]
	}
	sorted := values
	slices.Sort(sorted[:])
	median := sorted[len(sorted)/2]
	for i, v := range values {
		if v > median {
			hash |= 1 << i
		}
	}
	return hash
}
