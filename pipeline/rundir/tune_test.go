package rundir

import (
	"reflect"
	"testing"

	"tftl/pipeline"
)

func TestTuning(t *testing.T) {
	run := Dir{t.TempDir()}
	if tuning, err := run.ReadTuning(); tuning != nil || err != nil {
		t.Errorf("%v, %v from a run without a search", tuning, err)
	}
	score := 0.25
	want := &Tuning{
		Monitor: "val_loss", Rungs: []Rung{{2, 1, 3}, {2, 10, 0}}, Chosen: 1,
		Settings: []Trial{
			{Setting: pipeline.Setting{LearningRate: 1e-3, Units: []int{8}}, Rung: 1},
			{Setting: pipeline.Setting{LearningRate: 2e-3, L2: 1e-5, Dropout: 0.5, Units: []int{8}}, Rung: 2, Score: &score},
		},
	}
	if err := run.WriteTuning(want); err != nil {
		t.Fatal(err)
	}
	if got, err := run.ReadTuning(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	want.Chosen = 2
	if err := run.WriteTuning(want); err != nil {
		t.Fatal(err)
	}
	if _, err := run.ReadTuning(); pipeline.KindOf(err) != pipeline.BadModel {
		t.Errorf("a setting that is not there is chosen: %v", err)
	}
}
