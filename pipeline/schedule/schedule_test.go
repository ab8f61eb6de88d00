package schedule

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"tftl/pipeline"
)

// run feeds values one by one and returns the epochs (from 1) that were best, and
// the epoch at which the stage ended (0 for never).
func run(e EarlyStopping, values ...float64) (best []int, stop int) {
	var history []pipeline.Epoch
	for i, v := range values {
		history = append(history, pipeline.Epoch{Stage: "head", Validation: []pipeline.Metric{{Name: "loss", Value: v}}})
		verdict := e.Watch(history)
		if history[i].Best = verdict.Best; verdict.Best {
			best = append(best, i+1)
		}
		if verdict.Stop && stop == 0 {
			stop = i + 1
		}
	}
	return best, stop
}

func TestEarlyStopping(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name   string
		e      EarlyStopping
		values []float64
		best   []int
		stop   int
	}{
		{"gets better", EarlyStopping{Patience: 2}, []float64{3, 2, 1}, []int{1, 2, 3}, 0},
		{"stops", EarlyStopping{Patience: 2}, []float64{3, 4, 4}, []int{1}, 3},
		{"equal is not better", EarlyStopping{Patience: 2}, []float64{3, 3, 3}, []int{1}, 3},
		{"recovers in time", EarlyStopping{Patience: 2}, []float64{3, 4, 2, 4, 4}, []int{1, 3}, 5},
		{"never stops", EarlyStopping{Patience: 0}, []float64{3, 4, 5, 6, 7, 8}, []int{1}, 0},
		{"a tiny improvement is best, but stops", EarlyStopping{Patience: 2, MinDelta: 0.5}, []float64{3, 2.9, 2.8}, []int{1, 2, 3}, 3},
		{"higher", EarlyStopping{Patience: 1, Higher: true}, []float64{0.5, 0.6, 0.6}, []int{1, 2}, 3},
		{"not a number is never best", EarlyStopping{Patience: 3}, []float64{nan, 3, nan, 2}, []int{2, 4}, 0},
		{"all not numbers", EarlyStopping{Patience: 2}, []float64{nan, nan, nan}, nil, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.e.Monitor = "val_loss"
			best, stop := run(test.e, test.values...)
			if len(best) != len(test.best) || stop != test.stop {
				t.Fatalf("best %v stop %d, want %v and %d", best, stop, test.best, test.stop)
			}
			for i := range best {
				if best[i] != test.best[i] {
					t.Errorf("best %v, want %v", best, test.best)
				}
			}
		})
	}
}

func TestPatienceCountsAgainstTheStagesOwnBest(t *testing.T) {
	epoch := func(stage string, v float64) pipeline.Epoch {
		return pipeline.Epoch{Stage: stage, Validation: []pipeline.Metric{{Name: "loss", Value: v}}}
	}
	e := EarlyStopping{Monitor: "val_loss", Patience: 2}
	history := []pipeline.Epoch{epoch("head", 1), epoch("head", 2)}
	history[0].Best = true
	for i, test := range []struct {
		value      float64
		best, stop bool
	}{{4, false, false}, {3, false, false}, {2, false, false}, {2, false, false}, {0.9, true, false}, {1, false, false}, {0.95, false, true}} {
		history = append(history, epoch("block5", test.value))
		v := e.Watch(history)
		if v.Best != test.best || v.Stop != test.stop {
			t.Errorf("epoch %d of the stage: %+v", i+1, v)
		}
		history[len(history)-1].Best = v.Best
	}
}

// testdata/stopping.py recorded what Keras does.
func TestEarlyStoppingIsKeras(t *testing.T) {
	data, err := os.ReadFile("testdata/stopping.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Values         []float64
		Patience       int
		MinDelta       float64 `json:"min_delta"`
		StartFromEpoch int     `json:"start_from_epoch"`
		Stopped        int
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	stopped := 0
	for i, c := range cases {
		e := EarlyStopping{Monitor: "val_loss", MinDelta: c.MinDelta, Patience: c.Patience, StartFromEpoch: c.StartFromEpoch}
		if _, stop := run(e, c.Values...); stop != c.Stopped {
			t.Errorf("case %d, %+v: stops at %d, Keras at %d", i, e, stop, c.Stopped)
		}
		if c.Stopped > 0 {
			stopped++
		}
	}
	if stopped < 20 || stopped == len(cases) {
		t.Errorf("%d of %d cases stop: they show little", stopped, len(cases))
	}
}

func TestEpochsThatDoNotCountMayBeTheBest(t *testing.T) {
	best, stop := run(EarlyStopping{Monitor: "val_loss", Patience: 2, StartFromEpoch: 3}, 1, 5, 6, 3, 4, 4)
	if len(best) != 1 || best[0] != 1 || stop != 6 {
		t.Errorf("best %v, stopped at %d", best, stop)
	}
}
