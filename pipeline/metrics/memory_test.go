package metrics_test

import (
	"runtime"
	"testing"

	"tftl/pipeline/metrics"
)

// allocated is how many bytes a function allocates, freed or not.
func allocated(do func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// Samples that are drawn again are counted in the same memory: 64 bytes for each
// sample and 64 resamples. What remains is the memory to sort in.
func TestMoreResamplesTakeLittleMoreMemory(t *testing.T) {
	table := synthetic(100_000, 2) // so many that they are drawn a few hundred times at once
	with := func(resamples int) int {
		return allocated(func() {
			if _, err := metrics.Evaluate(t.Context(), table, metrics.Options{Seed: 1, Resamples: resamples}); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := with(200), with(600); many-few > 4*64*len(table.Predictions) {
		t.Errorf("200 resamples allocate %d bytes, and 600 %d", few, many)
	}
}

func TestCurvesUseTheirMemoryAgain(t *testing.T) {
	table := synthetic(20_000, 5)
	curves := metrics.NewCurves(table.Predictions)
	draw := func() {
		for class := range table.Classes {
			if len(curves.ROC(class).X) == 0 || len(curves.PrecisionRecall(class).X) == 0 {
				t.Fatalf("class %d has no curve", class)
			}
		}
	}
	first, again := allocated(draw), allocated(draw)
	if again > first/10 {
		t.Errorf("curves allocate %d bytes, and then %d", first, again)
	}
}
