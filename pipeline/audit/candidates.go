package audit

import (
	"cmp"
	"context"
	"math/bits"
	"slices"

	"tftl/internal/parallel"
	"tftl/internal/phash"
)

const (
	hashBits       = 12   // of a hash of 63 that may differ for a pair to be looked at
	codeBits       = 9    // of a keypoint's code of 63 that may differ
	mostPartners   = 8    // that are looked at for an image, for each of the two ways to find them
	mostHypotheses = 4    // of a pair
	crowd          = 1024 // of windows that are alike and therefore tell nothing
	bandBits       = 13
	bands          = 5 // of a code, which they cover
)

// hypothesis is how a picture may lie in another one once it is turned. A smaller
// distance makes it more likely.
type hypothesis struct {
	turned   orientation
	placed   placement
	distance int
}

// candidate is a pair of images that may be copies.
type candidate struct {
	a, b       int // a < b
	hypotheses []hypothesis
}

// candidates finds pairs of images that may be copies: those whose hashes are alike in
// some orientation, and those that have a keypoint in common.
func (f *finder) candidates(ctx context.Context, nodes []int) ([]candidate, error) {
	index := f.index(nodes)
	upright := make([]uint64, len(nodes)) // hashes side by side in memory
	for n, i := range nodes {
		upright[n] = f.pictures[i].hashes[0]
	}
	found := make([][]candidate, len(nodes))
	err := parallel.Each(ctx, len(nodes), f.Workers, f.report("match", len(nodes)), func(n int) error {
		partners := map[int][]hypothesis{}
		keep(partners, f.byHash(nodes, upright, n))
		keep(partners, f.byKeypoint(index, nodes[n]))
		for a, hypotheses := range partners {
			found[n] = append(found[n], candidate{a, nodes[n], hypotheses})
		}
		slices.SortFunc(found[n], func(x, y candidate) int { return cmp.Compare(x.a, y.a) })
		return nil
	})
	return slices.Concat(found...), err
}

// keep adds the nearest of more hypotheses, by partner.
func keep(partners, more map[int][]hypothesis) {
	type partner struct{ image, distance int }
	var order []partner
	for image, hypotheses := range more {
		slices.SortStableFunc(hypotheses, func(x, y hypothesis) int { return cmp.Compare(x.distance, y.distance) })
		order = append(order, partner{image, hypotheses[0].distance})
	}
	slices.SortFunc(order, func(x, y partner) int {
		return cmp.Or(cmp.Compare(x.distance, y.distance), cmp.Compare(x.image, y.image))
	})
	for _, p := range order[:min(len(order), mostPartners)] {
		from := len(partners[p.image])
		for _, h := range more[p.image] {
			if len(partners[p.image]) < from+mostHypotheses && !slices.ContainsFunc(partners[p.image], h.like) {
				partners[p.image] = append(partners[p.image], h)
			}
		}
	}
}

// like reports whether aligning would come to the same from both.
func (h hypothesis) like(other hypothesis) bool {
	if h.turned != other.turned {
		return false
	}
	for i := range h.placed.scale {
		if abs(h.placed.scale[i]-other.placed.scale[i]) > 0.05 || abs(h.placed.middle[i]-other.placed.middle[i]) > 0.02 {
			return false
		}
	}
	return true
}

func abs(x float64) float64 { return max(x, -x) }

// byHash compares the hashes of node n and those before it.
func (f *finder) byHash(nodes []int, upright []uint64, n int) map[int][]hypothesis {
	found := map[int][]hypothesis{}
	hashes := f.pictures[nodes[n]].hashes
	for k, other := range upright[:n] {
		for o := range phash.Orientations {
			if d := bits.OnesCount64(hashes[o] ^ other); d <= hashBits {
				found[nodes[k]] = append(found[nodes[k]], hypothesis{orientation(o), whole(), d})
			}
		}
	}
	return found
}

// codes is an index of keypoints by the bands of their codes.
type codes struct {
	start [bands][1<<bandBits + 1]int32 // of a value, in sorted
	by    [bands][]entry                // sorted by value
}

type entry struct {
	code  uint64
	image int32
	point uint8
}

func (f *finder) index(nodes []int) *codes {
	var all []entry
	for _, i := range nodes {
		for k, p := range f.pictures[i].points {
			all = append(all, entry{p.code, int32(i), uint8(k)})
		}
	}
	c := &codes{}
	for band := range c.by {
		start := &c.start[band]
		for _, e := range all {
			start[bandOf(e.code, band)+1]++
		}
		for v := range 1 << bandBits {
			start[v+1] += start[v]
		}
		next := *start
		c.by[band] = make([]entry, len(all))
		for _, e := range all {
			v := bandOf(e.code, band)
			c.by[band][next[v]] = e
			next[v]++
		}
	}
	return c
}

func bandOf(code uint64, band int) int { return int(code >> (band * bandBits) & (1<<bandBits - 1)) }

// byKeypoint finds images before b with a keypoint like one of b in some orientation. Of
// five bands of a code, one differs in at most one bit if all together differ in at most
// nine. Windows that a crowd of images has, such as a corner of a frame, tell nothing and
// are passed over.
func (f *finder) byKeypoint(c *codes, b int) map[int][]hypothesis {
	found := map[int][]hypothesis{}
	for at, p := range f.pictures[b].points {
		for o := range orientation(phash.Orientations) {
			code := p.turned(o)
			for band := range bands {
				value := bandOf(code, band)
				for bit := range bandBits + 1 {
					v := value ^ 1<<bit&(1<<bandBits-1) // the last one is the value itself
					from, to := c.start[band][v], c.start[band][v+1]
					if to-from > crowd {
						continue
					}
					for _, e := range c.by[band][from:to] { // in the order of images
						if int(e.image) >= b {
							break
						}
						d := bits.OnesCount64(code ^ e.code)
						if d > codeBits {
							continue
						}
						h := hypothesis{o, f.place(int(e.image), b, int(e.point), at, o), d}
						if h.placed.sensible() && !slices.Contains(found[int(e.image)], h) {
							found[int(e.image)] = append(found[int(e.image)], h)
						}
					}
				}
			}
		}
	}
	return found
}

// place puts keypoint q of b, turned, on keypoint p of a.
func (f *finder) place(a, b, p, q int, o orientation) placement {
	one, other := &f.pictures[a], &f.pictures[b]
	k, l := one.points[p], other.points[q]
	w, h := one.small[levels-1][0], one.small[levels-1][1]
	v, g := other.small[levels-1][0], other.small[levels-1][1]
	x, y := o.point(l.x, l.y, v, g)
	if o&transposed != 0 {
		v, g = g, v
	}
	ratio := float64(k.sigma / l.sigma)
	scale := [2]float64{ratio * float64(v) / float64(w), ratio * float64(g) / float64(h)}
	return placement{scale, [2]float64{
		(float64(k.x)+0.5)/float64(w) - scale[0]*((float64(x)+0.5)/float64(v)-0.5),
		(float64(k.y)+0.5)/float64(h) - scale[1]*((float64(y)+0.5)/float64(g)-0.5),
	}}
}
