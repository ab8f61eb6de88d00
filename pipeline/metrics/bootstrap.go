package metrics

import (
	"context"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// resample draws n samples out of n with replacement, as often as resamples
// says, and lists what of makes of how often each was drawn. A draw follows
// from the seed and its own number, so that the number of processors changes
// nothing. of is called by several goroutines and must not keep times. A
// cancelled ctx ends it after the draws that are under way.
func resample(ctx context.Context, n, resamples int, seed uint64, of func(times []uint8) []float64) ([][]float64, error) {
	drawn := make([][]float64, resamples)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), resamples) {
		group.Go(func() {
			times := make([]uint8, n)
			for b := int(next.Add(1)) - 1; b < resamples && ctx.Err() == nil; b = int(next.Add(1)) - 1 {
				draw(times, rand.NewPCG(seed, uint64(b)))
				drawn[b] = of(times)
			}
		})
	}
	group.Wait()
	return drawn, ctx.Err()
}

// draw fills times. A sample is drawn once in the mean, so that a byte is room
// enough: more than 255 times has a probability below 1e-500.
func draw(times []uint8, random *rand.PCG) {
	clear(times)
	for range times {
		// Written out, for Go promises PCG's stream but not what rand.IntN makes of it.
		i, _ := bits.Mul64(random.Uint64(), uint64(len(times)))
		times[i]++
	}
}

// column is one figure of every resample, but for those in which it is not a
// number: a class that was not drawn has no curve.
func column(drawn [][]float64, i int) []float64 {
	values := make([]float64, 0, len(drawn))
	for _, row := range drawn {
		if !math.IsNaN(row[i]) {
			values = append(values, row[i])
		}
	}
	return values
}

// intervals are those of a report's figures, by name, from its resamples.
func (s *sheet) intervals(r Report, drawn [][]float64) map[string]Interval {
	intervals, values, sizes := map[string]Interval{}, r.values(), r.sizes()
	for i, t := range r.titles() {
		again := column(drawn, i)
		var interval Interval
		switch {
		case t.proportion():
			interval = wilson(values[i], sizes.of(t))
		case t.of == "loss":
			interval = accelerated(values[i], accelerationOfMean(s.loss), again)
		case t.of == "brier":
			interval = accelerated(values[i], accelerationOfMean(s.brier), again)
		case t.of == "ece":
			interval = accelerated(values[i], 0, again)
		case t.of == "kappa" || t.of == "mcc":
			interval = scored(values[i], -1, again, sizes.of(t))
		default:
			interval = scored(values[i], 0, again, sizes.of(t))
		}
		if interval.exists() {
			intervals[t.name] = interval
		}
	}
	return intervals
}

// sizes are how many samples stand behind each figure.
type sizes struct {
	samples, balanced  float64
	support, predicted []float64
}

// sizes counts. balanced is the size of a set with equal classes whose mean over
// these is as uncertain: a class of few samples spoils a mean as it does itself.
func (r Report) sizes() sizes {
	n := sizes{samples: float64(r.Samples), support: make([]float64, len(r.Classes)), predicted: make([]float64, len(r.Classes))}
	var present, uncertainty float64
	for i, c := range r.Classes {
		n.support[i] = float64(c.Support)
		for _, row := range r.ConfusionMatrix {
			n.predicted[i] += float64(row[i])
		}
		if c.Support > 0 {
			present++
			uncertainty += 1 / n.support[i]
		}
	}
	n.balanced = present * present / uncertainty
	return n
}

func (n sizes) of(t title) float64 {
	switch {
	case t.class < 0 && t.proportion():
		return n.samples
	case t.class < 0:
		return n.balanced
	case t.of == "precision":
		return n.predicted[t.class]
	case t.of == "roc_auc":
		return min(n.support[t.class], n.samples-n.support[t.class])
	}
	return n.support[t.class]
}
