package train

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
)

// The most settings of a search, and the most folds.
const (
	maxSettings  = 1_000
	maxTuneFolds = 100
)

// checkTune refuses a search that makes no sense.
func (r Request) checkTune() error {
	t := r.Config.Training
	if t.Tune == nil {
		return nil
	}
	n, augment := t.Tune.Settings, t.Augmentation
	switch {
	case n == 0:
		return pipeline.Errorf(pipeline.BadUsage, "%s %d: needs %s", optionFolds, t.Tune.Folds, optionTune)
	case n < 2 || n > maxSettings:
		return pipeline.CheckRange(optionTune, n, 2, maxSettings)
	case t.Tune.Folds < 0 || t.Tune.Folds == 1:
		return bad(optionFolds, t.Tune.Folds, "must be 0, or 2 or more")
	case t.Tune.Folds > maxTuneFolds:
		return pipeline.CheckRange(optionFolds, t.Tune.Folds, 2, maxTuneFolds)
	case r.Cache.Off:
		return bad(optionTune, n, "needs the feature cache, which is off")
	case augment.Enabled() && augment.Copies == 0:
		err := bad(optionTune, n, "images with new augmentation in each epoch have no cached features to search on")
		return pipeline.WithHint(err, "%s caches augmented copies", pipeline.Option("augment-copies"))
	case t.CutMix > 0:
		return pipeline.Errorf(pipeline.BadUsage, "%s %d: %s changes pixels in each epoch, so there are no cached features to search on", optionTune, n, pipeline.Option("cutmix"))
	case t.Tune.Folds > 0 && (augment.Enabled() || t.MixUp > 0 || t.Sampler == BalancedSampler):
		return pipeline.Errorf(pipeline.BadUsage, "%s %d: does not work with augmentation, %s or %s balanced, which are for the training part only",
			optionFolds, t.Tune.Folds, pipeline.Option("mixup"), pipeline.Option("sampler"))
	case !strings.HasPrefix(t.Monitor, "val_"):
		return pipeline.Errorf(pipeline.BadUsage, "%s %d %s %s: settings are compared by a metric of the validation part", optionTune, n, pipeline.Option("monitor"), t.Monitor)
	case len(t.Stages) > 0 && t.Stages[0].Name != HeadStage && t.Stages[0].Name != AutoStage:
		return pipeline.Errorf(pipeline.BadUsage, "%s %d: searches with the stage %s, but the first stage is %s", optionTune, n, HeadStage, t.Stages[0].Name)
	}
	for _, option := range t.Tune.Search {
		if !slices.Contains(schedule.Searched(), option) {
			return bad(optionTune, n, "cannot search "+option.String())
		}
	}
	return nil
}

// The options that this file's errors are about.
const (
	optionTune  = pipeline.Option("tune")
	optionFolds = pipeline.Option("tune-folds")
)

// resolveTune leaves out of the search what the request has decided: a learning
// rate of the stage head, and the width if the head has none or comes from an
// earlier run.
func resolveTune(config rundir.Config, request rundir.Config) (*rundir.Tune, error) {
	if config.Training.Tune == nil {
		return nil, nil
	}
	tune := *config.Training.Tune // a copy, because the request's may be shared
	stages := request.Training.Stages
	decided := map[pipeline.Option]bool{
		"lr":    request.Training.LearningRate != 0 || len(stages) > 0 && stages[0].Name == HeadStage && stages[0].LearningRate != 0,
		"units": len(request.Model.Units) > 0 || len(config.Model.Units) == 0 || config.Model.InitFrom != nil,
	}
	tune.Search = slices.DeleteFunc(slices.Clone(tune.Search), func(o pipeline.Option) bool { return decided[o] })
	if len(tune.Search) == 0 {
		return nil, bad(optionTune, tune.Settings, "nothing is left to search: every hyperparameter is given")
	}
	return &tune, nil
}

// settingOf is the setting that a config has.
func settingOf(config rundir.Config) pipeline.Setting {
	t := config.Training
	return pipeline.Setting{LearningRate: t.Stages[0].LearningRate, L2: t.Hyper.L2, Dropout: t.Hyper.Dropout, Units: config.Model.Units}
}

// with is a config with another setting. Rates of deeper stages stay: a good rate
// for a new head says nothing about pretrained layers.
func with(config rundir.Config, s pipeline.Setting) rundir.Config {
	t := &config.Training
	t.Stages = slices.Clone(t.Stages)
	if t.LearningRate == t.Stages[0].LearningRate { // the stage has no rate of its own
		t.LearningRate = s.LearningRate
	}
	t.Stages[0].LearningRate, t.Hyper.L2, t.Hyper.Dropout, config.Model.Units = s.LearningRate, s.L2, s.Dropout, s.Units
	return config
}

// tune searches for a setting of the head, if the request asks for it, and puts
// it into the config. It takes the first stage that was opened for the run.
func (p *Prepared) tune(ctx context.Context) (err error) {
	if p.Config.Training.Tune == nil {
		return nil
	}
	in := p.opened
	stage, err := in.Open(ctx, HeadStage)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	t := &tuner{Prepared: p, stage: stage}
	if t.own.train, t.own.validation, err = in.open(ctx, HeadStage, stage); err != nil {
		return err
	}
	if stats := in.store.Stats(); stats.Refused > 0 {
		err := bad(optionTune, p.Config.Training.Tune.Settings, "features that are not cached would be computed again for every setting")
		return pipeline.WithHint(err, "make room with %s, or keep them elsewhere with %s", pipeline.Option("cache-size"), pipeline.Option("cache-dir"))
	}
	if t.folds, err = p.folds(in, stage); err != nil {
		return err
	}
	if t.scale, err = plan(p.Config, p.Set.Classes, 1).Scale(ctx, stage, t.own.train); err != nil {
		return err
	}
	if p.tuning, err = t.search(ctx); err != nil {
		return err
	}
	p.Config = with(p.Config, p.tuning.Best().Setting)
	return nil
}

// tuner searches for a setting by successive halving (Jamieson and Talwalkar,
// Non-stochastic Best Arm Identification and Hyperparameter Optimization, 2016):
// many settings are trained briefly, the best third of them for longer, and the
// last ones to the end.
//
// A trial is the beginning of the run as it would be with that setting: the same
// weights, order, schedule and stopping. It starts over on each rung, which costs
// half as much again and saves keeping a network per setting. The last rung is
// whole trainings that always include the default. A setting replaces the default
// if it wins there by more than noise, because the best of many is partly luck. So
// the chosen setting is at least as good as the default on the validation part, and
// the run that is then trained repeats its trial.
//
// Training several heads side by side in one graph would share the reading of
// features, which is cheap beside a step. The steps themselves would cost the
// same, heads of different widths do not fit one tensor, and no head could be
// dropped early.
type tuner struct {
	*Prepared
	stage pipeline.Stage
	scale float64           // of the features
	own   split             // the run's
	folds []split           // for all rungs but the last; empty for the run's own split
	terms map[int][]float64 // of the newest rung's settings, where a setting has them
}

// split is what a trial trains on and is measured on.
type split struct{ train, validation pipeline.Source }

// search tries settings.
func (t *tuner) search(ctx context.Context) (*rundir.Tuning, error) {
	training, n := t.Config.Training, t.Config.Training.Tune.Settings
	found := &rundir.Tuning{Monitor: training.Monitor}
	left := make([]int, n)
	for i, s := range schedule.Settings(settingOf(t.Config), training.Tune.Search, n, t.Config.Seed) {
		found.Settings = append(found.Settings, rundir.Trial{Setting: s})
		left[i] = i
	}
	batches := (t.own.train.Len() + training.BatchSize - 1) / training.BatchSize
	rungs := schedule.Rungs(n, training.Stages[0].Epochs, batches)
	for i, rung := range rungs {
		splits := t.folds
		left = left[:min(rung.Settings, len(left))]
		if last := i == len(rungs)-1; last || len(splits) == 0 {
			splits = []split{t.own}
			if last && !slices.Contains(left, 0) {
				left = append(left, 0)
			}
		}
		rung.Settings = len(left)
		found.Rungs = append(found.Rungs, rundir.Rung(rung))
		t.terms = map[int][]float64{}
		for done, k := range left {
			t.env.Progress(pipeline.Event{Phase: "tune", Done: done, Total: len(left)})
			score, terms, err := t.score(ctx, found.Settings[k].Setting, rung, splits)
			if err != nil {
				return nil, err
			}
			found.Settings[k].Rung, found.Settings[k].Score, t.terms[k] = i+1, score, terms
		}
		if left = t.ranked(found, left); len(left) == 0 {
			return nil, pipeline.WithHint(pipeline.Errorf(pipeline.Diverged, "%s %d: training diverged with every setting", optionTune, n),
				"a smaller %s usually helps", pipeline.Option("lr"))
		}
		t.say(found, rung, left[0], i == len(rungs)-1)
	}
	if t.surpassesDefault(left[0]) {
		found.Chosen = left[0]
	}
	return found, nil
}

// surpassesDefault says whether the best setting gained more than noise over the
// default, image by image. A metric that is no mean over images, or a default that
// diverged, leaves only the scores to compare.
func (t *tuner) surpassesDefault(best int) bool {
	standard, terms := t.terms[0], t.terms[best]
	if best == 0 || standard == nil || terms == nil {
		return true
	}
	gain, noise := pipeline.MeanGain(standard, terms)
	if schedule.MoreThanNoise(gain, noise) {
		return true
	}
	t.env.Say("tune: the gain of %.4f ± %.4f over the default may be chance, so the default stays", gain, noise)
	return false
}

// ranked are the settings with a score, best first. Of equal ones the earlier in
// the search is better, which prefers the default.
func (t *tuner) ranked(found *rundir.Tuning, settings []int) []int {
	higher := stopping(t.Config.Training).Higher
	settings = slices.DeleteFunc(slices.Clone(settings), func(k int) bool { return found.Settings[k].Score == nil })
	slices.SortFunc(settings, func(a, b int) int {
		order := cmp.Compare(*found.Settings[a].Score, *found.Settings[b].Score)
		if higher {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(a, b))
	})
	return settings
}

// say reports a rung.
func (t *tuner) say(found *rundir.Tuning, rung schedule.Rung, best int, last bool) {
	length, unit := rung.Epochs, "epoch"
	if rung.StepsPerEpoch > 0 {
		length, unit = rung.StepsPerEpoch, "step"
	}
	if length != 1 {
		unit += "s"
	}
	top := found.Settings[best]
	t.env.Say("tune: %d settings, %d %s each: best %s %.4f with %v", rung.Settings, length, unit, found.Monitor, *top.Score, top.Message())
	standard := found.Default()
	switch {
	case !last:
	case best == 0:
		t.env.Say("tune: no setting is better than the default")
	case standard.Score == nil:
		t.env.Say("tune: training with the default diverged")
	default:
		t.env.Say("tune: the default has %s %.4f", found.Monitor, *standard.Score)
	}
}

// score is the mean score of a setting over splits, or nil if training diverged,
// and the terms of the last split.
func (t *tuner) score(ctx context.Context, s pipeline.Setting, rung schedule.Rung, splits []split) (_ *float64, terms []float64, err error) {
	mean := 0.0
	for _, data := range splits {
		var score float64
		if score, terms, err = t.trial(ctx, s, rung, data); err != nil {
			return nil, nil, err
		}
		mean += score / float64(len(splits))
	}
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return nil, nil, nil
	}
	return &mean, terms, nil
}

// trial trains a setting and returns the monitored metric of its best epoch, or
// NaN if it diverged. The terms are that metric's, for each validation image; nil
// if it has none.
func (t *tuner) trial(ctx context.Context, s pipeline.Setting, rung schedule.Rung, data split) (score float64, terms []float64, err error) {
	monitored := termsOf(t.Config.Training.Monitor)
	var epochs [][]float64
	plan := plan(with(t.Config, s), t.Set.Classes, data.train.Len())
	plan.Stages, plan.Deeper, plan.FeatureScale = plan.Stages[:1], nil, t.scale
	plan.Stages[0].Epochs, plan.Stages[0].StepsPerEpoch = rung.Epochs, rung.StepsPerEpoch
	history, err := pipeline.Fit(ctx, pipeline.Job{
		Plan: plan, Model: reopened{t.stage}, Recorder: unrecorded{},
		Measure: func(predictions []pipeline.Prediction) []pipeline.Metric {
			if monitored != nil {
				epochs = append(epochs, monitored(predictions))
			}
			return measure(predictions)
		},
		Inputs: func(context.Context, string, pipeline.Stage) (train, validation pipeline.Source, err error) {
			return data.train, data.validation, nil
		},
	})
	switch best, ok := pipeline.BestOf(history); {
	case pipeline.KindOf(err) == pipeline.Diverged:
		return math.NaN(), nil, nil
	case err != nil:
		return 0, nil, err
	case !ok:
		return math.NaN(), nil, nil
	default:
		if monitored != nil {
			terms = epochs[best.Epoch-1]
		}
		score, _ = best.Value(t.Config.Training.Monitor)
		return score, terms, nil
	}
}
