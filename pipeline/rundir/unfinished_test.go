package rundir

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"tftl/pipeline"
)

func TestUnfinished(t *testing.T) {
	r := &Recorder{Dir: create(t, filepath.Join(t.TempDir(), "run"))}
	var config Config
	for _, name := range []string{"head", "block5", "block4"} {
		config.Training.Stages = append(config.Training.Stages, Stage{Name: name, Epochs: 10})
	}
	if err := r.WriteConfig(config); err != nil {
		t.Fatal(err)
	}
	if u, ok := r.Unfinished(); ok {
		t.Errorf("without a checkpoint: %v", u)
	}
	save := func(name string, state pipeline.State) {
		t.Helper()
		if err := r.Save(name, state, func(prefix string) error { return os.WriteFile(prefix+".index", nil, 0o666) }); err != nil {
			t.Fatal(err)
		}
	}
	save(pipeline.Last, pipeline.State{Stage: 3, Step: 100})
	if u, ok := r.Unfinished(); ok {
		t.Errorf("without the best checkpoint: %v", u)
	}
	save(pipeline.Best, pipeline.State{})
	for _, test := range []struct {
		state pipeline.State
		limit time.Duration
		want  string
	}{
		{pipeline.State{}, 0, "in epoch 1 of 10 of stage head; not tried yet: block5, block4"},
		{pipeline.State{Begun: true, InStage: 2, Step: 7, Epochs: 2}, 0, "in epoch 3 of 10 of stage head; not tried yet: block5, block4"},
		{pipeline.State{Stage: 1, Begun: true, InStage: 2, Began: 30, Step: 37, Epochs: 12}, time.Minute, "stopped after 1m0s in epoch 3 of 10 of stage block5; not tried yet: block4"},
		{pipeline.State{Stage: 1, Began: 0, Step: 0}, 0, "before stage block5; not tried yet: block5, block4"},
		{pipeline.State{Stage: 2, Begun: true, Began: 60, Step: 60}, 0, "before stage block4; not tried yet: block4"},
		{pipeline.State{Stage: 2, Begun: true, InStage: 9, Began: 60, Step: 99, Epochs: 29}, 0, "in epoch 10 of 10 of stage block4"},
		{pipeline.State{Stage: 3, Step: 100}, 0, "all stages are trained, but the model is not written"},
	} {
		if err := os.RemoveAll(r.File(timingFile)); err != nil {
			t.Fatal(err)
		}
		if test.limit > 0 {
			r.TimeLimit(test.limit)
		}
		save(pipeline.Last, test.state)
		if u, ok := r.Unfinished(); !ok || u.String() != test.want {
			t.Errorf("%+v: %q, %t", test.state, u, ok)
		}
	}
	if err := os.Mkdir(r.Model(), 0o755); err != nil {
		t.Fatal(err)
	}
	if u, ok := r.Unfinished(); ok {
		t.Errorf("finished: %v", u)
	}
}

func TestHistoryCSVHasTheMetricsOfAllStages(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	history := []pipeline.Epoch{
		{Stage: "head", Epoch: 1, Train: []pipeline.Metric{{Name: "loss", Value: 0.5}}, Validation: []pipeline.Metric{{Name: "loss", Value: 0.25}}},
		{Stage: "block5", Epoch: 2, Train: []pipeline.Metric{{Name: "loss", Value: 1}}, Validation: []pipeline.Metric{{Name: "loss", Value: 2}, {Name: "gain", Value: -4}}},
	}
	if err := d.WriteHistoryCSV(history); err != nil {
		t.Fatal(err)
	}
	want := "stage,epoch,step,lr,loss,val_loss,val_gain,best\nhead,1,0,0,0.5,0.25,,false\nblock5,2,0,0,1,2,-4,false\n"
	if got := read(t, d.File(historyTable)); got != want {
		t.Errorf("got\n%s", got)
	}
}
