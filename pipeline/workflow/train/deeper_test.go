package train_test

import (
	"os"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/features"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/train"
)

// staged is a request for the head and block2.
func (s *setting) staged(output string) train.Request {
	r := s.request(output)
	r.Config.Training.Stages = []rundir.Stage{
		{Name: "head", Epochs: 3, Rate: r.Config.Training.Rate}, {Name: "block2", Epochs: 2, Rate: r.Config.Training.Rate},
	}
	return r
}

func TestStagedRunComputesEachImageOnce(t *testing.T) {
	for name, auto := range map[string]bool{"given": false, "auto": true} {
		for _, dir := range []string{"", "cache"} {
			s := newSetting(t)
			request := s.staged("run")
			if dir != "" {
				request.Cache.Dir = s.path(dir)
			}
			if auto {
				request.Config.Training.Stages, request.Config.Training.StagesAuto = nil, true
				request.Config.Training.Rate.WarmupEpochs = train.DefaultWarmup
			}
			result := s.fit(request)
			// Two parts of a few images, each in a batch that is filled up.
			if s.Opens != len(result.Depth) {
				t.Errorf("%s: %d stages were opened for %d", name, s.Opens, len(result.Depth))
			}
			if s.Frozen["head"] != 0 || s.Frozen["block2"] != 2*features.BatchSize {
				t.Errorf("%s, cache %q: frozen passes of %v", name, dir, s.Frozen)
			}
			config, err := result.Run.ReadConfig()
			if err != nil || config.Training.HeadFeaturesFrom != "block2" {
				t.Errorf("%s: features from %q, %v", name, config.Training.HeadFeaturesFrom, err)
			}
		}
	}
}

// How the head's features are computed follows from the plan, never from what is
// cached: the same history and weights whatever happened before.
func TestStagedRunIsTheSameInAnyCache(t *testing.T) {
	s := newSetting(t)
	s.fit(s.staged("whole"))
	plain := s.request("plain")
	plain.Cache.Dir = s.path("cache")
	s.fit(plain)
	deep := s.request("deep")
	deep.Cache.Dir, deep.Config.Training.Stages = s.path("cache"), s.staged("").Config.Training.Stages[1:]
	s.fit(deep)
	for name, cache := range map[string]train.Cache{
		"off":        {Off: true},
		"full":       {Options: features.Options{MaxBytes: 150}},
		"other runs": {Options: features.Options{Dir: s.path("cache")}},
		"again":      {Options: features.Options{Dir: s.path("cache")}},
	} {
		request := s.staged(strings.ReplaceAll(name, " ", "-"))
		request.Cache = cache
		s.fit(request)
		s.same("whole", request.Output[len(s.folder)+1:], repeated...)
		for _, at := range []int{1, 5, 9, 10, 13} {
			request.Output = s.path("stopped")
			s.interrupted(request, at)
			s.resume("stopped", train.Moved{}) // with another cache
			s.same("whole", "stopped", repeated...)
			if err := os.RemoveAll(s.path("stopped")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s.read("plain/history.jsonl") == s.read("whole/history.jsonl")[:len(s.read("plain/history.jsonl"))] {
		t.Error("the fake network rounds the features of both ways alike, so this test shows nothing")
	}
}

// A run of an older version goes on as it began.
func TestOlderStagedRunComputesTheHeadFromImages(t *testing.T) {
	s := newSetting(t)
	s.interrupted(s.staged("old"), 4)
	dir := rundir.Dir{Path: s.path("old")}
	config, err := dir.ReadConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.Training.HeadFeaturesFrom = ""
	if err := dir.WriteConfig(config); err != nil {
		t.Fatal(err)
	}
	s.Frozen = nil
	s.resume("old", train.Moved{})
	if s.Frozen["head"] != 2*features.BatchSize || s.Frozen["block2"] != 2*features.BatchSize {
		t.Errorf("frozen passes of %v", s.Frozen)
	}
}

// Predictions of what a run has learnt are on the features that it was trained on,
// and keep none of the deeper stage.
func TestLearntOfAStagedRun(t *testing.T) {
	s := newSetting(t)
	request := s.staged("run")
	request.Cache.Dir = s.path("cache")
	request.Config.Training.Monitor = "val_accuracy" // the head is as good as block2
	result := s.fit(request)
	if result.Best.Stage != "head" {
		t.Skip("the best epoch is not one of the head")
	}
	network, err := s.Env().Load(s.path("model"), workflow.Session{})
	if err != nil {
		t.Fatal(err)
	}
	learnt, err := train.Learn(result.Run, network, request.Options, new(workflow.Digests), s.Env())
	if err != nil {
		t.Fatal(err)
	}
	set, err := train.OpenRecorded(result.Run, s.path("photos"), train.DataOptions(request.Config))
	if err != nil {
		t.Fatal(err)
	}
	s.Frozen = nil
	if _, err := pipeline.Together(learnt.Predict(t.Context(), set.Validation, 3)); err != nil || len(s.Frozen) != 0 {
		t.Errorf("validation images pass again: %v, %v", s.Frozen, err)
	}
	if got, err := pipeline.Together(learnt.Predict(t.Context(), set.Test, 3)); err != nil || len(got) != 4 || s.Frozen["head"] != 0 {
		t.Errorf("%d predictions, frozen passes of %v, %v", len(got), s.Frozen, err)
	}
}

// With new augmentation in every epoch there is no frozen pass to share, and an
// earlier run may have changed the layers between the two cuts.
func TestHeadFeaturesFromImages(t *testing.T) {
	s := newSetting(t)
	deeper := s.staged("deeper")
	deeper.Config.Training.Stages = deeper.Config.Training.Stages[1:]
	s.fit(deeper)
	for name, test := range map[string]struct {
		change func(*train.Request)
		want   string
	}{
		"staged":    {func(*train.Request) {}, "block2"},
		"augmented": {func(r *train.Request) { r.Config.Training.Augmentation.HorizontalFlip = true }, ""},
		"copies": {func(r *train.Request) {
			r.Config.Training.Augmentation = pipeline.Augmentation{HorizontalFlip: true, Copies: 2}
		}, "block2"},
		"cutmix":    {func(r *train.Request) { r.Config.Training.CutMix = 1 }, ""},
		"head only": {func(r *train.Request) { r.Config.Training.Stages = r.Config.Training.Stages[:1] }, ""},
		"deep only": {func(r *train.Request) { r.Config.Training.Stages = r.Config.Training.Stages[1:] }, ""},
		"init-from": {func(r *train.Request) { r.InitFrom = deeper.Output }, ""},
	} {
		request := s.staged("none")
		test.change(&request)
		p, err := train.Prepare(t.Context(), request, s.Env())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := p.Config.Training.HeadFeaturesFrom; got != test.want {
			t.Errorf("%s: features from %q, want %q", name, got, test.want)
		}
	}
}

// A device may have a batch size of its own for the frozen part.
func TestFrozenPassHasTheDevicesBatchSize(t *testing.T) {
	s := newSetting(t)
	s.FrozenBatch = 7
	s.fit(s.request("run"))
	if n := s.Frozen["head"]; n == 0 || n%7 != 0 || n%features.BatchSize == 0 {
		t.Errorf("%d images passed the frozen part, in batches of 7", n)
	}
}
