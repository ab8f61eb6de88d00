package rundir

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestReadHistoryLeavesOutWhatIsStillBeingWritten(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	if history, err := d.ReadHistory(); err != nil || len(history) != 0 {
		t.Errorf("before the first epoch: %v, %v", history, err)
	}
	train(t, d, 1, 2)
	written := read(t, d.File("history.jsonl"))
	write(t, d.File("history.jsonl"), written+`{"stage":"head","epo`)
	history, err := d.ReadHistory()
	if err != nil || len(history) != 2 || history[1].Epoch != 2 {
		t.Errorf("got %v, %v", history, err)
	}
	if got := read(t, d.File("history.jsonl")); !strings.HasSuffix(got, "epo") {
		t.Error("the file was changed")
	}
	write(t, d.File("history.jsonl"), written+"nonsense\n")
	if _, err := d.ReadHistory(); err == nil || !strings.Contains(err.Error(), "history.jsonl:3: ") {
		t.Errorf("got %v", err)
	}
}

func TestReadTiming(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	write(t, d.File("timing.jsonl"), `{"phase":"features","stage":"head","images":80,"cached":20,"seconds":1.5}
{"phase":"epoch","stage":"head","epoch":1,"images":53,"train":0.5,"validate":0.1,"checkpoint":0.2}
`)
	timing, err := d.ReadTiming()
	if err != nil {
		t.Fatal(err)
	}
	want := []Timing{
		{Phase: "features", Stage: "head", Images: 80, Cached: 20, Seconds: 1.5},
		{Phase: "epoch", Stage: "head", Epoch: 1, Images: 53, Train: 0.5, Validate: 0.1, Checkpoint: 0.2},
	}
	if len(timing) != 2 || timing[0] != want[0] || timing[1] != want[1] {
		t.Errorf("got %v, want %v", timing, want)
	}
}
