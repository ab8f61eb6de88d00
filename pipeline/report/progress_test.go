package report_test

import (
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
)

func TestDescribeWork(t *testing.T) {
	for _, test := range []struct {
		event      pipeline.Event
		text, unit string
	}{
		{pipeline.Event{Phase: "train", Stage: "head", Epoch: 2, Epochs: 30, Loss: 0.5, Accuracy: 0.75}, "head epoch 2/30  loss 0.5000  accuracy 0.7500", "images"},
		{pipeline.Event{Phase: rundir.FeaturesPhase}, "frozen pass", "images"},
		{pipeline.Event{Phase: "sweep"}, "trying learning rates", "rates"},
		{pipeline.Event{Phase: "predict"}, "predict", "images"},
	} {
		if text, unit := report.DescribeWork(test.event); text != test.text || unit != test.unit {
			t.Errorf("%s: %q in %s, want %q in %s", test.event.Phase, text, unit, test.text, test.unit)
		}
	}
}

func TestDescribeFrozenPass(t *testing.T) {
	for want, test := range map[string]struct {
		cached int
		timing rundir.Timing
	}{
		"": {timing: rundir.Timing{}},
		"features of all 10 images are cached: no frozen pass":                       {10, rundir.Timing{Phase: rundir.FeaturesPhase, Images: 10, Cached: 10}},
		"frozen pass: 10 images in 2.0 s, 5.0 images/s; 0 were cached":               {0, rundir.Timing{Phase: rundir.FeaturesPhase, Images: 10, Seconds: 2}},
		"frozen pass: 6 images in 2.0 s, 3.0 images/s; 4 were cached and took 0.5 s": {4, rundir.Timing{Phase: rundir.FeaturesPhase, Images: 10, Cached: 4, Seconds: 2.5, Computing: 2}},
	} {
		if got := report.DescribeFrozenPass(pipeline.Event{Done: 10, Total: 10, Cached: test.cached}, test.timing); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDescribeEpoch(t *testing.T) {
	record := pipeline.Epoch{
		Best: true, Train: []pipeline.Metric{{Name: "loss", Value: 0.5}, {Name: "accuracy", Value: 0.75}},
		Validation: []pipeline.Metric{{Name: "loss", Value: 0.25}, {Name: "f1", Value: 0.875}},
	}
	event := pipeline.Event{Stage: "head", Epoch: 2, Epochs: 30, Record: record}
	const want = "head epoch 2/30  loss 0.5000  accuracy 0.7500  val_loss 0.2500  val_f1 0.8750  5 images/s  best"
	if got := report.DescribeEpoch(event, rundir.Timing{Phase: rundir.EpochPhase, Images: 10, Train: 2}, "val_f1"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
