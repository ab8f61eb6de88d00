package audit

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"tftl/internal/phash"
)

// spotted is a thumbnail with blobs of many sizes.
func spotted(seed uint64, width, height int) grey {
	random := rand.New(rand.NewPCG(seed, 1))
	g := newGrey(width, height)
	for n := 6; n <= 48; n *= 2 {
		rough := newGrey(n, n)
		for i := range rough.values {
			rough.values[i] = random.Float32() * 80
		}
		for i, v := range rough.to(width, height).values {
			g.values[i] += v
		}
	}
	return g
}

// The keypoints of a turned picture are those of the picture, turned.
func TestKeypointsTurn(t *testing.T) {
	d := newDetector()
	g := spotted(1, 110, 84)
	points := d.find(g)
	if len(points) < 15 {
		t.Fatalf("%d keypoints", len(points))
	}
	for o := range orientation(phash.Orientations) {
		turned := d.find(g.turn(o))
		for _, p := range points {
			x, y := o.point(p.x, p.y, g.width, g.height)
			found := false
			for _, q := range turned {
				near := math.Hypot(float64(q.x-x), float64(q.y-y)) < 0.5*float64(p.sigma)
				found = found || near && bits.OnesCount64(q.code^p.turned(o)) <= codeBits
			}
			// The halves of a picture of even size are not symmetrical, so larger blobs move a little.
			if !found && p.sigma < 4 {
				t.Errorf("orientation %d: no keypoint at %.1f, %.1f, sigma %.1f", o, x, y, p.sigma)
			}
		}
	}
}

// A link seen from the other image is what is found the other way round.
func TestLinksReverse(t *testing.T) {
	for o := range orientation(phash.Orientations) {
		a := spotted(2, 300, 220)
		b := a.part(20, 30, 240, 170).turn(o)
		f := &finder{hasher: phash.New(), detector: newDetector()}
		f.pictures = []picture{f.picture(nil, coloured(a)), f.picture(nil, coloured(b)), f.picture(nil, coloured(a))}
		var links []link
		for _, nodes := range [][]int{{0, 1}, {1, 2}} {
			pairs, err := f.candidates(t.Context(), nodes)
			if err != nil || len(pairs) != 1 {
				t.Fatalf("%v, %v", pairs, err)
			}
			links = append(links, f.verify(pairs[0]))
		}
		got, want := links[0].reversed(), links[1]
		if got.turned != want.turned || want.blocks == 0 {
			t.Errorf("orientation %d: %d, want %d", o, got.turned, want.turned)
		}
		for i := range got.placed.scale {
			if abs(got.placed.scale[i]-want.placed.scale[i]) > 0.02 || abs(got.placed.middle[i]-want.placed.middle[i]) > 0.01 {
				t.Errorf("orientation %d: %v, want %v", o, got.placed, want.placed)
			}
		}
		if x, y := f.scale(links[0]); abs(x-1) > 0.02 || abs(y-1) > 0.02 {
			t.Errorf("orientation %d: scale %v, %v", o, x, y)
		}
		if _, has := links[0].placed.overlap(); abs(has-240*170/(300.0*220)) > 0.02 {
			t.Errorf("orientation %d: shows %v", o, has)
		}
	}
}

// part cuts a picture out.
func (g grey) part(x, y, width, height int) grey {
	out := newGrey(width, height)
	for i := range height {
		copy(out.values[i*width:(i+1)*width], g.values[(y+i)*g.width+x:])
	}
	return out
}

func coloured(g grey) decoded {
	d := decoded{width: g.width, height: g.height}
	for _, v := range g.values {
		d.rgb = append(d.rgb, rounded(v), rounded(v), rounded(v))
	}
	return d
}

// Shrinking weighs every pixel, and a picture of one colour stays one.
func TestResize(t *testing.T) {
	for _, size := range [][4]int{{7, 5, 3, 2}, {3, 2, 7, 5}, {100, 1, 4, 4}, {640, 480, 96, 72}} {
		flat, noise := newGrey(size[0], size[1]), spotted(4, size[0], size[1])
		for i := range flat.values {
			flat.values[i] = 77
		}
		for _, v := range flat.to(size[2], size[3]).values {
			if math.Abs(float64(v)-77) > 1e-3 {
				t.Fatalf("%v: %v", size, v)
			}
		}
		if a, b := mean(noise), mean(noise.to(size[2], size[3])); size[0] == 640 && math.Abs(a-b) > 0.5 {
			t.Errorf("%v: mean %v, was %v", size, b, a)
		}
	}
}

func mean(g grey) float64 {
	sum := 0.0
	for _, v := range g.values {
		sum += float64(v)
	}
	return sum / float64(len(g.values))
}
