package schedule

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"tftl/pipeline"
)

// keras reads what testdata/rates.py wrote. Keras computes in float32.
func keras(t *testing.T) map[string][]float64 {
	t.Helper()
	data, err := os.ReadFile("testdata/rates.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string][]float64
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestRatesAreKeras(t *testing.T) {
	for name, schedule := range map[string]pipeline.Schedule{
		"exponential": Exponential(1e-3, 0.9, 7, false),
		"stairs":      Exponential(1e-3, 0.9, 7, true),
		"cosine":      Cosine(1e-3, 40),
	} {
		want := keras(t)[name]
		if len(want) != 50 {
			t.Fatalf("%s: %d steps", name, len(want))
		}
		for step := range want {
			if got := schedule(step); math.Abs(got-want[step]) > 1e-9 {
				t.Errorf("%s, step %d: %g, Keras has %g", name, step, got, want[step])
			}
		}
	}
}

func TestPlateauIsKeras(t *testing.T) {
	cases := keras(t)
	for name, p := range map[string]Plateau{
		"plateau":     {Monitor: "val_loss", Patience: 3, Factor: 0.5, MinDelta: 0.01},
		"plateau_max": {Monitor: "val_loss", Patience: 2, Factor: 0.5, Higher: true},
	} {
		var history []pipeline.Epoch
		for i, v := range cases["values"] {
			history = append(history, pipeline.Epoch{Validation: []pipeline.Metric{{Name: "loss", Value: v}}})
			if got, want := p.Scale(history), cases[name][i]; math.Abs(got-want) > 1e-6*want {
				t.Errorf("%s, epoch %d: %g, Keras has %g", name, i+1, got, want)
			}
		}
	}
}

func TestWarmup(t *testing.T) {
	s := Warmup(1, 3, Cosine(1, 10))
	last := 0.0
	for step := range 3 {
		if got := s(step); got <= last || got >= 1 {
			t.Errorf("step %d: %g does not rise", step, got)
		}
		last = s(step)
	}
	if s(3) != 1 || s(13) != 0 {
		t.Errorf("after it %g, at the end %g", s(3), s(13))
	}
}
