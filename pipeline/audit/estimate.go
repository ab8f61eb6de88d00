package audit

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"tftl/pipeline"
)

// Estimate is a number of images with its 95% interval.
type Estimate struct{ Value, Low, High float64 }

// resamples is how often the images are drawn again for an interval.
const resamples = 500

// estimate says how many labels are wrong: the images off the diagonal of the joint,
// once each row is scaled to the number of images with that label.
//
// Its interval is how far the value may move because the data set is a sample: the
// images are drawn again with replacement, and thresholds and joint computed again
// from the same probabilities. Near 0 such intervals are too narrow (a set without a
// doubtful image has none in any sample), so each end is at least as far away as that
// of Wilson's interval for that many of N images.
func (l labels) estimate(joint [][]int, seed uint64) Estimate {
	n := len(l.given)
	if n == 0 || l.classes < 2 {
		return Estimate{}
	}
	t := newTally(l.classes)
	copy(t.images, l.counts())
	for class, row := range joint {
		for _, images := range row {
			t.confident[class] += images
		}
		t.right[class] = row[class]
	}
	value := t.wrong()
	drawn := l.bootstrap(seed)
	slices.Sort(drawn)
	low, high := wilson(value/float64(n), float64(n))
	at := resamples / 40 // 2.5%
	return Estimate{
		Value: value,
		Low:   min(drawn[at], low*float64(n)),
		High:  max(drawn[len(drawn)-1-at], high*float64(n)),
	}
}

// tally is what the estimate needs of a joint, by given class.
type tally struct{ images, confident, right []int }

func newTally(classes int) tally {
	return tally{make([]int, classes), make([]int, classes), make([]int, classes)}
}

// wrong is how many of the images are wrong.
func (t tally) wrong() (wrong float64) {
	for class, n := range t.images {
		if t.confident[class] > 0 {
			wrong += float64(n) * float64(t.confident[class]-t.right[class]) / float64(t.confident[class])
		}
	}
	return wrong
}

// bootstrap returns the number of wrong labels in each resample. The first pass finds
// the thresholds of all resamples; what reaches none of them need not be looked at
// again.
func (l labels) bootstrap(seed uint64) []float64 {
	self := make([]float64, len(l.given))
	for i, class := range l.given {
		self[i] = float64(l.row(i)[class])
	}
	thresholds := make([][]float64, resamples)
	each(resamples, func(b int) {
		sums, counts := make([]float64, l.classes), make([]int, l.classes)
		resample(len(l.given), seed, b, func(i int) {
			class := l.given[i]
			sums[class] += self[i]
			counts[class]++
		})
		thresholds[b] = means(sums, counts)
	})
	lowest := slices.Clone(thresholds[0])
	for _, t := range thresholds {
		for class := range lowest {
			lowest[class] = min(lowest[class], t[class])
		}
	}
	candidates := l.candidates(lowest)
	drawn := make([]float64, resamples)
	each(resamples, func(b int) {
		t := newTally(l.classes)
		resample(len(l.given), seed, b, func(i int) {
			class := l.given[i]
			t.images[class]++
			if likely := candidates.confident(i, thresholds[b]); likely >= 0 {
				t.confident[class]++
				if likely == class {
					t.right[class]++
				}
			}
		})
		for class := range t.right { // as in the joint
			if t.right[class] == 0 {
				t.right[class]++
				t.confident[class]++
			}
		}
		drawn[b] = t.wrong()
	})
	return drawn
}

// resample draws n of n images with replacement, the same for the same seed and number.
func resample(n int, seed uint64, number int, use func(i int)) {
	random := rand.New(rand.NewPCG(seed, uint64(number)))
	for range n {
		use(int(random.Uint32N(uint32(n))))
	}
}

// each calls a function with 0 to n-1, on all processors.
func each(n int, do func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}

// candidates are the classes that each image may belong to confidently, and its most
// probable.
type candidates struct {
	from    []int32 // where those of image i begin
	classes []int32
	values  []float64
	likely  []int32
}

// candidates finds them for the lowest thresholds.
func (l labels) candidates(lowest []float64) candidates {
	c := candidates{from: make([]int32, 1, len(l.given)+1)}
	for i := range l.given {
		row := l.row(i)
		for class, p := range row {
			if float64(p) >= lowest[class]-equal {
				c.classes, c.values = append(c.classes, int32(class)), append(c.values, float64(p))
			}
		}
		c.from, c.likely = append(c.from, int32(len(c.classes))), append(c.likely, int32(pipeline.Largest(row)))
	}
	return c
}

// confident is labels.confident.
func (c candidates) confident(i int, thresholds []float64) int {
	found := -1
	for at := c.from[i]; at < c.from[i+1]; at++ {
		if c.values[at] < thresholds[c.classes[at]]-equal {
			continue
		}
		if found >= 0 {
			return int(c.likely[i])
		}
		found = int(c.classes[at])
	}
	return found
}

// wilson is Wilson's 95% interval for a share of n.
func wilson(share, n float64) (low, high float64) {
	const z = 1.959963984540054
	centre, spread := share+z*z/(2*n), z*math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	return max((centre-spread)/(1+z*z/n), 0), min((centre+spread)/(1+z*z/n), 1)
}
