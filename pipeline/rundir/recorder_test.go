package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"tftl/pipeline"
)

// Passing a run folder as a recorder must not compile.
func TestOnlyARecorderRecords(t *testing.T) {
	if _, ok := any(&Recorder{}).(pipeline.Recorder); !ok {
		t.Error("a Recorder is not a pipeline.Recorder")
	}
	for _, d := range []any{Dir{}, &Dir{}} {
		if _, ok := d.(pipeline.Recorder); ok {
			t.Errorf("a %T is a pipeline.Recorder", d)
		}
	}
}

// The best weights are in place no later than the checkpoint that a run resumes
// from, and can be read at any time.
func TestRecorder(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	r := &Recorder{Dir: d}
	put := func(name, text string, epochs int) {
		t.Helper()
		err := r.Save(name, at(epochs), func(prefix string) error { return os.WriteFile(prefix+".index", []byte(text), 0o666) })
		if err != nil {
			t.Fatal(err)
		}
	}
	put(pipeline.Best, "one", 1)
	put(pipeline.Best, "two", 2)
	if got := read(t, r.Checkpoint(pipeline.Best)+".index"); got != "two" {
		t.Errorf("the best weights are %q", got)
	}
	if _, _, err := d.Verify(pipeline.Best); err == nil {
		t.Error("they are in their place before a last checkpoint is")
	}
	put(pipeline.Last, "three", 3)
	if got := read(t, d.Checkpoint(pipeline.Best)+".index"); got != "two" {
		t.Errorf("beside the last checkpoint, the best is %q", got)
	}
	if state, _, err := d.Verify(pipeline.Best); err != nil || !reflect.DeepEqual(state, at(2)) {
		t.Errorf("its state is %+v, %v", state, err)
	}

	// A save that fails leaves the old checkpoint and nothing else.
	full := errors.New("full")
	if err := r.Save(pipeline.Best, at(4), func(string) error { return full }); !errors.Is(err, full) {
		t.Errorf("a save that fails: %v", err)
	}
	if err := r.Flush(); err != nil || read(t, d.Checkpoint(pipeline.Best)+".index") != "two" {
		t.Errorf("after that: %v", err)
	}

	// The next process removes what a killed one left, and does not take it for a
	// checkpoint.
	put(pipeline.Best, "five", 5)
	if _, err := Open(d.Path); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(filepath.Join(d.Path, "checkpoints")); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	if got := read(t, d.Checkpoint(pipeline.Best)+".index"); got != "two" {
		t.Errorf("the best is %q", got)
	}
}
