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
