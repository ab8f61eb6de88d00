package audit

import (
	"math/rand/v2"
	"testing"

	"tftl/internal/phash"
)

func noisy(seed uint64, width, height int) decoded {
	r := rand.New(rand.NewPCG(seed, 1))
	g := newGrey(width/8, height/8)
	for i := range g.values {
		g.values[i] = float32(r.IntN(256))
	}
	big := g.to(width, height)
	d := decoded{width: width, height: height, rgb: make([]byte, 0, 3*width*height)}
	for _, v := range big.values {
		d.rgb = append(d.rgb, rounded(v), rounded(v), rounded(v))
	}
	return d
}

func BenchmarkPicture(b *testing.B) {
	f := &finder{hasher: phash.New(), detector: newDetector()}
	d := noisy(1, 500, 375)
	for b.Loop() {
		f.picture(nil, d)
	}
}
