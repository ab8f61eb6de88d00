package metrics

import (
	"math"
	"slices"
)

// key is a sample in the order of its score for a class: the score from the
// highest down in the upper half, then a bit that is set if the sample is of
// another class, then its index.
type key uint64

func (k key) positive() bool { return k>>31&1 == 0 }
func (k key) index() int32   { return int32(k & math.MaxInt32) }

// sorter sorts samples by the probability of a class, highest first. Of equal ones
// those of the class come first.
type sorter struct {
	keys   []key
	spare  []key
	broken bool // a probability is NaN, so there is no order
}

// sort fills keys. The first of two classes is ranked by the second's probability,
// because float32 has little precision near 1; that way both have the same
// curve, as they do on paper.
func (s *sorter) sort(rows [][]float32, label []int, class int) {
	if len(s.keys) != len(rows) {
		s.keys, s.spare = make([]key, len(rows)), make([]key, len(rows))
	}
	s.broken = false
	for i, row := range rows {
		score := row[class]
		if len(row) == 2 && class == 0 {
			score = -row[1]
		}
		k := key(descending(score))<<32 | key(i)
		if label[i] != class {
			k |= 1 << 31
		}
		s.keys[i] = k
		s.broken = s.broken || score != score
	}
	s.radix()
}

// descending is larger for a smaller score.
func descending(score float32) uint32 {
	if score == 0 {
		score = 0 // and not -0
	}
	bits := math.Float32bits(score)
	if bits>>31 == 0 {
		return ^bits &^ (1 << 31)
	}
	return bits
}

// radix sorts the keys without their indexes, by 11 bits at a time. The order of
// what is equal stays.
func (s *sorter) radix() {
	const digit, first = 11, 31
	for shift := first; shift < 64; shift += digit {
		var starts [1 << digit]int
		for _, k := range s.keys {
			starts[k>>shift&(1<<digit-1)]++
		}
		sum := 0
		for d, n := range starts {
			starts[d] = sum
			sum += n
		}
		for _, k := range s.keys {
			d := k >> shift & (1<<digit - 1)
			s.spare[starts[d]] = k
			starts[d]++
		}
		s.keys, s.spare = s.spare, s.keys
	}
}

// tied says that the next sample has the same score.
func (s *sorter) tied(i int) bool { return i+1 < len(s.keys) && s.keys[i]>>32 == s.keys[i+1]>>32 }

// ranks is what a bootstrap needs of a sorted class.
type ranks struct {
	order  []int32 // samples from the highest score down, as far as the last one of the class
	steps  []step  // one for each score that a sample of the class has
	broken bool
}

// step is one score of samples of the class. Each number is an end in the order:
// of the samples of other classes that have a higher score, of the samples of the
// class, and of those of other classes with this score.
type step struct{ above, positives, tied int32 }

// take replaces the ranks by those of the sorter's class.
func (r *ranks) take(s sorter) {
	r.order, r.steps, r.broken = slices.Grow(r.order[:0], len(s.keys)), r.steps[:0], s.broken
	for i := 0; i < len(s.keys); i++ {
		if !s.keys[i].positive() {
			r.order = append(r.order, s.keys[i].index())
			continue
		}
		// The first sample of the class with a score is the first sample with it.
		next := step{above: int32(i), positives: int32(i + 1)}
		for r.order = append(r.order, s.keys[i].index()); s.tied(i); i++ {
			if s.keys[i+1].positive() {
				next.positives++
			}
			r.order = append(r.order, s.keys[i+1].index())
		}
		next.tied = int32(i + 1)
		r.steps = append(r.steps, next)
	}
	if len(r.steps) > 0 {
		r.order = r.order[:r.steps[len(r.steps)-1].tied]
	}
}
