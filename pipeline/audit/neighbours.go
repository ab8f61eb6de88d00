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
	if k == 0 || a.Len() == 0 {
		return Nearest{}, nil
	}
	block := max(blockValues/a.Width&^1, 2)
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
	i := fromA
	for ; i+2 <= toA; i += 2 {
		j := fromB
		if s.itself && fromA == fromB {
			j = i // both begin at an even vector
		}
		for ; j+2 <= toB; j += 2 {
			p, q, r, t := dot4(s.a.row(i), s.a.row(i+1), s.b.row(j), s.b.row(j+1))
			s.add(i, j, p)
			s.add(i, j+1, q)
			s.add(i+1, j, r)
			s.add(i+1, j+1, t)
		}
		if j < toB {
			s.add(i, j, dot(s.a.row(i), s.b.row(j)))
			s.add(i+1, j, dot(s.a.row(i+1), s.b.row(j)))
		}
	}
	if i < toA {
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

// dot4 is dot for two vectors times two. Each value that is loaded is used twice, and
// the four sums do not wait for each other; more of them would not fit into registers.
func dot4(a, b, x, y []float32) (ax, ay, bx, by float32) {
	b, x, y = b[:len(a)], x[:len(a)], y[:len(a)]
	for i, v := range a {
		w, p, q := b[i], x[i], y[i]
		ax += v * p
		ay += v * q
		bx += w * p
		by += w * q
	}
	return ax, ay, bx, by
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
