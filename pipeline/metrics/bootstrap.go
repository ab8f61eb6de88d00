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

// resample draws n samples out of n with replacement, resamples times, and lists
// the results of measure, which is told how often each sample was drawn. A draw
// depends only on the seed and its own number, so the number of processors changes
// nothing. Several goroutines call measure, which must not keep times. Cancelling
// ctx stops after the draws under way.
func resample(ctx context.Context, n, resamples int, seed uint64, measure func(times []uint8) []float64) ([][]float64, error) {
	drawn := make([][]float64, resamples)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), resamples) {
		group.Go(func() {
			times := make([]uint8, n)
			for b := int(next.Add(1)) - 1; b < resamples && ctx.Err() == nil; b = int(next.Add(1)) - 1 {
				draw(times, rand.NewPCG(seed, uint64(b)))
				drawn[b] = measure(times)
			}
		})
	}
	group.Wait()
	return drawn, ctx.Err()
}

// draw fills times. A sample is drawn once on average, so a byte is enough: more
// than 255 times has a probability below 1e-500.
func draw(times []uint8, random *rand.PCG) {
	clear(times)
	for range times {
		// Spelled out because Go guarantees PCG's stream but not what rand.IntN makes of it.
		i, _ := bits.Mul64(random.Uint64(), uint64(len(times)))
		times[i]++
	}
}

// drawnOf is one column of the resamples without NaN: a class that was not drawn
// has no curve.
func drawnOf(drawn [][]float64, i int) []float64 {
	values := make([]float64, 0, len(drawn))
	for _, row := range drawn {
		if !math.IsNaN(row[i]) {
			values = append(values, row[i])
		}
	}
	return values
}

// intervals are those of the metrics by name, given their values on all samples
// and on the resamples.
func (c *count) intervals(values []float64, drawn [][]float64) map[string]Interval {
	intervals := map[string]Interval{}
	for i, column := range c.columns {
		if interval := c.interval(column, values[i], drawnOf(drawn, i)); interval.exists() {
			intervals[column.name] = interval
		}
	}
	return intervals
}

func (c *count) interval(of column, value float64, drawn []float64) Interval {
	switch of.method() {
	case proportion:
		return wilson(value, c.size(of))
	case score:
		return scored(value, of.min, of.max, drawn, c.size(of))
	case skewed:
		acceleration := 0.0
		if of.terms != nil {
			acceleration = accelerationOfMean(of.terms(c.sheet))
		}
		return accelerated(value, acceleration, drawn)
	}
	return missing()
}
