package audit

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"tftl/pipeline"
)

// Vectors are the features of images, one vector of Width values after the other.
type Vectors struct {
	Values []float32
	Width  int
}

// Len is the number of vectors.
func (v Vectors) Len() int {
	if v.Width < 1 {
		return 0
	}
	return len(v.Values) / v.Width
}

func (v Vectors) row(i int) []float32 { return v.Values[i*v.Width : (i+1)*v.Width] }

// Nearest has the nearest neighbours of each vector, nearest first.
type Nearest struct {
	K        int       // neighbours of each; fewer than wanted if there are not so many
	Index    []int32   // [N,K]
	Distance []float32 // [N,K], 1 minus the cosine: 0 for the same direction
}

// Of returns the neighbours of vector i and how far away they are.
func (n Nearest) Of(i int) (index []int32, distance []float32) {
	return n.Index[i*n.K : (i+1)*n.K], n.Distance[i*n.K : (i+1)*n.K]
}

// Neighbours finds the k nearest neighbours of each vector among the others. It
// compares every pair, so the result is exact, and the same whatever the number of
// processors. Neighbours at the same distance are in the order of the vectors. A
// vector of zeros has no direction; its distance from all others is 1.
func Neighbours(ctx context.Context, v Vectors, k int) (Nearest, error) {
	return nearest(ctx, v, v, min(k, v.Len()-1), true)
}

// NeighboursAmong finds the k nearest neighbours of each query among other vectors,
// such as those of a training part.
func NeighboursAmong(ctx context.Context, queries, v Vectors, k int) (Nearest, error) {
	if queries.Width != v.Width {
		return Nearest{}, pipeline.Errorf(pipeline.BadModel, "features have %d values, those to compare with %d", queries.Width, v.Width)
	}
	return nearest(ctx, queries, v, min(k, v.Len()), false)
}

// blockValues is how many values a block of vectors has: it stays in a processor's
// second cache while other vectors pass by.
const blockValues = 1 << 15

// nearest does both. With itself, each pair is computed once.
func nearest(ctx context.Context, a, b Vectors, k int, itself bool) (Nearest, error) {
	k = max(k, 0)
	lengthsA, err := lengths(a)
	if err != nil {
		return Nearest{}, err
	}
	lengthsB, err := lengths(b)
	if err != nil {
		return Nearest{}, err
	}
	if k == 0 {
		return Nearest{}, nil
	}
	block := max(blockValues/a.Width&^3, 4)
	across, down := (b.Len()+block-1)/block, (a.Len()+block-1)/block
	workers := min(runtime.GOMAXPROCS(0), down)
	found := make([]best, workers)
	var next atomic.Int64
	var group sync.WaitGroup
	for w := range found {
		found[w] = newBest(a.Len(), k)
		group.Go(func() {
			s := scan{a: a, b: b, lengthsA: lengthsA, lengthsB: lengthsB, itself: itself, best: found[w]}
			for ctx.Err() == nil {
				at := int(next.Add(1)) - 1
				if at >= down {
					return
				}
				first := 0
				if itself {
					first = at
				}
				for other := first; other < across && ctx.Err() == nil; other++ {
					s.block(at*block, min((at+1)*block, a.Len()), other*block, min((other+1)*block, b.Len()))
				}
			}
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return Nearest{}, err
	}
	return merge(found, a.Len(), k), nil
}

// lengths returns 1 over the length of each vector, 0 for one of zeros. They are
// computed as the products are, so that the cosine of equal vectors is 1 within
// rounding.
func lengths(v Vectors) ([]float32, error) {
	inverse := make([]float32, v.Len())
	for i := range inverse {
		row := v.row(i)
		square := float64(dot(row, row))
		if math.IsNaN(square) || math.IsInf(square, 0) {
			return nil, pipeline.Errorf(pipeline.BadModel, "the features of image %d are not finite, or too large", i)
		}
		if square > 0 {
			inverse[i] = float32(1 / math.Sqrt(square))
		}
	}
	return inverse, nil
}

// scan compares blocks of vectors and keeps the best.
type scan struct {
	a, b               Vectors
	lengthsA, lengthsB []float32
	itself             bool
	best               best
}

// block compares vectors from..to of a with those of b.
func (s *scan) block(fromA, toA, fromB, toB int) {
	var products [8]float32
	i := fromA
	for ; i+4 <= toA; i += 4 {
		j := fromB
		if s.itself && fromA == fromB {
			j = i &^ 1
		}
		for ; j+2 <= toB; j += 2 {
			dot42(s.a.Values[i*s.a.Width:], s.b.Values[j*s.b.Width:], s.a.Width, &products)
			for n, product := range products {
				s.add(i+n/2, j+n%2, product)
			}
		}
		for ; j < toB; j++ {
			for n := range 4 {
				s.add(i+n, j, dot(s.a.row(i+n), s.b.row(j)))
			}
		}
	}
	for ; i < toA; i++ {
		for j := fromB; j < toB; j++ {
			s.add(i, j, dot(s.a.row(i), s.b.row(j)))
		}
	}
}

// add takes note of a product. Within one set, a pair is seen once, with the lower
// index first.
func (s *scan) add(i, j int, product float32) {
	distance := max(1-product*s.lengthsA[i]*s.lengthsB[j], 0)
	if !s.itself {
		s.best.add(i, int32(j), distance)
	} else if i < j {
		s.best.add(i, int32(j), distance)
		s.best.add(j, int32(i), distance)
	}
}

// dot is a product of two vectors, summed in order.
func dot(a, b []float32) (sum float32) {
	b = b[:len(a)]
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// dot42 is dot for four vectors of a times two of b. Each value that is loaded is
// used twice or more, and eight sums do not wait for each other.
func dot42(a, b []float32, width int, products *[8]float32) {
	a0, a1, a2, a3 := a[:width], a[width:2*width], a[2*width:3*width], a[3*width:4*width]
	b0, b1 := b[:width], b[width:2*width]
	a1, a2, a3, b0, b1 = a1[:len(a0)], a2[:len(a0)], a3[:len(a0)], b0[:len(a0)], b1[:len(a0)]
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for i, x := range a0 {
		y, z := b0[i], b1[i]
		s0, s1 = s0+x*y, s1+x*z
		x = a1[i]
		s2, s3 = s2+x*y, s3+x*z
		x = a2[i]
		s4, s5 = s4+x*y, s5+x*z
		x = a3[i]
		s6, s7 = s6+x*y, s7+x*z
	}
	*products = [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

// best has the k nearest of each vector found so far, nearest first.
type best struct {
	k        int
	index    []int32
	distance []float32
}

func newBest(n, k int) best {
	b := best{k: k, index: make([]int32, n*k), distance: make([]float32, n*k)}
	for i := range b.index {
		b.index[i], b.distance[i] = math.MaxInt32, float32(math.Inf(1))
	}
	return b
}

// add inserts a neighbour of vector i, unless k are nearer.
func (b best) add(i int, neighbour int32, distance float32) {
	index, distances := b.index[i*b.k:(i+1)*b.k], b.distance[i*b.k:(i+1)*b.k]
	at := b.k - 1
	if distance > distances[at] || distance == distances[at] && neighbour > index[at] {
		return
	}
	for ; at > 0 && (distance < distances[at-1] || distance == distances[at-1] && neighbour < index[at-1]); at-- {
		index[at], distances[at] = index[at-1], distances[at-1]
	}
	index[at], distances[at] = neighbour, distance
}

// merge puts the workers' findings together.
func merge(found []best, n, k int) Nearest {
	all := found[0]
	for _, other := range found[1:] {
		for at, neighbour := range other.index {
			if neighbour != math.MaxInt32 {
				all.add(at/k, neighbour, other.distance[at])
			}
		}
	}
	return Nearest{K: k, Index: slices.Clip(all.index[:n*k]), Distance: all.distance[:n*k]}
}
