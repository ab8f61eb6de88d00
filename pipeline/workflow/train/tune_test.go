package train_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
	"tftl/pipeline/workflow/train"
)

// tuned is a request that tries n settings first.
func (s *setting) tuned(output string, n int) train.Request {
	r := s.request(output)
	r.Config.Training.Tune = &rundir.Tune{Settings: n, Search: schedule.Searched()}
	return r
}

func TestTunedRunRepeatsItsTrial(t *testing.T) {
	s := newSetting(t)
	plain := s.fit(s.request("plain"))
	result := s.fit(s.tuned("run", 10))
	chosen, standard := result.Tuning.Best(), result.Tuning.Default()
	if value, _ := result.Best.Value("val_loss"); result.Tuning.Chosen == 0 || value != *chosen.Score {
		t.Errorf("the run has val_loss %g, its trial %g: %+v", value, *chosen.Score, chosen)
	}
	if *chosen.Score >= *standard.Score {
		t.Errorf("val_loss %g is chosen, the default has %g", *chosen.Score, *standard.Score)
	}
	if value, _ := plain.Best.Value("val_loss"); value != *standard.Score {
		t.Errorf("the default's trial has val_loss %g, a run with it %g", *standard.Score, value)
	}
	last := len(result.Tuning.Rungs)
	if standard.Rung != last || chosen.Rung != last || len(result.Tuning.Settings) != 10 {
		t.Errorf("of %d rungs the default reached %d, the chosen setting %d", last, standard.Rung, chosen.Rung)
	}

	s.fit(s.tuned("again", 10))
	s.same("run", "again", append(repeated, "tune.json")...)

	// The same run without a search.
	request := s.request("alone")
	request.Config.Training.LearningRate, request.Config.Model.Units = chosen.LearningRate, chosen.Units
	request.Config.Training.Hyper.L2, request.Config.Training.Hyper.Dropout = chosen.L2, chosen.Dropout
	s.fit(request)
	s.same("run", "alone", repeated...)
	if _, err := os.Stat(s.path("alone/tune.json")); err == nil {
		t.Error("a run without a search has tune.json")
	}
}

func TestDefaultIsKeptUnlessAnotherSettingIsBetter(t *testing.T) {
	s := newSetting(t)
	request := s.tuned("run", 10)
	request.Config.Training.Tune.Search = []pipeline.Option{"l2"} // which the fake network ignores
	if result := s.fit(request); result.Tuning.Chosen != 0 || !s.Noted("no setting is better than the default") {
		t.Errorf("setting %d is chosen", result.Tuning.Chosen)
	}
	s.fit(s.request("plain"))
	s.same("run", "plain", repeated...)
}

func TestFiftySettingsCostLessThanTenRuns(t *testing.T) {
	s := newSetting(t)
	request := s.request("plain")
	request.Epochs = 27
	s.fit(request)
	steps, passes := s.Steps, s.Passes
	s.Steps, s.Passes = 0, 0
	request = s.tuned("run", 50)
	request.Epochs = 27
	s.fit(request)
	if s.Steps >= 10*steps || s.Steps+s.Passes >= 10*(steps+passes) {
		t.Errorf("%d steps and %d passes for validation, 10 runs have %d and %d", s.Steps, s.Passes, 10*steps, 10*passes)
	}
}

func TestInterruptedTuningLeavesNothing(t *testing.T) {
	s := newSetting(t)
	s.fit(s.tuned("whole", 10))
	all := s.Steps
	stop := func(at int) {
		t.Helper()
		run, err := train.New(s.cancelledAt(at), s.tuned("run", 10), s.Env())
		s.OnStep = nil
		if err == nil {
			run.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("ends with %v, not as interrupted", err)
		}
		if _, err := os.Stat(s.path("run")); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("something is left: %v", err)
		}
	}
	stop(1)
	stop(20)
	s.interrupted(s.tuned("run", 10), all-4) // in training
	if result := s.resume("run", train.Moved{}); result.Tuning == nil {
		t.Error("a resumed run does not know what was tuned")
	}
	s.same("whole", "run", append(repeated, "tune.json")...)
}

func TestSettingsThatDiverge(t *testing.T) {
	s := newSetting(t)
	diverged := pipeline.Errorf(pipeline.Diverged, "diverged")
	s.OnStep = func(step int) error {
		if step == 3 { // the third setting's first
			return diverged
		}
		return nil
	}
	result := s.fit(s.tuned("run", 10))
	if lost := result.Tuning.Settings[2]; lost.Score != nil || lost.Rung != 1 {
		t.Errorf("a setting that diverged: %+v", lost)
	}
	s.OnStep = func(int) error { return diverged }
	_, err := train.New(t.Context(), s.tuned("none", 10), s.Env())
	refused(t, err, pipeline.Diverged, "tune 10: training diverged with every setting")
	if rundir.Is(s.path("none")) {
		t.Error("a run was begun")
	}
}

// The features that the search computed are not computed again, even in memory.
func TestTuningSharesItsFeatures(t *testing.T) {
	s := newSetting(t)
	env := s.Env()
	var cached []int
	env.Show = func(e pipeline.Event, timing rundir.Timing) {
		if timing.Phase == rundir.FeaturesPhase {
			cached = append(cached, e.Cached)
		}
	}
	run, err := train.New(t.Context(), s.tuned("run", 5), env)
	if err != nil {
		t.Fatal(err)
	}
	s.end(run)
	if !slices.Equal(cached, []int{0, 12}) {
		t.Errorf("cached features per pass: %v", cached)
	}
}

// Deeper stages keep their rates.
func TestTunedRatesAreThoseOfTheHead(t *testing.T) {
	s := newSetting(t)
	for name, deeper := range map[string]float64{"listed": train.DeeperRate, "auto": 3e-5} {
		request := s.tuned(name, 10)
		rate := request.Config.Training.Rate
		request.Config.Training.Stages = []rundir.Stage{{Name: "head", Rate: rate}, {Name: "block2", Epochs: 1, Rate: rate}}
		if name == "auto" {
			request.Config.Training.StagesAuto = true
			request.Config.Training.Stages = []rundir.Stage{{Name: train.AutoStage, Epochs: 1, LearningRate: deeper, Rate: rate}}
		}
		result := s.fit(request)
		config, err := result.Run.ReadConfig()
		if err != nil {
			t.Fatal(err)
		}
		chosen := result.Tuning.Best().LearningRate
		if rates := config.Training.Stages; chosen == 0.5 || rates[0].LearningRate != chosen || rates[1].LearningRate != deeper || config.Training.LearningRate != chosen {
			t.Errorf("%s: chosen %g, rates %+v", name, chosen, rates)
		}
	}
}

func TestWhatIsGivenIsNotSearched(t *testing.T) {
	s := newSetting(t)
	request := s.tuned("run", 10)
	request.Config.Model.Units, request.Config.Training.LearningRate = []int{99}, 0.25
	search := func(r train.Request) []pipeline.Option {
		t.Helper()
		p, err := train.Prepare(t.Context(), r, s.Env())
		if err != nil {
			t.Fatal(err)
		}
		return p.Config.Training.Tune.Search
	}
	if got := search(request); !slices.Equal(got, []pipeline.Option{"l2", "dropout"}) {
		t.Errorf("searched: %v", got)
	}
	for _, trial := range s.fit(request).Tuning.Settings {
		if trial.LearningRate != 0.25 || !slices.Equal(trial.Units, []int{99}) {
			t.Errorf("%+v was tried", trial)
		}
	}
	onward := s.tuned("onward", 10)
	onward.InitFrom, onward.Config.Model.Path = s.path("run"), ""
	onward.Config.Training.Stages = []rundir.Stage{{Name: "head", LearningRate: 0.25, Rate: onward.Config.Training.Rate}}
	if got := search(onward); !slices.Equal(got, []pipeline.Option{"l2", "dropout"}) {
		t.Errorf("with the head of an earlier run and a rate of the stage, searched: %v", got)
	}
	request.Config.Training.Tune.Search = []pipeline.Option{"lr", "units"}
	_, err := train.Prepare(t.Context(), request, s.Env())
	refused(t, err, pipeline.BadUsage, "nothing is left to search")
}

func TestTuningWithFolds(t *testing.T) {
	s := newSetting(t)
	request := s.tuned("run", 10)
	request.Config.Training.Tune.Folds = 3
	result := s.fit(request)
	if value, _ := result.Best.Value("val_loss"); value != *result.Tuning.Best().Score {
		t.Errorf("the run has val_loss %g, its trial %g", value, *result.Tuning.Best().Score)
	}
	request.Config.Training.Tune.Folds = 9 // there are 12 images
	request.Output = s.path("many")
	_, err := train.New(t.Context(), request, s.Env())
	refused(t, err, pipeline.BadUsage, "tune-folds 9: there are too few images")
}

func TestSearchesThatMakeNoSense(t *testing.T) {
	s := newSetting(t)
	for text, change := range map[string]func(*train.Request){
		"tune 1: must be 2 or more":             func(r *train.Request) { r.Config.Training.Tune.Settings = 1 },
		"tune-folds 1: must be 0, or 2 or more": func(r *train.Request) { r.Config.Training.Tune.Folds = 1 },
		"tune 10: needs the feature cache":      func(r *train.Request) { r.Cache.Off = true },
		"new augmentation in each epoch":        func(r *train.Request) { r.Config.Training.Augmentation.HorizontalFlip = true },
		"does not work with augmentation": func(r *train.Request) {
			r.Config.Training.Augmentation = pipeline.Augmentation{HorizontalFlip: true, Copies: 2}
			r.Config.Training.Tune.Folds = 3
		},
		"compared by a metric of the validation part": func(r *train.Request) { r.Config.Training.Monitor = "loss" },
		"the first stage is block2": func(r *train.Request) {
			r.Config.Training.Stages = []rundir.Stage{{Name: "block2", Rate: r.Config.Training.Rate}}
		},
		"cannot search momentum": func(r *train.Request) { r.Config.Training.Tune.Search = []pipeline.Option{"momentum"} },
	} {
		request := s.tuned("run", 10)
		change(&request)
		_, err := train.New(t.Context(), request, s.Env())
		refused(t, err, pipeline.BadUsage, text)
	}
}

func TestCacheTooSmallToTune(t *testing.T) {
	s := newSetting(t)
	request := s.tuned("run", 10)
	request.Cache.MaxBytes = 300
	_, err := train.New(t.Context(), request, s.Env())
	refused(t, err, pipeline.BadUsage, "features that are not cached")
}
