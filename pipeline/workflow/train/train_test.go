package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/internal/fake"
	"tftl/pipeline/workflow/train"
)

// setting has a world with data and a model in its own folder.
type setting struct {
	fake.World
	t      *testing.T
	folder string
}

func newSetting(t *testing.T) *setting {
	s := &setting{t: t, folder: t.TempDir()}
	fake.Data(t, s.path("photos"))
	fake.Write(t, s.path("model/saved_model.pb"), "")
	return s
}

func (s *setting) path(name string) string { return filepath.Join(s.folder, name) }

// request returns a request for three epochs of the head in a folder of this name.
func (s *setting) request(output string) train.Request {
	return train.Request{
		Config: rundir.Config{
			Seed: 3, Data: rundir.Data{Path: s.path("photos"), Layout: "parts", OnBadImage: train.FailOnBadImage},
			Model: rundir.Model{Path: s.path("model")},
			Training: rundir.Training{
				BatchSize: 3, Rate: rundir.Rate{Schedule: "constant", DecayRate: 0.1, DecayEpochs: 5},
				Plateau: rundir.Plateau{Patience: 3}, Hyper: pipeline.Hyperparameters{Optimizer: "sgd"}, Monitor: "val_loss",
			},
		},
		Output: s.path(output), Epochs: 3, ClassWeights: train.NoClassWeights,
		Options: train.Options{SaveEvery: time.Hour},
	}
}

// fit trains a request to its end.
func (s *setting) fit(r train.Request) *train.Result {
	s.t.Helper()
	run, err := train.New(s.t.Context(), r, s.Env())
	if err != nil {
		s.t.Fatal(err)
	}
	return s.end(run)
}

// try begins and trains a run that may fail.
func (s *setting) try(r train.Request, env workflow.Env) error {
	run, err := train.New(s.t.Context(), r, env)
	if err != nil {
		return err
	}
	defer run.Close()
	_, err = run.Fit(s.t.Context())
	return err
}

// resume resumes the run in a folder and trains it to its end.
func (s *setting) resume(output string, moved train.Moved) *train.Result {
	s.t.Helper()
	run, err := train.Resume(s.t.Context(), s.path(output), moved, workflow.Session{}, train.Options{SaveEvery: time.Hour}, s.Env())
	if err != nil {
		s.t.Fatal(err)
	}
	return s.end(run)
}

func (s *setting) end(run *train.Run) *train.Result {
	s.t.Helper()
	defer run.Close()
	result, err := run.Fit(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

// cancelledAt is a context that ends at a step from now on.
func (s *setting) cancelledAt(at int) context.Context {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.t.Cleanup(cancel)
	first := s.Steps
	s.OnStep = func(step int) error {
		if step == first+at {
			cancel()
		}
		return nil
	}
	return ctx
}

// resumedAt checks that a run that is interrupted at a step, and resumed, has the
// files of the whole run.
func (s *setting) resumedAt(r train.Request, at int) {
	s.t.Helper()
	r.Output = s.path("stopped")
	s.interrupted(r, at)
	s.resume("stopped", train.Moved{})
	s.same("whole", "stopped", repeated...)
	if err := os.RemoveAll(s.path("stopped")); err != nil {
		s.t.Fatal(err)
	}
}

// interrupted begins a run that is interrupted at a step, as if by Ctrl-C.
func (s *setting) interrupted(r train.Request, at int) {
	s.t.Helper()
	ctx := s.cancelledAt(at)
	run, err := train.New(ctx, r, s.Env())
	if err != nil {
		s.t.Fatal(err)
	}
	defer run.Close()
	if _, err := run.Fit(ctx); !errors.Is(err, context.Canceled) {
		s.t.Fatalf("ends with %v, not as interrupted", err)
	}
	s.OnStep = nil
}

// same checks that files of two runs are equal.
func (s *setting) same(a, b string, names ...string) {
	s.t.Helper()
	for _, name := range names {
		if one, other := s.read(a+"/"+name), s.read(b+"/"+name); one != other {
			s.t.Errorf("%s differs:\n%.1000s\n%.1000s", name, one, other)
		}
	}
}

func (s *setting) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// repeated lists the files that repeat when a run is repeated.
var repeated = []string{"history.jsonl", "history.csv", "labels.txt", "data.csv", "contents.csv", "checkpoints/best/ckpt.data-00000-of-00001", "model/saved_model.pb"}

// refused checks that an error has a kind and contains a text.
func refused(t *testing.T, err error, kind pipeline.Kind, text string) {
	t.Helper()
	if err == nil || pipeline.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v (kind %d), want kind %d and %q", err, pipeline.KindOf(err), kind, text)
	}
}

func TestNewRun(t *testing.T) {
	s := newSetting(t)
	request := s.request("run")
	request.Config.Training.Monitor = "val_accuracy"
	result := s.fit(request)
	if len(result.History) != 3 || result.Stopped || result.Best.Stage != "head" || s.Exports != 1 {
		t.Errorf("result %+v, %d exports", result, s.Exports)
	}
	config, err := result.Run.ReadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(config.Model.Units, []int{256}) || config.Training.LearningRate != 0.5 || config.Training.Stages[0].Epochs != 3 || config.Data.Train != 8 {
		t.Errorf("config %+v", config)
	}
	if timing, err := result.Run.ReadTiming(); err != nil || len(timing) != 4 {
		t.Errorf("timing %v, %v: want a frozen pass and three epochs", timing, err)
	}
	if _, err := os.Stat(s.path("run/logs/train")); err != nil {
		t.Errorf("no TensorBoard logs: %v", err)
	}
	s.fit(s.request("again")) // another monitor: the weights of another epoch may be best, the history is the same
	s.same("run", "again", "contents.csv", "data.csv", "labels.txt")
	if _, err := train.New(t.Context(), request, s.Env()); pipeline.KindOf(err) != pipeline.BadUsage {
		t.Errorf("a run's folder is taken: %v", err)
	}
	request.Overwrite = true
	s.fit(request)
}

func TestInterruptedRunIsResumedToTheSameFiles(t *testing.T) {
	s := newSetting(t)
	request := s.request("whole")
	request.Config.Training.Stages = []rundir.Stage{
		{Name: "head", Epochs: 3, Rate: request.Config.Training.Rate}, {Name: "block2", Epochs: 2, Rate: request.Config.Training.Rate},
	}
	s.fit(request)
	for _, at := range []int{1, 4, 9, 12, 15} {
		s.resumedAt(request, at)
	}
	if s.resume("whole", train.Moved{}); s.read("whole/history.jsonl") == "" {
		t.Error("a finished run that is resumed loses its history")
	}
}

func TestTimeLimitStopsARunAndChangesNothing(t *testing.T) {
	s := newSetting(t)
	s.fit(s.request("whole"))
	request := s.request("stopped")
	request.MaxTime = time.Second
	first := s.Steps
	s.OnStep = func(step int) error {
		if step == first+5 { // of the second epoch
			time.Sleep(request.MaxTime + 100*time.Millisecond)
		}
		return nil
	}
	if result := s.fit(request); !result.Stopped || len(result.History) != 1 {
		t.Errorf("stopped %t after %d epochs", result.Stopped, len(result.History))
	}
	s.OnStep = nil
	if result := s.resume("stopped", train.Moved{}); result.Stopped {
		t.Error("still stopped")
	}
	s.same("whole", "stopped", repeated...)

	request.Output, request.MaxTime = s.path("none"), time.Nanosecond
	refused(t, s.try(request, s.Env()), pipeline.Other, "max-time 1ns: the frozen pass of the first stage has not ended")
	if rundir.Is(s.path("none")) {
		t.Error("a run begins before its frozen pass is over")
	}

	request.Output, request.MaxTime = s.path("short"), time.Second
	first = s.Steps
	s.OnStep = func(step int) error {
		if step == first+1 {
			time.Sleep(request.MaxTime + 100*time.Millisecond)
		}
		return nil
	}
	refused(t, s.try(request, s.Env()), pipeline.Other, "no epoch has ended")
	if !rundir.Is(s.path("short")) {
		t.Error("a run that can be resumed is gone")
	}
}

func TestMovedDataAndModel(t *testing.T) {
	s := newSetting(t)
	s.fit(s.request("whole"))
	s.interrupted(s.request("run"), 4)
	for _, name := range []string{"photos", "model"} {
		if err := os.Rename(s.path(name), s.path("moved-"+name)); err != nil {
			t.Fatal(err)
		}
	}
	try := func(moved train.Moved) error {
		run, err := train.Resume(t.Context(), s.path("run"), moved, workflow.Session{}, train.Options{}, s.Env())
		if err == nil {
			run.Close()
		}
		return err
	}
	refused(t, try(train.Moved{}), pipeline.BadModel, "model")
	refused(t, try(train.Moved{Model: s.path("moved-model")}), pipeline.BadData, "photos")
	refused(t, try(train.Moved{Validation: s.path("moved-photos")}), pipeline.BadUsage, "val-data: the run")
	moved := train.Moved{Data: s.path("moved-photos"), Model: s.path("moved-model")}
	image := s.path("moved-photos/train/cat/0.jpg")
	before, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	fake.Write(t, image, "99")
	refused(t, try(moved), pipeline.BadData, "train/cat/0.jpg")
	fake.Write(t, image, string(before))
	s.World.Weights = "others"
	refused(t, try(moved), pipeline.BadModel, "different weights")
	s.World.Weights = ""

	s.resume("run", moved)
	s.same("whole", "run", repeated...)
	if config, err := (rundir.Dir{Path: s.path("run")}).ReadConfig(); err != nil || config.Data.Path != moved.Data || config.Model.Path != moved.Model {
		t.Errorf("config.json has %s, %s, %v", config.Data.Path, config.Model.Path, err)
	}
}

func TestInitFrom(t *testing.T) {
	s := newSetting(t)
	s.fit(s.request("first"))
	request := s.request("second")
	request.InitFrom, request.Config.Model.Path = s.path("first"), ""
	s.Notes = nil
	s.fit(request)
	if !s.Noted("head included") {
		t.Error("the head was not kept")
	}
	s.same("first", "second", "labels.txt")
	if s.read("first/model/saved_model.pb") == s.read("second/model/saved_model.pb") {
		t.Error("three more epochs changed nothing")
	}

	request.Output, request.Config.Model.Units = s.path("wider"), []int{512}
	s.fit(request)
	if !s.Noted("with a fresh head") {
		t.Error("a head of another width was kept")
	}

	deeper := s.request("deeper")
	deeper.Config.Training.Stages = []rundir.Stage{{Name: "block2", Epochs: 1, Rate: deeper.Config.Training.Rate}}
	s.fit(deeper)
	request = s.request("onward")
	request.InitFrom = s.path("deeper")
	s.interrupted(request, 1)
	if config, err := (rundir.Dir{Path: s.path("onward")}).ReadConfig(); err != nil || !slices.Equal(config.Model.InitFrom.Stages, []string{"block2"}) {
		t.Errorf("init_from %+v, %v", config.Model.InitFrom, err)
	}

	request.Output = request.InitFrom
	_, err := train.New(t.Context(), request, s.Env())
	refused(t, err, pipeline.BadUsage, "is also the output folder")
	request.Output, request.InitFrom = s.path("new"), s.path("photos")
	_, err = train.New(t.Context(), request, s.Env())
	refused(t, err, pipeline.BadUsage, "photos")
}

// A failed run leaves its folder only if it took a step.
func TestFailedRun(t *testing.T) {
	s := newSetting(t)
	broken := errors.New("broken")
	try := func() error { return s.try(s.request("run"), s.Env()) }
	s.OnOpen = func(string) error { return broken }
	if err := try(); !errors.Is(err, broken) || rundir.Is(s.path("run")) {
		t.Errorf("%v, and the folder is there: %t", err, rundir.Is(s.path("run")))
	}
	s.OnOpen = nil
	first := s.Steps
	s.OnStep = func(step int) error {
		if step == first+5 {
			return broken
		}
		return nil
	}
	if err := try(); !errors.Is(err, broken) || !rundir.Is(s.path("run")) {
		t.Errorf("%v, and the folder is there: %t", err, rundir.Is(s.path("run")))
	}
}

func TestBadImages(t *testing.T) {
	s := newSetting(t)
	fake.Write(t, s.path("photos/train/cat/3.jpg"), "bad")
	fake.Write(t, s.path("photos/test/dog/1.jpg"), "bad")
	refused(t, s.try(s.request("run"), s.Env()), pipeline.BadData, "train/cat/3.jpg")
	if rundir.Is(s.path("run")) {
		t.Error("a run begins on bad images")
	}

	request := s.request("run")
	request.Config.Data.OnBadImage = train.SkipBadImages
	request.ClassWeights = train.BalancedClassWeights
	result := s.fit(request)
	config, err := result.Run.ReadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Skipped) != 2 || config.Data.Train != 7 || config.Training.ClassWeights["cat"] != 7.0/6 {
		t.Errorf("skipped %v, %d images to train on, weights %v", result.Skipped, config.Data.Train, config.Training.ClassWeights)
	}
	for i := range 4 {
		fake.Write(t, s.path("photos/train/cat/"+string(rune('0'+i))+".jpg"), "bad")
	}
	request.Output = s.path("other")
	_, err = train.New(t.Context(), request, s.Env())
	refused(t, err, pipeline.BadData, `no image of "cat" is left`)
}

func TestSharedImagesAreTold(t *testing.T) {
	s := newSetting(t)
	fake.Write(t, s.path("photos/val/cat/0.jpg"), s.read("photos/train/cat/0.jpg"))
	s.fit(s.request("run"))
	if !s.Noted("validation images that are also in train, so metrics are optimistic: 1, such as train/cat/0.jpg = val/cat/0.jpg") {
		t.Error("nothing is said")
	}
}

// Whatever cannot be opened is an error, and a folder without a step goes.
func TestDecoderThatCannotBeOpened(t *testing.T) {
	s := newSetting(t)
	env := s.Env()
	env.Decoder = func(workflow.Input, int) (workflow.Decoder, error) { return nil, errors.New("no such interpolation") }
	if err := s.try(s.request("run"), env); err == nil || !strings.Contains(err.Error(), "no such interpolation") || rundir.Is(s.path("run")) {
		t.Errorf("%v, and the folder is there: %t", err, rundir.Is(s.path("run")))
	}
}
