package pipeline

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

func TestDeeperStagesRecordTheirGain(t *testing.T) {
	job, n, _ := twoStages()
	history, err := Fit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	started := history[1].Validation[1].Value // the weight of the best epoch of the head
	for i, e := range history {
		gain, ok := e.Value("val_gain")
		if ok != (i >= 3) {
			t.Fatalf("epoch %d: gain %t", e.Epoch, ok)
		}
		if !ok {
			continue
		}
		// The terms of the validation samples 0 to 3 are 0 to 3 times the weight.
		off := e.Validation[1].Value - started
		if want := 1.5 * off; math.Abs(gain-want) > 1e-9*math.Abs(want) {
			t.Errorf("epoch %d: gain %g, want %g", e.Epoch, gain, want)
		}
		noise, _ := e.Value("val_gain_se")
		if want := math.Abs(off) * math.Sqrt(5.0/3/4); math.Abs(noise-want) > 1e-9*want {
			t.Errorf("epoch %d: standard error %g, want %g", e.Epoch, noise, want)
		}
	}
	// The weights that the second stage starts from are validated once.
	if count := len(without(n.calls, "open", "init", "begin", "step", "save", "epoch", "restore")); count != 7*2 {
		t.Errorf("%d calls of logits", count)
	}
}

func TestWithoutFiniteTermsThereIsNoGain(t *testing.T) {
	job, _, _ := twoStages()
	job.Terms = func(predictions []Prediction) []float64 { return make([]float64, len(predictions)-1) }
	other, _, _ := twoStages()
	other.Terms = func(predictions []Prediction) []float64 { return []float64{1, math.NaN(), 2, 3} }
	for _, job := range []Job{job, other} {
		history, err := Fit(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := history[4].Value("val_gain"); ok {
			t.Error("there is a gain over nothing")
		}
	}
}

func TestStageResults(t *testing.T) {
	epoch := func(stage string, number int, loss float64, best bool, more ...Metric) Epoch {
		return Epoch{Stage: stage, Epoch: number, Best: best, Validation: append([]Metric{{"loss", loss}, {"loss_se", 0.1}}, more...)}
	}
	gain := func(v float64) []Metric { return []Metric{{"gain", v}, {"gain_se", 0.02}} }
	nan := math.NaN()
	got := StageResults([]Epoch{
		epoch("head", 1, 0.5, true), epoch("head", 2, 0.4, true), epoch("head", 3, 0.45, false),
		epoch("block5", 4, 0.39, false, gain(0.01)...), epoch("block5", 5, 0.25, true, gain(0.11)...), epoch("block5", 6, 0.35, false, gain(0.05)...),
		epoch("block4", 7, 0.31, false, gain(-0.01)...), epoch("block4", 8, 0.295, false, gain(0.005)...),
		epoch("block3", 9, 0.125, false), // as older versions recorded it
		epoch("block2", 10, nan, false),
	}, "val_loss", false)
	want := []StageResult{
		{"head", 2, 0.4, 0.1, nan, nan, true},
		{"block5", 5, 0.25, 0.1, 0.11, 0.02, true},
		{"block4", 8, 0.295, 0.1, 0.005, 0.02, false},
		{"block3", 9, 0.125, 0.1, 0.125, 0.1, false},
		{"block2", 0, nan, nan, nan, nan, false},
	}
	for i := range want {
		if i >= len(got) || !reflect.DeepEqual(text(t, got[i]), text(t, want[i])) {
			t.Fatalf("%d: got %+v, want %+v", i, got, want)
		}
	}
	if got := text(t, want[0]); got != `{"stage":"head","epoch":2,"value":0.4,"noise":0.1,"gain":null,"gain_noise":null,"kept":true}` {
		t.Error(got)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
