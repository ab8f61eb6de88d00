package metrics

import (
	"context"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"tftl/pipeline"
)

// measure lists the values of the sheets' columns, one sheet after the other: first
// with every sample counted once, then those of the wanted columns for each resample,
// which draws n samples out of n with replacement. All sheets get the same draws. A
// draw depends only on the seed and its own number, so the number of processors
// changes nothing. Cancelling ctx stops after what is under way.
func measure(ctx context.Context, sheets []*sheet, resamples int, seed uint64, wanted func(column) bool) ([][]float64, error) {
	n, columns := len(sheets[0].label), 0
	for _, s := range sheets {
		columns += len(s.columns)
	}
	if most := maxValues/2/max(columns, 1) - 1; resamples > most {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s %d: too many for %d values each: at most %d", pipeline.Option("resamples"), resamples, columns, most)
	}
	rows := make([][]float64, 1+resamples)
	most := min(atOnce(n), len(rows))
	blocks, counts := make([]block, (most+lanes-1)/lanes), make([][]*count, len(sheets)) // of some rows, then of the next
	for k := range counts {
		counts[k] = make([]*count, most)
	}
	for first := 0; first < len(rows); {
		some := rows[first:min(first+most, len(rows))]
		blocks := blocks[:(len(some)+lanes-1)/lanes]
		err := spread(ctx, len(blocks), func() func(int) {
			times := make([]uint8, n)
			return func(b int) {
				blocks[b].clear(n)
				for lane := range min(lanes, len(some)-b*lanes) {
					i := b*lanes + lane
					drawNumber(times, first+i, seed)
					blocks[b].put(lane, times)
					for k, s := range sheets {
						counts[k][i] = s.recount(counts[k][i], times)
					}
				}
			}
		})
		for k, s := range sheets {
			if err == nil {
				err = s.measureAreas(ctx, blocks, counts[k][:len(some)])
			}
		}
		if err != nil {
			return nil, err
		}
		for i := range some {
			want := wanted
			if first+i == 0 {
				want = every
			}
			for k := range sheets {
				some[i] = counts[k][i].appendValues(some[i], want)
			}
		}
		first += len(some)
	}
	return rows, nil
}

// every column is wanted.
func every(column) bool { return true }

// atOnce is how many draws of n samples are kept at a time: 24 MB of them, or a
// block.
func atOnce(n int) int { return max(24<<20/n/lanes, 1) * lanes }

// spread calls the functions that worker returns with the numbers below n, from as
// many goroutines as there are processors. Each has a function of its own, so
// worker can allocate what only one call at a time may use.
func spread(ctx context.Context, n int, worker func() func(int)) error {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			do := worker()
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
	return ctx.Err()
}

// drawNumber fills times: number 0 is every sample once, the others are random.
func drawNumber(times []uint8, number int, seed uint64) {
	if number == 0 {
		copy(times, once(len(times)))
		return
	}
	draw(times, rand.NewPCG(seed, uint64(number-1)))
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

// once counts every sample once.
func once(n int) []uint8 {
	times := make([]uint8, n)
	for i := range times {
		times[i] = 1
	}
	return times
}

// drawnOf fills values with one column of the resamples without NaN: a class that was
// not drawn has no curve.
func drawnOf(drawn [][]float64, i int, values []float64) []float64 {
	values = values[:0]
	for _, row := range drawn {
		if !math.IsNaN(row[i]) {
			values = append(values, row[i])
		}
	}
	return values
}

// intervals are those of the metrics by name, given their values on all samples, and
// on the resamples those that were wanted.
func (c *count) intervals(values []float64, drawn [][]float64, wanted func(column) bool) map[string]Interval {
	intervals := map[string]Interval{}
	memory, at := make([]float64, 0, len(drawn)), 0
	for i, column := range c.columns {
		of := memory
		if wanted(column) {
			of = drawnOf(drawn, at, memory)
			at++
		}
		if interval := c.interval(column, values[i], of); interval.exists() {
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
