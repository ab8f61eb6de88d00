package check

import (
	"cmp"
	"context"
	"maps"
	"math"
	"math/bits"
	"slices"

	"tftl/internal/phash"
)

// Side is the height and width to which images are shrunk for comparison.
const Side = phash.Side

// Two images are near duplicates if their hashes differ in at most nearBits of 63
// bits and the correlation of their thumbnails is at least nearCorrelation. The
// first test is quick and finds candidates; the second rules out coincidences,
// which happen among many pairs.
//
// Measured on 600 photographs of cats and dogs: copies encoded again at quality
// 30, at half or double size, in grey, or with more contrast or colour differed
// by 0 to 6 bits; copies 15% brighter by up to 10 (19 of 20 by up to 6); crops of
// 2% on each side by 4 to 12. Two different photographs always differed by at
// least 14 bits. Among 174 cut-outs on white, which have their frame in common,
// the nearest two differed by 10 bits, and no two differed by less than 16 bits
// with a correlation above 0.95. The number of bits that differ is always even,
// as 31 of a hash's 63 are set.
const (
	nearBits        = 6
	nearCorrelation = 0.95
)

// blankRange is how much the thumbnail of a blank image may vary, of 255. It
// allows for what JPEG does to a single colour.
const blankRange = 2

// grey is an image's thumbnail.
type grey = phash.Grey

// thumbnail makes one from pixels, [Side,Side,3], and says whether it is blank.
func thumbnail(pixels []float32) (t grey, blank bool) {
	low, high := [3]float32{255, 255, 255}, [3]float32{}
	for i := range t {
		p := pixels[3*i : 3*i+3]
		for c, v := range p {
			low[c], high[c] = min(low[c], v), max(high[c], v)
		}
		t[i] = uint8(math.Round(0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2])))
	}
	blank = true
	for c := range low {
		blank = blank && high[c]-low[c] <= blankRange
	}
	return t, blank
}

// correlation is Pearson's.
func correlation(a, b *grey) float64 {
	var sumA, sumB, squareA, squareB, product int // exact: below 2^26
	for i := range a {
		x, y := int(a[i]), int(b[i])
		sumA, sumB = sumA+x, sumB+y
		squareA, squareB, product = squareA+x*x, squareB+y*y, product+x*y
	}
	n := len(a)
	spread := float64(n*squareA-sumA*sumA) * float64(n*squareB-sumB*sumB)
	if spread == 0 {
		return 0
	}
	return float64(n*product-sumA*sumB) / math.Sqrt(spread)
}

// nearDuplicates joins images that are alike, directly or through others, into
// groups. firsts are the images to compare; blank ones are left out.
//
// It finds candidates without comparing every pair: of four bands of the hash, one
// differs in at most one bit if all together differ in at most six.
func nearDuplicates(ctx context.Context, images []image, firsts []int32, thumbnails thumbnails) ([][]int, error) {
	nodes := slices.DeleteFunc(firsts, func(i int32) bool { return images[i].blank })
	j := joiner{images: images, thumbnails: thumbnails, nodes: nodes, parent: make([]int32, len(nodes))}
	for i := range j.parent {
		j.parent[i] = int32(i)
	}
	for shift := 0; shift < 64; shift += bandBits {
		if err := j.joinBand(ctx, shift); err != nil {
			return nil, err
		}
	}
	joined := map[int32][]int{} // by the first node of a group
	for i := range nodes {
		if root := j.root(int32(i)); root != int32(i) {
			if joined[root] == nil {
				joined[root] = []int{int(nodes[root])}
			}
			joined[root] = append(joined[root], int(nodes[i]))
		}
	}
	var groups [][]int
	for _, root := range slices.Sorted(maps.Keys(joined)) {
		groups = append(groups, joined[root])
	}
	return groups, nil
}

// bandBits is the number of bits of a band. There are 64/bandBits bands.
const bandBits = 16

// joiner joins nodes into groups, which are trees.
type joiner struct {
	images     []image
	thumbnails thumbnails
	nodes      []int32 // images
	parent     []int32 // of each node
}

func (j *joiner) root(i int32) int32 {
	for j.parent[i] != i {
		j.parent[i] = j.parent[j.parent[i]]
		i = j.parent[i]
	}
	return i
}

func (j *joiner) hash(node int32) uint64 { return j.images[j.nodes[node]].hash }

// joinBand joins the images that are alike and whose hashes differ in at most one bit
// of the band from bit shift.
func (j *joiner) joinBand(ctx context.Context, shift int) error {
	band := func(node int32) int { return int(j.hash(node) >> shift & (1<<bandBits - 1)) }
	var start [1<<bandBits + 1]int32 // of the nodes with a value, in sorted
	for i := range j.nodes {
		start[band(int32(i))+1]++
	}
	for v := range 1 << bandBits {
		start[v+1] += start[v]
	}
	sorted, hashes, next := make([]int32, len(j.nodes)), make([]uint64, len(j.nodes)), start
	for i := range j.nodes {
		v := band(int32(i))
		sorted[next[v]], hashes[next[v]] = int32(i), j.hash(int32(i))
		next[v]++
	}
	for i := range int32(len(j.nodes)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		hash := j.hash(i)
		for bit := range bandBits + 1 {
			v := band(i) ^ 1<<bit&(1<<bandBits-1) // the last one is the value itself
			from, to := start[v], start[v+1]
			for at, other := range hashes[from:to] { // side by side in memory
				if bits.OnesCount64(hash^other) > nearBits {
					continue
				}
				if k := sorted[int(from)+at]; k < i {
					if err := j.join(i, k); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// join joins the groups of two nodes whose hashes are alike, if their thumbnails are.
func (j *joiner) join(a, b int32) error {
	p, q := j.root(a), j.root(b)
	if p == q {
		return nil
	}
	var one, other grey
	if err := cmp.Or(j.thumbnails.get(int(j.nodes[a]), &one), j.thumbnails.get(int(j.nodes[b]), &other)); err != nil {
		return err
	}
	if correlation(&one, &other) >= nearCorrelation {
		j.parent[max(p, q)] = min(p, q)
	}
	return nil
}
