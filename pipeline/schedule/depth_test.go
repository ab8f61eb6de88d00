package schedule

import (
	"math"
	"testing"

	"tftl/pipeline"
)

// deeper is a history of the epochs of a stage, with their losses, gains and the
// standard errors of the gains. Watch has flagged the best epochs.
func deeper(watch pipeline.Watch, history []pipeline.Epoch, stage string, values ...[3]float64) []pipeline.Epoch {
	history = history[:len(history):len(history)]
	for _, v := range values {
		e := pipeline.Epoch{Stage: stage, Epoch: len(history) + 1, Validation: []pipeline.Metric{
			{Name: "loss", Value: v[0]}, {Name: "loss_se", Value: 0.05}, {Name: "accuracy", Value: 1 - v[0]}, {Name: "accuracy_se", Value: 0.05},
		}}
		if v[2] != 0 {
			e.Validation = append(e.Validation, pipeline.Metric{Name: "gain", Value: v[1]}, pipeline.Metric{Name: "gain_se", Value: v[2]})
		}
		history = append(history, e)
		history[len(history)-1].Best = watch(history).Best
	}
	return history
}

func TestDepth(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name   string
		block5 [][3]float64
		best   int // epoch
		deeper bool
	}{
		{"better by more than twice the noise", [][3]float64{{0.6, -0.2, 0.01}, {0.37, 0.03, 0.014}}, 5, true},
		{"better by less", [][3]float64{{0.37, 0.03, 0.016}}, 2, false},
		{"the best of the kept", [][3]float64{{0.3, 0.1, 0.01}, {0.32, 0.08, 0.01}, {0.29, 0.11, 0.01}}, 6, true},
		{"a certain gain that is worse than the best", [][3]float64{{0.41, 0.03, 0.01}}, 2, false},
		{"worse", [][3]float64{{0.5, -0.1, 0.01}}, 2, false},
		{"not a number", [][3]float64{{nan, nan, nan}}, 2, false},
		{"a single validation sample", [][3]float64{{0.1, 0.3, nan}}, 2, false},
		{"of an older version, better by more", [][3]float64{{0.25, 0, 0}}, 4, true},
		{"of an older version, better by less", [][3]float64{{0.35, 0, 0}}, 2, false},
	} {
		for _, d := range []Depth{{Monitor: "val_loss"}, {Monitor: "val_accuracy", Higher: true}} {
			watch := d.Watch(EarlyStopping{Monitor: d.Monitor, Higher: d.Higher}.Watch)
			head := deeper(watch, nil, "head", [3]float64{0.5}, [3]float64{0.4}, [3]float64{0.45})
			if !d.Deeper(head) {
				t.Error("after the first stage it does not go deeper")
			}
			history := deeper(watch, head, "block5", test.block5...)
			if best, _ := pipeline.BestOf(history); best.Epoch != test.best {
				t.Errorf("%s, %s: best epoch %d, want %d", test.name, d.Monitor, best.Epoch, test.best)
			}
			if got := d.Deeper(history); got != test.deeper {
				t.Errorf("%s, %s: deeper %v", test.name, d.Monitor, got)
			}
		}
	}
}

func TestExplicitStagesKeepAnyImprovement(t *testing.T) {
	watch := EarlyStopping{Monitor: "val_loss"}.Watch
	history := deeper(watch, nil, "head", [3]float64{0.4})
	history = deeper(watch, history, "block5", [3]float64{0.399, 0.001, 0.1})
	if best, _ := pipeline.BestOf(history); best.Epoch != 2 {
		t.Errorf("best epoch %d", best.Epoch)
	}
}
