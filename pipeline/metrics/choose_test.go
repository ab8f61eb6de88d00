package metrics_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// Both lists are sorted and hold only samples that belong in them.
func TestChoose(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		classes, n := 2+random.IntN(4), 1+random.IntN(80)
		d := metrics.Decision{Temperature: []float64{0, 0.5, 2}[random.IntN(3)]}
		if classes == 2 && random.IntN(2) == 0 {
			d.Threshold = 0.3
		}
		var table metrics.Table
		for range n {
			logits := make([]float32, classes)
			for k := range logits {
				logits[k] = float32(random.IntN(5)) // with ties
			}
			table.Predictions = append(table.Predictions, pipeline.Prediction{
				Sample: pipeline.Sample{Label: random.IntN(classes)}, Logits: logits, Probabilities: pipeline.Softmax(logits),
			})
		}
		mistakes, uncertain := table.Choose(d)
		calibrated := d.Calibrate(table.Predictions)
		wrong := 0
		for _, p := range calibrated {
			if d.Class(p.Probabilities) != p.Sample.Label {
				wrong++
			}
		}
		sure := func(i int) float32 { return calibrated[i].Probabilities[d.Class(calibrated[i].Probabilities)] }
		gap := func(i int) float32 {
			if d.Threshold > 0 {
				return float32(math.Abs(float64(calibrated[i].Probabilities[1]) - d.Threshold))
			}
			sorted := slices.Sorted(slices.Values(calibrated[i].Probabilities))
			return sorted[len(sorted)-1] - sorted[len(sorted)-2]
		}
		if len(mistakes) != min(wrong, 24) || len(uncertain) != min((n+1)/2, 24) {
			t.Fatalf("%d of %d mistakes, %d of %d samples", len(mistakes), wrong, len(uncertain), n)
		}
		for k, i := range mistakes {
			if d.Class(calibrated[i].Probabilities) == calibrated[i].Sample.Label || k > 0 && sure(i) > sure(mistakes[k-1]) {
				t.Fatalf("mistake %d is not one, or more confident than the one before", k)
			}
		}
		for k, i := range uncertain {
			if k > 0 && gap(i) < gap(uncertain[k-1]) {
				t.Fatalf("sample %d is less certain than the one before", k)
			}
		}
	}
}
