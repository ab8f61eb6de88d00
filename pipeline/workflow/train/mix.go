package train

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"tftl/pipeline"
)

// The range of alpha. Below it, powers in beta leave the range of a float64; above
// it, beta rejects too often.
const leastAlpha, mostAlpha = 0.01, 2.0

// mixer mixes each image of a batch with the one after it, and the last with the
// first. Batches are shuffled, so this is a random partner. What is drawn depends
// only on the seed, the image's epoch and the image.
type mixer struct {
	mixup, cutmix float64 // alpha; 0 for off
	seed          uint64
}

// mixDraw is what was drawn for one image.
type mixDraw struct {
	share float64 // of the image itself, before CutMix rounds and clips its box
	box   bool    // CutMix; otherwise mixup
	x, y  float64 // centre of the box, as fractions
}

func (m mixer) draw(epoch int, id string) (d mixDraw) {
	sum := sha256.Sum256(fmt.Appendf(nil, "mix %d %d %s", m.seed, epoch, id))
	source := rand.NewPCG(binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16]))
	// Written out because Go guarantees PCG's stream, but not how rand.Float64 uses it.
	unit := func() float64 { return float64(source.Uint64()>>11) / (1 << 53) }
	d.box = m.cutmix > 0 && (m.mixup == 0 || unit() < 0.5)
	if !d.box {
		d.share = beta(m.mixup, unit)
		return d
	}
	d.share, d.x, d.y = beta(m.cutmix, unit), unit(), unit()
	return d
}

// beta draws from Beta(alpha, alpha) by Jöhnk's method, which rejects at most
// five of six pairs if alpha is at most 2.
func beta(alpha float64, unit func() float64) float64 {
	for {
		x, y := math.Pow(unit(), 1/alpha), math.Pow(unit(), 1/alpha)
		if sum := x + y; sum > 0 && sum <= 1 { // both may be too small for a float64
			return x / sum
		}
	}
}

func (m mixer) mixes() bool { return m.mixup > 0 || m.cutmix > 0 }

// apply mixes a batch in place. epochs has one for each sample.
func (m mixer) apply(epochs []int, b *pipeline.Batch) {
	if !m.mixes() {
		return
	}
	draws := make([]mixDraw, len(b.Samples))
	for i, s := range b.Samples {
		draws[i] = m.draw(epochs[i], s.ID)
	}
	mix(draws, b)
}

func mix(draws []mixDraw, b *pipeline.Batch) {
	n := len(b.Samples)
	width := len(b.Data) / n
	first := append([]float32(nil), b.Data[:width]...) // the last sample's partner, before it is mixed itself
	b.Mixed = make([]pipeline.Mixed, n)
	for i, d := range draws {
		own, partner := b.Data[i*width:(i+1)*width], first
		if i+1 < n {
			partner = b.Data[(i+1)*width : (i+2)*width]
		}
		if d.box {
			d.share = d.cut(own, partner, int(b.Shape[1]), int(b.Shape[2]))
		} else {
			for k, v := range own {
				// The conversions keep a processor from rounding only once.
				own[k] = float32(float32(d.share)*v) + float32(float32(1-d.share)*partner[k])
			}
		}
		b.Mixed[i] = pipeline.Mixed{Partner: b.Samples[(i+1)%n], Share: d.share}
	}
}

// cut puts a box of the partner's pixels into an image and returns the share of
// the image that is left. As in the paper, the box is cut off at the edges.
func (d mixDraw) cut(own, partner []float32, height, width int) float64 {
	side := math.Sqrt(1 - d.share)
	top, bottom := interval(d.y, side, height)
	left, right := interval(d.x, side, width)
	channels := len(own) / (height * width)
	for y := top; y < bottom; y++ {
		from, to := (y*width+left)*channels, (y*width+right)*channels
		copy(own[from:to], partner[from:to])
	}
	return 1 - float64((bottom-top)*(right-left))/float64(height*width)
}

// interval returns the pixels of a side of the box.
func interval(centre, side float64, length int) (from, to int) {
	middle, size := int(centre*float64(length)), int(side*float64(length))
	return max(middle-size/2, 0), min(middle-size/2+size, length)
}
