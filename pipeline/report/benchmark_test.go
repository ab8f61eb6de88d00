package report

import (
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// BenchmarkRender renders a report from predictions in memory, as evaluate does,
// and from the folder, as tftl report does.
func BenchmarkRender(b *testing.B) {
	for _, size := range [][2]int{{1000, 10}, {5000, 1000}, {50_000, 1000}} {
		run, table := large(b, size[0], size[1])
		for name, predictions := range map[string]*metrics.Table{"memory": &table, "folder": nil} {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], name), func(b *testing.B) {
				b.ReportAllocs()
				before := processorTime(b)
				for b.Loop() {
					check(b, Render(io.Discard, io.Discard, run, predictions))
				}
				b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
			})
		}
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// large is a run that was evaluated on many images.
func large(b *testing.B, samples, classes int) (rundir.Dir, metrics.Table) {
	s := sketch{stages: []string{"head"}, epochs: 3}
	for i := range classes {
		s.classes = append(s.classes, fmt.Sprintf("class-%03d", i))
	}
	run := makeRun(b, b.TempDir(), s)
	random := rand.New(rand.NewPCG(1, 2))
	table := metrics.Table{Classes: s.classes}
	for i := range samples {
		logits := make([]float32, classes)
		for k := range logits {
			logits[k] = 2 * float32(random.NormFloat64())
		}
		logits[i%classes] += 6
		table.Predictions = append(table.Predictions, pipeline.Prediction{
			Sample:        pipeline.Sample{ID: fmt.Sprintf("%06d.jpg", i), Label: i % classes, Weight: 1},
			Probabilities: pipeline.Softmax(logits), Logits: logits,
		})
	}
	table, err := table.Decide(metrics.Decision{})
	check(b, err)
	report, err := metrics.Evaluate(b.Context(), table, metrics.Options{Seed: 1, Resamples: 2})
	check(b, err)
	check(b, run.WritePredictions(true, func(w io.Writer) error { return table.Write(w, metrics.Decision{}) }))
	check(b, run.WriteEvaluation(report))
	return run, table
}
