package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

// save writes a checkpoint with one file.
func save(t *testing.T, d Dir, name, text string, state pipeline.State) {
	t.Helper()
	err := d.save(name, state, func(prefix string) error {
		return os.WriteFile(prefix+".index", []byte(text), 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// at is the state after a number of epochs.
func at(epochs int) pipeline.State {
	return pipeline.State{Begun: true, Epochs: epochs, Step: 10 * epochs, Loss: 1.0 / 3}
}

// train records epochs, numbered from 1.
func train(t *testing.T, d Dir, epochs ...int) {
	t.Helper()
	for _, n := range epochs {
		e := pipeline.Epoch{Stage: "head", Epoch: n, Train: []pipeline.Metric{{Name: "loss", Value: 1 / float64(n)}}}
		if err := d.Append(historyFile, e); err != nil {
			t.Fatal(err)
		}
	}
}

// wantResume checks where a run would resume: after this many epochs, from the
// checkpoint that holds text.
func wantResume(t *testing.T, d Dir, epochs int, text, warning string) {
	t.Helper()
	state, history, warned, err := d.Resume()
	if err != nil {
		t.Fatal(err)
	}
	if want := (map[bool]pipeline.State{true: at(epochs)})[epochs > 0]; !reflect.DeepEqual(state, want) {
		t.Errorf("state %+v, want %+v", state, want)
	}
	if text != "" {
		if got := read(t, d.Checkpoint(pipeline.Last)+".index"); got != text {
			t.Errorf("resumes from %q, want %q", got, text)
		}
	}
	if len(history) != epochs || epochs > 0 && history[epochs-1].Epoch != epochs {
		t.Errorf("history %v, want %d epochs", history, epochs)
	}
	if lines := strings.Count(read(t, d.File("history.jsonl")), "\n"); lines != epochs {
		t.Errorf("%d lines of history are left, want %d", lines, epochs)
	}
	if text := fmt.Sprint(warned); !strings.Contains(text, warning) || (warning == "") != (len(warned) == 0) {
		t.Errorf("warns %s, want %q", text, warning)
	}
}

func TestResumeFromTheLastCheckpoint(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	train(t, d, 1, 2)
	save(t, d, pipeline.Last, "two", at(2))
	save(t, d, pipeline.Best, "best", at(2))
	train(t, d, 3) // killed before it was saved
	wantResume(t, d, 2, "two", "")
	if got := read(t, d.Checkpoint(pipeline.Best)+".index"); got != "best" {
		t.Errorf("the best checkpoint is %q", got)
	}
}

func TestResumeFromTheCheckpointBeforeADamagedOne(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string){
		"changed": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "ckpt.index"), "twO") },
		"cut":     func(t *testing.T, dir string) { write(t, filepath.Join(dir, "ckpt.index"), "") },
		"no file": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "ckpt.index")); err != nil {
				t.Fatal(err)
			}
		},
		"state": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "state.json"), "{") },
	} {
		t.Run(name, func(t *testing.T) {
			d := create(t, filepath.Join(t.TempDir(), "run [2]"))
			train(t, d, 1)
			save(t, d, pipeline.Last, "one", at(1))
			train(t, d, 2)
			save(t, d, pipeline.Last, "two", at(2))
			damage(t, d.checkpoint(pipeline.Last))
			wantResume(t, d, 1, "one", "the last checkpoint cannot be used")
			wantResume(t, d, 1, "one", "") // now it is the last
		})
	}
}

func TestResumeStartsOverWithoutACheckpoint(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	train(t, d, 1, 2)
	wantResume(t, d, 0, "", "")
	train(t, d, 1)
	save(t, d, pipeline.Last, "one", at(1))
	write(t, d.Checkpoint(pipeline.Last)+".index", "")
	wantResume(t, d, 0, "", "beginning")
}

func TestFailedSaveLeavesTheOneBefore(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	train(t, d, 1)
	save(t, d, pipeline.Last, "one", at(1))
	full := errors.New("the disk is full")
	for _, name := range []string{pipeline.Last, pipeline.Last, pipeline.Best} {
		err := d.save(name, at(2), func(prefix string) error {
			return errors.Join(os.WriteFile(prefix+".index", []byte("half"), 0o666), full)
		})
		if !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	}
	wantResume(t, d, 1, "one", "")
	want := []string{"checkpoints/last/ckpt.index", "checkpoints/last/state.json", "config.json", "history.jsonl"}
	if got := names(t, d.Path); !slices.Equal(got, want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}

func TestHistoryThatLacksEpochsIsAnError(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	train(t, d, 1)
	save(t, d, pipeline.Last, "two", at(2))
	if _, _, _, err := d.Resume(); err == nil || !strings.Contains(err.Error(), "history.jsonl") {
		t.Errorf("got %v", err)
	}
}
