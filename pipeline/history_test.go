package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

func TestEpochIsOneFlatLine(t *testing.T) {
	e := Epoch{
		Stage: "head", Epoch: 3, Step: 12, LearningRate: 1e-4, Best: true,
		Train:      []Metric{{"loss", 1.0 / 3}, {"accuracy", 1}},
		Validation: []Metric{{"loss", math.NaN()}, {"f1", math.Inf(1)}, {"accuracy", 0.5}},
	}
	line, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"stage":"head","epoch":3,"step":12,"lr":0.0001,"loss":0.3333333333333333,"accuracy":1,` +
		`"val_loss":null,"val_f1":null,"val_accuracy":0.5,"best":true}`
	if string(line) != want {
		t.Errorf("got\n%s, want\n%s", line, want)
	}

	var back Epoch
	if err := json.Unmarshal(line, &back); err != nil {
		t.Fatal(err)
	}
	e.Validation[1].Value = math.NaN() // null does not tell infinity from NaN
	if got, want := fmt.Sprint(back), fmt.Sprint(e); got != want {
		t.Errorf("read as %s, want %s", got, want)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != want {
		t.Errorf("written again it is %s, %v", again, err)
	}
}

func TestValueFindsMetricsByKerasNames(t *testing.T) {
	e := Epoch{Train: []Metric{{"loss", 1}}, Validation: []Metric{{"loss", 2}, {"f1", 3}}}
	for name, want := range map[string]float64{"loss": 1, "val_loss": 2, "val_f1": 3} {
		if got, ok := e.Value(name); !ok || got != want {
			t.Errorf("%s is %g, %v", name, got, ok)
		}
	}
	for _, name := range []string{"f1", "val_accuracy", ""} {
		if got, ok := e.Value(name); ok {
			t.Errorf("%q is %g", name, got)
		}
	}
}

func TestBestOf(t *testing.T) {
	if _, ok := BestOf([]Epoch{{Epoch: 1}}); ok {
		t.Error("an epoch that is not the best is")
	}
	if e, ok := BestOf([]Epoch{{Epoch: 1, Best: true}, {Epoch: 2, Best: true}, {Epoch: 3}}); !ok || e.Epoch != 2 {
		t.Errorf("got %+v, %v, want the newest best", e, ok)
	}
}
