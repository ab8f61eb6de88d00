package schedule

import (
	"math"
	"testing"

	"tftl/pipeline"
)

func epochs(stage string, noise float64, losses ...float64) []pipeline.Epoch {
	var all []pipeline.Epoch
	for _, v := range losses {
		all = append(all, pipeline.Epoch{Stage: stage, Validation: []pipeline.Metric{
			{Name: "loss", Value: v},
			{Name: "loss_se", Value: noise},
			{Name: "accuracy", Value: 1 - v},
			{Name: "accuracy_se", Value: noise},
		}})
	}
	return all
}

func TestDepth(t *testing.T) {
	head := epochs("head", 0.05, 0.5, 0.4, 0.45)
	for _, test := range []struct {
		name   string
		block5 []pipeline.Epoch
		gain   float64
		deeper bool
	}{
		{"better by more than the noise", epochs("block5", 0.05, 0.6, 0.3), 0.1, true},
		{"better by less", epochs("block5", 0.05, 0.37, 0.36), 0.04, false},
		{"worse", epochs("block5", 0.05, 0.5, 0.6), 0, false},
		{"not a number", epochs("block5", 0.05, math.NaN()), 0, false},
	} {
		for _, d := range []Depth{{Monitor: "val_loss"}, {Monitor: "val_accuracy", Higher: true}} {
			history := append(head[:len(head):len(head)], test.block5...)
			curve := d.Curve(history)
			if len(curve) != 2 || curve[1].Stage != "block5" || math.Abs(curve[1].Gain-test.gain) > 1e-12 {
				t.Errorf("%s, %s: %+v", test.name, d.Monitor, curve)
			}
			if got := d.Deeper(history); got != test.deeper {
				t.Errorf("%s, %s: deeper %v", test.name, d.Monitor, got)
			}
		}
	}
	if !(Depth{Monitor: "val_loss"}).Deeper(head) {
		t.Error("after the first stage it does not go deeper")
	}
}
