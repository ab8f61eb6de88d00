package metrics

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// resample draws n samples out of n, with replacement, resamples times, and
// hands on how often each was drawn. What of makes of a draw follows from the
// seed and the draw's number, so that the number of processors changes nothing.
// of is called by several goroutines and must not keep times.
func resample(n, resamples int, seed uint64, of func(times []uint8) []float64) [][]float64 {
	drawn := make([][]float64, resamples)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), resamples) {
		group.Go(func() {
			times := make([]uint8, n)
			for b := int(next.Add(1)) - 1; b < resamples; b = int(next.Add(1)) - 1 {
				draw(times, rand.NewPCG(seed, uint64(b)))
				drawn[b] = of(times)
			}
		})
	}
	group.Wait()
	return drawn
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

// column is one figure of every resample, those left out in which it is not a
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
