package batch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/features"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/batch"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/internal/fake"
	"tftl/pipeline/workflow/train"
)

// setting has a world with data, a model and a batch of two runs.
type setting struct {
	fake.World
	t      *testing.T
	folder string
	batch  batch.Request
}

func newSetting(t *testing.T) *setting {
	s := &setting{t: t, folder: t.TempDir()}
	fake.Data(t, s.path("photos"))
	fake.Write(t, s.path("model/saved_model.pb"), "")
	s.batch = batch.Request{Output: s.path("batch"), Jobs: 1, Runs: []batch.Run{s.run("a", 16), s.run("b", 32)}}
	return s
}

func (s *setting) path(name string) string { return filepath.Join(s.folder, name) }

func (s *setting) run(name string, units int) batch.Run {
	folder := s.path("batch/" + name)
	return batch.Run{
		Name: name, Group: name, Terms: "terms",
		Train: train.Request{
			Config: rundir.Config{
				Seed: 3, Data: rundir.Data{Path: s.path("photos"), Layout: "parts", OnBadImage: train.FailOnBadImage},
				Model: rundir.Model{Path: s.path("model"), Units: []int{units}},
				Training: rundir.Training{
					BatchSize: 3, Rate: rundir.Rate{Schedule: "constant", DecayRate: 0.1, DecayEpochs: 5},
					Plateau: rundir.Plateau{Patience: 3}, Hyper: pipeline.Hyperparameters{Optimizer: "sgd"}, Monitor: "val_loss",
				},
			},
			Output: folder, Epochs: 2, ClassWeights: train.NoClassWeights, Options: train.Options{SaveEvery: time.Hour},
		},
		Evaluate: evaluate.Request{Model: folder, TopK: 5, BatchSize: 8, OnBadImage: train.FailOnBadImage},
	}
}

// plan plans the batch and closes it when the test ends.
func (s *setting) plan() *batch.Batch {
	s.t.Helper()
	b, err := batch.Plan(s.t.Context(), s.batch, s.Env())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(b.Close)
	return b
}

// do runs the batch to its end and returns its verdict.
func (s *setting) do(ctx context.Context) (*batch.Batch, error) {
	s.t.Helper()
	b := s.plan()
	defer b.Close()
	if err := b.Do(ctx); err != nil {
		s.t.Fatal(err)
	}
	return b, b.Verdict(ctx)
}

// wantStates plans the batch again and compares how far its runs have come.
func (s *setting) wantStates(want ...batch.State) {
	s.t.Helper()
	var have []batch.State
	for _, j := range s.plan().Jobs {
		have = append(have, j.State)
	}
	if !slices.Equal(have, want) {
		s.t.Errorf("states %q, want %q", have, want)
	}
}

func (s *setting) atLeast(value string) []metrics.Gate {
	s.t.Helper()
	gate, err := metrics.ParseGate("loss="+value, false)
	if err != nil {
		s.t.Fatal(err)
	}
	return []metrics.Gate{gate}
}

func TestWhatIsDoneIsNotDoneAgain(t *testing.T) {
	s := newSetting(t)
	s.wantStates(batch.ToBegin, batch.ToBegin)
	b, err := s.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range b.Jobs {
		if j.State != batch.Done || j.Best == nil || j.Report == nil || j.Images != [3]int{8, 4, 4} {
			t.Errorf("%s: %+v", j.Name, j)
		}
	}
	if s.Opens != 1 || s.Exports != 2 || s.Frozen["head"] != 3*features.BatchSize {
		t.Errorf("%d graphs of the head for two runs, %d exports, frozen passes of %v", s.Opens, s.Exports, s.Frozen)
	}
	steps := s.Steps
	s.wantStates(batch.Done, batch.Done)
	again, err := s.do(t.Context())
	if err != nil || s.Steps != steps || again.Jobs[0].Best.Epoch != b.Jobs[0].Best.Epoch || again.Jobs[1].Report.Value("accuracy") != b.Jobs[1].Report.Value("accuracy") {
		t.Errorf("%v: %d steps more", err, s.Steps-steps)
	}
}

// The head is in use while a deeper stage computes features for it. It does not stay
// open beside that one's training.
func TestStagedRunsOfABatch(t *testing.T) {
	s := newSetting(t)
	for i := range s.batch.Runs {
		training := &s.batch.Runs[i].Train.Config.Training
		training.Stages = []rundir.Stage{{Name: "head", Epochs: 2, Rate: training.Rate}, {Name: "block2", Epochs: 1, Rate: training.Rate}}
	}
	if _, err := s.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantStates(batch.Done, batch.Done)
	if s.Frozen["head"] > 0 {
		t.Errorf("%v images passed the frozen part", s.Frozen)
	}
}

func TestWhatChangedIsDoneAgain(t *testing.T) {
	s := newSetting(t)
	if _, err := s.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	was := s.batch.Runs[0]
	s.batch.Runs[0].Train.Config.Model.Units = []int{64}
	s.wantStates(batch.ToRedo, batch.Done)
	s.batch.Runs[0] = was
	s.batch.Runs[0].Train.Workers = 3 // does not affect the result
	s.wantStates(batch.Done, batch.Done)
	s.batch.Runs[1].Terms = "other"
	s.wantStates(batch.Done, batch.ToMeasure)
	steps := s.Steps
	if _, err := s.do(t.Context()); err != nil || s.Steps != steps {
		t.Errorf("%v; %d steps to evaluate", err, s.Steps-steps)
	}
	s.wantStates(batch.Done, batch.Done)
	fake.Write(t, s.path("batch/a/evaluation.json"), "{}")
	s.wantStates(batch.ToMeasure, batch.Done)
	fake.Write(t, s.path("photos/train/cat/0.jpg"), "-8")
	s.wantStates(batch.ToRedo, batch.ToRedo)
	if _, err := s.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantStates(batch.Done, batch.Done)
	fake.Write(t, s.path("model/variables/variables.index"), "others")
	s.wantStates(batch.ToRedo, batch.ToRedo)
}

// What a run was asked for identifies it, not the setting that tuning chose.
func TestTunedRunsAreRecognised(t *testing.T) {
	s := newSetting(t)
	for i := range s.batch.Runs {
		r := &s.batch.Runs[i].Train
		r.Config.Training.Tune = &rundir.Tune{Settings: 10 + i, Search: []pipeline.Option{"lr", "l2"}}
	}
	if _, err := s.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantStates(batch.Done, batch.Done)
	s.batch.Runs[0].Train.Config.Training.Tune = &rundir.Tune{Settings: 12, Search: []pipeline.Option{"lr", "l2"}}
	s.wantStates(batch.ToRedo, batch.Done)

	ctx, cancel := context.WithCancel(t.Context())
	first := s.Steps
	s.OnStep = func(step int) error {
		if step == first+4 { // while it is tuned again
			cancel()
		}
		return nil
	}
	if _, err := s.do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("ends with %v, not as interrupted", err)
	}
	s.OnStep = nil
	s.wantStates(batch.ToRedo, batch.Done)
	if _, err := s.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantStates(batch.Done, batch.Done)
}

func TestInterruptedBatchIsResumed(t *testing.T) {
	s := newSetting(t)
	if _, err := s.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(s.path("batch/b/history.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.path("batch/b")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := s.Steps
	s.OnStep = func(step int) error {
		if step == first+4 {
			cancel()
		}
		return nil
	}
	if _, err := s.do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("ends with %v, not as interrupted", err)
	}
	s.OnStep = nil
	s.wantStates(batch.Done, batch.ToResume)
	if _, err := s.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(s.path("batch/b/history.jsonl")); err != nil || string(now) != string(whole) {
		t.Errorf("resumed history %s %v, want %s", now, err, whole)
	}
}

func TestFailuresAndGates(t *testing.T) {
	s := newSetting(t)
	s.OnStep = func(step int) error {
		if step == 2 {
			return pipeline.Errorf(pipeline.Diverged, "broken")
		}
		return nil
	}
	b, err := s.do(t.Context())
	if pipeline.KindOf(err) != pipeline.Diverged || !strings.Contains(err.Error(), "run a: ") || b.Jobs[1].State != batch.ToBegin {
		t.Errorf("%v, and b is %s", err, b.Jobs[1].State)
	}
	s.Steps, s.batch.KeepGoing = 0, true
	if b, err = s.do(t.Context()); pipeline.KindOf(err) != pipeline.Diverged || b.Jobs[1].State != batch.Done {
		t.Errorf("keeps going: %v, and b is %s", err, b.Jobs[1].State)
	}
	s.OnStep = nil
	for i := range s.batch.Runs {
		s.batch.Runs[i].Evaluate.Gates, s.batch.Runs[i].Terms = s.atLeast("50"), "gates"
	}
	b, err = s.do(t.Context())
	if pipeline.KindOf(err) != pipeline.GateFailed || len(b.Jobs[1].Missed()) != 1 {
		t.Errorf("gates: %v, missed %v", err, b.Jobs[1].Missed())
	}
}

func TestPlanRefusesWhatCannotWork(t *testing.T) {
	s := newSetting(t)
	s.batch.Runs[1].Place = func(err error) error { return fmt.Errorf("sweep.yaml:7: %w", err) }
	s.batch.Runs[1].Train.Config.Training.Hyper.Optimizer = "adam"
	_, err := batch.Plan(t.Context(), s.batch, s.Env())
	if pipeline.KindOf(err) != pipeline.BadUsage || !strings.HasPrefix(err.Error(), "sweep.yaml:7: optimizer") || pipeline.OptionOf(err) != "optimizer" {
		t.Errorf("optimizer: %v", err)
	}
	s = newSetting(t)
	fake.Write(t, s.path("batch/a/notes.txt"), "mine")
	if _, err := batch.Plan(t.Context(), s.batch, s.Env()); pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), "is not a run") {
		t.Errorf("another's folder: %v", err)
	}
	s = newSetting(t)
	if err := os.Symlink(s.path("gone"), s.path("photos/train/cat/9.jpg")); err != nil {
		t.Fatal(err)
	}
	if _, err := batch.Plan(t.Context(), s.batch, s.Env()); pipeline.KindOf(err) != pipeline.BadData {
		t.Errorf("a dangling link: %v", err)
	}
	for i := range s.batch.Runs {
		s.batch.Runs[i].Train.Config.Data.OnBadImage = train.SkipBadImages
	}
	if b, err := s.do(t.Context()); err != nil || b.Jobs[0].State != batch.Done {
		t.Errorf("a dangling link that is skipped: %v", err)
	}
	s.wantStates(batch.Done, batch.Done)
}

func TestWarningsAreGivenOnce(t *testing.T) {
	s := newSetting(t)
	fake.Write(t, s.path("photos/val/cat/0.jpg"), "0")
	fake.Write(t, s.path("photos/train/cat/0.jpg"), "0")
	if _, err := s.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	warnings := slices.DeleteFunc(s.Notes, func(n string) bool { return !strings.Contains(n, "are also in train") })
	if len(warnings) != 1 {
		t.Errorf("%q", warnings)
	}
}

// What was trained and cannot be measured has failed: it is not the best run.
func TestARunThatCannotBeMeasuredHasNoBestEpoch(t *testing.T) {
	s := newSetting(t)
	fake.Write(t, s.path("photos/test/cat/0.jpg"), "bad")
	for _, off := range []bool{false, true} { // without a cache, nothing decodes it before it is measured
		want := batch.ToBegin
		if off {
			s.batch.Runs[0].Train.Cache.Off, want = true, batch.ToMeasure
		}
		b, err := s.do(t.Context())
		if j := b.Jobs[0]; pipeline.KindOf(err) != pipeline.BadData || j.Err == nil || j.Best != nil || j.Report != nil {
			t.Errorf("%v: %+v", err, j)
		}
		s.wantStates(want, batch.ToBegin)
	}
}

// A run that begins with another of its batch is of the weights that it began
// with, even if that one was trained again meanwhile.
func TestARunBeginsWithAnotherOfItsBatch(t *testing.T) {
	s := newSetting(t)
	s.batch.Runs[1].Train.Config.Model.Units = []int{16}
	s.batch.Runs[1].Train.InitFrom = s.path("batch/a")
	first := s.batch
	first.Runs = first.Runs[:1]
	whole := s.batch
	whole.Jobs = 2 // the other waits for it all the same
	for _, epochs := range []int{2, 3} {
		whole.Runs[0].Train.Epochs, whole.Runs[1].Train.Epochs = epochs, epochs // both are done again
		if epochs == 2 {                                                        // the earlier run has to be there for the other to be planned
			s.batch = first
			if _, err := s.do(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.batch = whole
		if _, err := s.do(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.wantStates(batch.Done, batch.Done)
	}
}
