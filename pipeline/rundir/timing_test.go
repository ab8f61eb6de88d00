package rundir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tftl/pipeline"
)

// ticking is a recorder whose clock advances a second with every look.
func ticking(t *testing.T) (*Recorder, *[]string) {
	t.Helper()
	var warnings []string
	var clock time.Time
	return &Recorder{
		Dir:  create(t, filepath.Join(t.TempDir(), "run")),
		Warn: func(m pipeline.Message) { warnings = append(warnings, m.String()) },
		now: func() time.Time {
			clock = clock.Add(time.Second)
			return clock
		},
	}, &warnings
}

// trainOnce sends the events of a frozen pass and of one epoch.
func trainOnce(to pipeline.Progress) {
	record := pipeline.Epoch{Stage: "head", Epoch: 1, Train: []pipeline.Metric{{Name: "loss", Value: 0.5}}, Validation: []pipeline.Metric{{Name: "loss", Value: 0.6}}}
	for _, e := range []pipeline.Event{
		{Phase: "features", Total: 80},
		{Phase: "features", Done: 20, Cached: 20, Total: 80},
		{Phase: "features", Done: 80, Cached: 20, Total: 80, Waited: time.Second / 2},
		{Phase: "train", Epoch: 1, Done: 32, Total: 60},
		{Phase: "train", Epoch: 1, Done: 60, Total: 60},
		{Phase: "validate", Epoch: 1, Done: 20, Total: 20},
		{Phase: "epoch", Epoch: 1, Done: 20, Total: 20, Record: record, Waited: time.Second / 4},
	} {
		e.Stage = "head"
		to(e)
	}
}

func TestProgressTimesPassesAndEpochs(t *testing.T) {
	r, warnings := ticking(t)
	events, ended := 0, []Timing(nil)
	trainOnce(r.Progress(func(_ pipeline.Event, timing Timing) {
		events++
		if timing.Phase != "" {
			ended = append(ended, timing)
		}
	}))
	r.TimeLimit(90 * time.Second)
	want := []Timing{
		{Phase: "features", Stage: "head", Images: 80, Cached: 20, Seconds: 2, Computing: 1, Waiting: 0.5},
		{Phase: "epoch", Stage: "head", Epoch: 1, Images: 60, Train: 2, Validate: 1, Checkpoint: 1, Waiting: 0.25},
	}
	if events != 7 || len(ended) != 2 || ended[0] != want[0] || ended[1] != want[1] {
		t.Errorf("%d events, timing %+v, want %+v", events, ended, want)
	}
	lines := `{"cached":20,"computing":1,"images":80,"phase":"features","seconds":2,"stage":"head","waiting":0.5}
{"checkpoint":1,"epoch":1,"images":60,"phase":"epoch","stage":"head","train":2,"validate":1,"waiting":0.25}
{"limit":90,"phase":"max-time"}
`
	if got := read(t, r.File("timing.jsonl")); got != lines {
		t.Errorf("wrote %s, want %s", got, lines)
	}
	if got, err := r.ReadTiming(); err != nil || len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2].Phase != "max-time" {
		t.Errorf("read %+v, %v", got, err)
	}
	for part, tags := range map[string][]string{"train": {"epoch_loss", "epoch_learning_rate", "images_per_second"}, "validation": {"epoch_loss"}} {
		events := read(t, filepath.Join(r.Path, "logs", part, "events.out.tfevents.tftl"))
		for _, tag := range tags {
			if !strings.Contains(events, tag) {
				t.Errorf("%s has no %s", part, tag)
			}
		}
	}
	if len(*warnings) > 0 {
		t.Errorf("warns %q", *warnings)
	}
}

// A run continues if its timing cannot be written.
func TestProgressWarnsOfAFullDisk(t *testing.T) {
	r, warnings := ticking(t)
	if err := os.Mkdir(r.File("timing.jsonl"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, r.File("logs"), "in the way")
	trainOnce(r.Progress(nil))
	if len(*warnings) != 3 || !strings.Contains((*warnings)[0], "timing.jsonl") || !strings.Contains((*warnings)[2], "logs") {
		t.Errorf("warns %q", *warnings)
	}
	r.Warn = nil
	trainOnce(r.Progress(nil))
}

func TestImagesPerSecond(t *testing.T) {
	for _, test := range []struct {
		timing Timing
		want   float64
	}{
		{Timing{Phase: "features", Images: 80, Cached: 20, Seconds: 2}, 30},
		{Timing{Phase: "features", Images: 80, Cached: 20, Seconds: 20, Computing: 2}, 30},
		{Timing{Phase: "features", Images: 80, Cached: 80, Seconds: 2}, 0},
		{Timing{Phase: "epoch", Images: 60, Train: 2, Validate: 5, Checkpoint: 5}, 30},
		{Timing{Phase: "epoch", Validate: 5}, 0}, // a resumed epoch that only had to be validated
	} {
		if got := test.timing.ImagesPerSecond(); got != test.want {
			t.Errorf("%+v: %v images per second, want %v", test.timing, got, test.want)
		}
	}
}
