package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"slices"

	"tftl/internal/parallel"
	"tftl/internal/phash"
	"tftl/pipeline"
)

// Decode decodes an image at its full size: three bytes per pixel, row by row. An image
// that cannot be decoded is an error of kind pipeline.BadData. pixels.Decoder.Whole is one.
type Decode func(ctx context.Context, encoded []byte, s pipeline.Sample) (rgb []byte, width, height int, err error)

// Copies says where to look for images that are copies of each other.
type Copies struct {
	Images   pipeline.Encoded
	Decode   Decode
	Part     func(i int) string     // of image i
	Class    func(label int) string // by its index
	Workers  int                    // images read at a time; 0 for one per processor
	Progress pipeline.Progress
}

// Undecoded is an image that could not be decoded, and why.
type Undecoded struct {
	Index int
	Err   error
}

// Find reads every image once and returns a finding for each image that has a copy: files
// with the same bytes, with the same pixels in other bytes, and near copies, which were
// resized, compressed again, mirrored, rotated by 90 degrees, cropped, made brighter or
// darker, or several of these. Images that are copies directly or through others are one
// group. An image that cannot be decoded has no copies, and is listed instead.
//
// It keeps about 14 KB of an image. The result depends on the images and their order
// alone.
func (c Copies) Find(ctx context.Context) ([]Finding, []Undecoded, error) {
	f := &finder{Copies: c, hasher: phash.New(), detector: newDetector()}
	bad, err := f.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	f.joined = newForest(len(f.pictures))
	firsts := f.joinEqual(f.readable(), func(p *picture) [sha256.Size]byte { return p.digest })
	firsts = slices.DeleteFunc(firsts, func(i int) bool { return f.pictures[i].blank })
	firsts = f.joinEqual(firsts, func(p *picture) [sha256.Size]byte { return p.pixels })
	links, err := f.nearCopies(ctx, firsts)
	if err != nil {
		return nil, nil, err
	}
	return f.findings(links), bad, nil
}

// finder is a search in progress.
type finder struct {
	Copies
	pictures []picture
	hasher   *phash.Hasher
	detector *detector
	joined   forest
}

// read reads all images. Those that cannot be decoded are listed.
func (f *finder) read(ctx context.Context) ([]Undecoded, error) {
	n := f.Images.Len()
	f.pictures = make([]picture, n)
	failures := make([]error, n)
	err := parallel.Each(ctx, n, f.Workers, f.report("check", n), func(i int) error {
		encoded, err := f.Images.Bytes(i)
		var p decoded
		if err == nil {
			p.rgb, p.width, p.height, err = f.Decode(ctx, encoded, f.Images.Sample(i))
		}
		switch {
		case err == nil:
			f.pictures[i] = f.picture(encoded, p)
		case pipeline.KindOf(err) == pipeline.BadData:
			failures[i] = err
		default:
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var bad []Undecoded
	for i, err := range failures {
		if err != nil {
			bad = append(bad, Undecoded{i, err})
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

func (f *finder) readable() (images []int) {
	for i := range f.pictures {
		if f.pictures[i].size > 0 {
			images = append(images, i)
		}
	}
	return images
}

// joinEqual joins images with the same key and returns the first of each, in order.
func (f *finder) joinEqual(images []int, key func(p *picture) [sha256.Size]byte) (firsts []int) {
	order := slices.Clone(images)
	slices.SortFunc(order, func(a, b int) int {
		x, y := key(&f.pictures[a]), key(&f.pictures[b])
		return cmp.Or(bytes.Compare(x[:], y[:]), cmp.Compare(a, b))
	})
	for k, i := range order {
		if k > 0 && key(&f.pictures[order[k-1]]) == key(&f.pictures[i]) {
			f.joined.join(firsts[len(firsts)-1], i)
		} else {
			firsts = append(firsts, i)
		}
	}
	slices.Sort(firsts)
	return firsts
}

const (
	leastDetail  = 0.88 // correlation of the details of two copies
	leastAgree   = 0.85 // share of their blocks that agree
	surelyDetail = 0.93 // the same of pairs that are placed in an unusual way
	surelyAgree  = 0.95
	leastBlocks  = 4    // with something in them: fewer say too little
	chunk        = 2048 // pairs that are compared before their groups are known
	smallGroup   = 16   // images: of larger groups not every pair is compared
)

// nearCopies joins images that show the same. It returns the pairs that it found to.
func (f *finder) nearCopies(ctx context.Context, images []int) ([]link, error) {
	pairs, err := f.candidates(ctx, images)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(pairs, func(x, y candidate) int { return cmp.Compare(x.hypotheses[0].distance, y.hypotheses[0].distance) })
	var links []link
	report := f.report("compare", len(pairs))
	for from := 0; from < len(pairs); from += chunk {
		some := pairs[from:min(from+chunk, len(pairs))]
		found := make([]link, len(some))
		err := parallel.Each(ctx, len(some), f.Workers, nil, func(k int) error {
			if p := some[k]; f.joined.root(p.a) != f.joined.root(p.b) || f.joined.size(p.a) <= smallGroup {
				found[k] = f.verify(p)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			if l.blocks > 0 {
				links = append(links, l)
				f.joined.join(l.a, l.b)
			}
		}
		report(from + len(some))
	}
	return links, nil
}

// link is two images that are copies: b, turned, lies in a.
type link struct {
	a, b   int
	turned orientation
	placed placement
	likeness
}

// verify looks at a pair closely. The link has no blocks if it is none.
func (f *finder) verify(c candidate) link {
	one, other := f.pictures[c.a].pyramid(), f.pictures[c.b].pyramid()
	var turns [phash.Orientations]pyramid
	for _, h := range c.hypotheses {
		if turns[h.turned] == nil {
			turns[h.turned] = other.turn(h.turned)
		}
		turned := turns[h.turned]
		placed, ok := align(one, turned, h.placed)
		if !ok {
			continue
		}
		l := compare(one[levels-1], turned[levels-1], placed)
		if l := (link{c.a, c.b, h.turned, placed, l}); f.copies(l) {
			return l
		}
	}
	return link{}
}

// copies reports whether two images are alike enough. They must be more so if one would
// have to be cropped and stretched at once, or both cropped: round things on white can be
// made to fit each other that way.
func (f *finder) copies(l link) bool {
	if l.blocks < leastBlocks || l.detail < leastDetail || l.agree < leastAgree {
		return false
	}
	one, other := l.placed.overlap()
	x, y := f.scale(l)
	inside, entire := max(one, other) >= cropShare, min(one, other) >= cropShare
	if kept := max(x/y, y/x) <= shapeRatio; entire || inside && kept {
		return true
	}
	return l.detail >= surelyDetail && l.agree >= surelyAgree
}

// scale is how many pixels of b one of a has become, left to right and top to bottom.
func (f *finder) scale(l link) (x, y float64) {
	p, q := &f.pictures[l.a], &f.pictures[l.b]
	width, height := q.width, q.height
	if l.turned&transposed != 0 {
		width, height = height, width
	}
	return float64(width) / (l.placed.scale[0] * float64(p.width)), float64(height) / (l.placed.scale[1] * float64(p.height))
}

// forest joins images into groups, which are trees. Reading it changes nothing, so it
// is safe while nobody joins.
type forest struct {
	parent []int
	sizes  []int // of the groups of roots
}

func newForest(n int) forest {
	f := forest{make([]int, n), make([]int, n)}
	for i := range n {
		f.parent[i], f.sizes[i] = i, 1
	}
	return f
}

func (f forest) root(i int) int {
	for f.parent[i] != i {
		i = f.parent[i]
	}
	return i
}

func (f forest) size(i int) int { return f.sizes[f.root(i)] }

func (f forest) join(a, b int) {
	a, b = f.root(a), f.root(b)
	if a == b {
		return
	}
	if f.sizes[a] < f.sizes[b] { // so that trees stay low
		a, b = b, a
	}
	f.parent[b] = a
	f.sizes[a] += f.sizes[b]
}
