package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"tftl/internal/phash"
)

const (
	thumbnailArea = 96 * 96 // pixels to which images are shrunk, in their own shape
	levels        = 3       // sizes of a thumbnail, each half the next
	longest       = 8       // times as long as wide: longer thumbnails are compressed
	blankSpread   = 3       // standard deviation, in grey levels, of a thumbnail with too little in it
)

// picture is what is kept of an image.
type picture struct {
	size          int // of the file in bytes; 0 if it cannot be decoded
	width, height int
	blank         bool
	digest        [sha256.Size]byte // of the bytes
	pixels        [sha256.Size]byte // of width, height and pixels
	small         [levels][2]int    // width and height of the thumbnail, small to large
	values        []byte            // of the thumbnail in these sizes
	hashes        [phash.Orientations]uint64
	points        []keypoint
}

// decoded is an image at its full size.
type decoded struct {
	rgb           []byte
	width, height int
}

func (f *finder) picture(encoded []byte, d decoded) picture {
	p := picture{size: len(encoded), width: d.width, height: d.height, digest: sha256.Sum256(encoded)}
	sum := sha256.New()
	sum.Write(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(p.width)), uint64(p.height)))
	sum.Write(d.rgb)
	sum.Sum(p.pixels[:0])
	width, height := shrunk(p.width, p.height)
	large := luma(d, width, height)
	if p.blank = large.spread() < blankSpread; p.blank {
		return p
	}
	p.points = f.detector.find(large)
	var square phash.Grey
	for i, v := range large.to(phash.Side, phash.Side).values {
		square[i] = rounded(v)
	}
	p.hashes = f.hasher.Hashes(&square)
	p.values = make([]byte, 0, thumbnailArea*3/2)
	for n := range levels {
		by := 1 << (levels - 1 - n)
		g := large.to(max(width/by, 2), max(height/by, 2))
		p.small[n] = [2]int{g.width, g.height}
		for _, v := range g.values {
			p.values = append(p.values, rounded(v))
		}
	}
	return p
}

func rounded(v float32) byte { return byte(min(max(v+0.5, 0), 255)) }

// shrunk is the size of the thumbnail of an image.
func shrunk(width, height int) (int, int) {
	ratio := min(max(float64(width)/float64(height), 1.0/longest), longest)
	side := math.Sqrt(thumbnailArea * ratio)
	return int(math.Round(side)), int(math.Round(thumbnailArea / side))
}

// pyramid is a thumbnail in several sizes, small to large.
type pyramid []grey

// pyramid returns the thumbnail.
func (p *picture) pyramid() pyramid {
	all := make(pyramid, levels)
	rest := p.values
	for n, size := range p.small {
		g := newGrey(size[0], size[1])
		for i := range g.values {
			g.values[i] = float32(rest[i])
		}
		all[n], rest = g, rest[len(g.values):]
	}
	return all
}

// turn brings all sizes into an orientation.
func (p pyramid) turn(o orientation) pyramid {
	t := make(pyramid, len(p))
	for i, g := range p {
		t[i] = g.turn(o)
	}
	return t
}
