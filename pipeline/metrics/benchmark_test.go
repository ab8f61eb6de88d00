package metrics_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// sizes are those of the benchmarks, as samples and classes.
func sizes() [][2]int {
	return [][2]int{{1000, 2}, {50_000, 10}, {5000, 1000}, {50_000, 1000}}
}

// synthetic is what a model might say of a number of samples: three of four are
// right.
func synthetic(samples, classes int) metrics.Table {
	random := rand.New(rand.NewPCG(uint64(samples), uint64(classes)))
	t := metrics.Table{}
	for class := range classes {
		t.Classes = append(t.Classes, fmt.Sprintf("class-%03d", class))
	}
	for i := range samples {
		label, logits := i%classes, make([]float32, classes)
		for class := range logits {
			logits[class] = float32(2 * random.NormFloat64())
		}
		logits[label] += 6 + 2*float32(random.NormFloat64())
		t.Predictions = append(t.Predictions, pipeline.Prediction{
			Sample:        pipeline.Sample{ID: fmt.Sprintf("%s/%06d.jpg", t.Classes[label], i), Label: label, Weight: 1},
			Probabilities: pipeline.Softmax(logits), Logits: logits,
		})
	}
	return t
}

// each runs a benchmark for each size, and also reports the processor's time and
// the memory of the whole process.
func each(b *testing.B, run func(b *testing.B, t metrics.Table)) {
	for _, size := range sizes() {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			table := synthetic(size[0], size[1])
			runtime.GC()
			b.ReportAllocs()
			before := usage(b)
			for b.Loop() {
				run(b, table)
			}
			after := usage(b)
			seconds := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()).Seconds()
			b.ReportMetric(seconds/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(after.Maxrss)/1024, "peak-MB") // of the process until now
		})
	}
}

func usage(b *testing.B) (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

// What evaluate does after the network: metrics with 1,000 resamples.
func BenchmarkEvaluate(b *testing.B) {
	each(b, func(b *testing.B, t metrics.Table) {
		if _, err := metrics.Evaluate(b.Context(), t, metrics.Options{Seed: 1, Resamples: 1000}); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	each(b, func(b *testing.B, t metrics.Table) {
		if err := t.Write(io.Discard, metrics.Decision{}); err != nil {
			b.Fatal(err)
		}
	})
}
