package pipeline

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func sweep(t *testing.T, n *network, rates []float64) ([]SweepPoint, error) {
	t.Helper()
	j, _, _ := job()
	stage, err := n.Open(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	return Sweep{
		Plan: j.Plan, Hyper: Hyperparameters{Optimizer: "adam"}, Rates: rates, Steps: 4, Checkpoint: "start",
		Loss: func(predictions []Prediction) float64 { return float64(predictions[0].Logits[1]) }, // the fake's weight
	}.Run(t.Context(), stage, numbers{n: 5}, numbers{n: 20})
}

func TestSweepTrainsAtEachRateFromTheSameWeights(t *testing.T) {
	n := &network{files: map[string]memory{}}
	points, err := sweep(t, n, []float64{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	// The batches of Fit's first two epochs.
	want := slices.Concat(slices.Collect(slices.Chunk(Order(11, 1, 5), 2)), slices.Collect(slices.Chunk(Order(11, 2, 5), 2)))[:4]
	for i, step := range n.steps {
		if rate := float64(1 + i/4); !slices.Equal(step.index, want[i%4]) || step.hyper.LearningRate != rate || step.hyper.Optimizer != "adam" {
			t.Errorf("step %d took %v at %g", i, step.index, step.hyper.LearningRate)
		}
	}
	if len(n.steps) != 12 || len(points) != 3 {
		t.Fatalf("%d steps, %d points", len(n.steps), len(points))
	}
	// The fake's weight starts at the seed. Its growth is proportional to the rate.
	grown := points[0].Loss - 11
	for i, p := range points {
		rate := float64(i + 1)
		if p.LearningRate != rate || math.Abs(p.Loss-11-rate*grown) > 1e-4 || grown <= 0 {
			t.Errorf("rate %g: %+v", rate, p)
		}
	}
	if calls := without(n.calls, "step", "open", "save", "restore", "begin"); !slices.Equal(calls, []string{
		"init 2 [7] 11 1", "logits", "logits", "logits", "logits", "logits", "logits", "logits", "logits", "logits", "logits", "logits", "logits",
	}) {
		t.Errorf("calls %v: four batches of two are measured, three times", calls)
	}
}

func TestSweepTellsWhatDiverges(t *testing.T) {
	n := &network{files: map[string]memory{}, infinite: 3}
	points, err := sweep(t, n, []float64{1, 2})
	if err != nil || !math.IsInf(points[0].Loss, 1) {
		t.Errorf("%+v, %v: the third step is not finite", points, err)
	}
	failed := errors.New("no device")
	n = &network{files: map[string]memory{}, fail: func(call string) error {
		if call == "step" {
			return failed
		}
		return nil
	}}
	if _, err := sweep(t, n, []float64{1}); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

func TestFitBeginsFromAnEarlierRun(t *testing.T) {
	for _, test := range []struct {
		fresh bool
		calls []string
	}{
		{false, []string{"open head", "restore earlier", "begin"}},
		{true, []string{"open head", "restore earlier", "init 2 [7] 11 1", "begin"}},
	} {
		job, n, _ := job(1)
		n.files["earlier"] = memory{weight: 5}
		job.Plan.InitFrom, job.Plan.FreshHead = "earlier", test.fresh
		if _, err := Fit(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if got := n.calls[:len(test.calls)]; !slices.Equal(got, test.calls) {
			t.Errorf("fresh head %v: calls %v, want %v", test.fresh, got, test.calls)
		}
	}
	job, _, _ := job()
	job.Plan.InitFrom = "gone"
	if _, err := Fit(t.Context(), job); err == nil {
		t.Error("a missing checkpoint is not an error")
	}
}
