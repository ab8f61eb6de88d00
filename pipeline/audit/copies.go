package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"tftl/internal/parallel"
	"tftl/internal/phash"
	"tftl/pipeline"
)

// Pixels are a decoded image of three bytes per pixel, row by row.
type Pixels struct {
	Width, Height int
	RGB           []byte
}

// Decode decodes an image at its full size. An image that cannot be decoded is an error
// of kind pipeline.BadData.
type Decode func(ctx context.Context, encoded []byte, s pipeline.Sample) (Pixels, error)

// Copies looks for images that are copies of each other.
type Copies struct {
	Images   pipeline.Encoded
	Decode   Decode
	Part     func(i int) string // of image i
	Class    func(label int) string
	Workers  int // 0 for one per processor
	Progress pipeline.Progress
}

// thumbnailArea is the number of pixels to which images are shrunk, in their own shape.
const thumbnailArea = 96 * 96

// levels are how much smaller a thumbnail's smaller sizes are.
const levels = 3

// blankSpread is the standard deviation of a thumbnail that has too little in it to be
// compared, in grey levels.
const blankSpread = 3

// picture is what is kept of an image: 14 KB of it are the thumbnail and its keypoints.
type picture struct {
	readable      bool
	blank         bool
	digest        [sha256.Size]byte // of the bytes
	pixels        [sha256.Size]byte // of width, height and pixels
	width, height int
	size          int // bytes
	small         [levels][2]int
	values        []byte // of the thumbnail in each size, small to large
	hashes        [phash.Orientations]uint64
	points        []keypoint
}

// Unreadable is an image that could not be decoded.
type Unreadable struct {
	Index int
	Err   error
}

// finder is a search in progress.
type finder struct {
	Copies
	pictures []picture
	firstHashes []uint64 // of the nodes, not turned
	hasher   *phash.Hasher
	detector *detector
}

// read fills in picture i.
func (f *finder) read(ctx context.Context, i int) error {
	encoded, err := f.Images.Bytes(i)
	if err != nil {
		return err
	}
	pixels, err := f.Decode(ctx, encoded, f.Images.Sample(i))
	if err != nil {
		return err
	}
	p := &f.pictures[i]
	p.readable, p.size, p.width, p.height = true, len(encoded), pixels.Width, pixels.Height
	p.digest = sha256.Sum256(encoded)
	sum := sha256.New()
	var header [16]byte
	binary.LittleEndian.PutUint64(header[:], uint64(p.width))
	binary.LittleEndian.PutUint64(header[8:], uint64(p.height))
	sum.Write(header[:])
	sum.Write(pixels.RGB)
	sum.Sum(p.pixels[:0])
	width, height := shrunk(p.width, p.height)
	large := luma(pixels, width, height)
	if large.spread() < blankSpread {
		p.blank = true
		return nil
	}
	p.points = slices.Clone(f.detector.find(large))
	var square phash.Grey
	for k, v := range large.to(phash.Side, phash.Side).values {
		square[k] = level(v)
	}
	p.hashes = f.hasher.Hashes(&square)
	for n := range levels {
		by := 1 << (levels - 1 - n)
		g := large.to(max(width/by, 2), max(height/by, 2))
		p.small[n] = [2]int{g.width, g.height}
		for _, v := range g.values {
			p.values = append(p.values, level(v))
		}
	}
	p.values = slices.Clip(p.values)
	return nil
}

func level(v float32) byte { return byte(min(max(v+0.5, 0), 255)) }

func (g grey) spread() float64 {
	var m moments
	for _, v := range g.values {
		m.add(float64(v), 0)
	}
	s, _ := m.spread()
	return s
}

// shrunk is the size of the thumbnail of an image. Very long ones are compressed.
func shrunk(width, height int) (int, int) {
	ratio := min(max(float64(width)/float64(height), 0.125), 8)
	side := math.Sqrt(thumbnailArea * ratio)
	return int(math.Round(side)), int(math.Round(thumbnailArea / side))
}

// pyramid returns the thumbnail in its sizes.
func (p *picture) pyramid() pyramid {
	all := make(pyramid, levels)
	at := 0
	for n, size := range p.small {
		g := newGrey(size[0], size[1])
		for i := range g.values {
			g.values[i] = float32(p.values[at+i])
		}
		at += len(g.values)
		all[n] = g
	}
	return all
}

// link is two images that are copies: b, turned, lies in a.
type link struct {
	a, b   int
	turned orientation
	placed placement
	likeness
}

// verify tries placements of b in a, turned, and returns the best one.
func (f *finder) verify(a, b int, hypotheses []hypothesis) (best link, ok bool) {
	one, other := f.pictures[a].pyramid(), f.pictures[b].pyramid()
	turns := map[orientation]pyramid{}
	for _, h := range hypotheses {
		if _, has := turns[h.turned]; !has {
			turns[h.turned] = other.turn(h.turned)
		}
		turned := turns[h.turned]
		placed, aligned := align(one, turned, h.placed)
		if !aligned {
			continue
		}
		l := compare(one[levels-1], turned[levels-1], placed)
		if !ok || l.detail > best.detail {
			best, ok = link{a, b, h.turned, placed, l}, true
		}
	}
	return best, ok
}

// sameBytes groups images with the same digest: the first of each, in order, and all of
// those that are not alone by the first.
func groupBy(n int, use func(i int) bool, key func(i int) [sha256.Size]byte) (firsts []int, copies map[int][]int) {
	var order []int
	for i := range n {
		if use(i) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := key(a), key(b)
		return cmp.Or(bytes.Compare(x[:], y[:]), cmp.Compare(a, b))
	})
	copies = map[int][]int{}
	for k, i := range order {
		if k == 0 || key(order[k-1]) != key(i) {
			firsts = append(firsts, i)
			continue
		}
		first := firsts[len(firsts)-1]
		if copies[first] == nil {
			copies[first] = []int{first}
		}
		copies[first] = append(copies[first], i)
	}
	slices.Sort(firsts)
	return firsts, copies
}

// readAll reads all images. Those that cannot be decoded are listed.
func (f *finder) readAll(ctx context.Context) ([]Unreadable, error) {
	n := f.Images.Len()
	f.pictures = make([]picture, n)
	failures := make([]error, n)
	err := parallel.Each(ctx, n, f.Workers, f.report("check", n), func(i int) error {
		err := f.read(ctx, i)
		if pipeline.KindOf(err) == pipeline.BadData {
			failures[i] = err
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var bad []Unreadable
	for i, err := range failures {
		if err != nil {
			bad = append(bad, Unreadable{i, err})
		}
	}
	return bad, nil
}

func (f *finder) report(phase string, total int) func(int) {
	return func(done int) {
		if f.Progress != nil {
			f.Progress(pipeline.Event{Phase: phase, Done: done, Total: total})
		}
	}
}
