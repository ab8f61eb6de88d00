package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/pipeline"
	"tftl/pipeline/contents"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
	"tftl/pipeline/workflow/train"
)

// fitFlags are the flags of fit, and the options of every run in a file.
func fitFlags() []cli.Flag {
	return slices.Concat(
		[]cli.Flag{dataFlag(""), foldFlag(), newBadImageFlag(), excludeFlag()}, partFlags(), choiceFlags(), sourceFlags(),
		networkFlags(), runFlags(), learningFlags(), newHyperFlags(), newBalanceFlags(),
		newAugmentFlags(), mixFlags(), newCacheFlags(), []cli.Flag{verifyFlag()}, batchFlags(), runtimeFlags(),
	)
}

// fitRequest is what `tftl fit` was asked for: a new run, or one to resume.
type fitRequest struct {
	train.Request
	resume string // folder of the run; empty for a new one
	goesOn bool   // with the run in Output, if there is one
	member clusterOptions
	moved  train.Moved
	verify bool
	json   bool
}

func newFitRequest(c *cli.Context) (r fitRequest, err error) {
	if err := noArguments(c); err != nil {
		return r, err
	}
	r.json, r.verify, r.resume = c.Bool("json"), c.Bool("verify"), c.String("resume")
	if r.Session, err = newSession(c); err != nil {
		return r, err
	}
	if r.Options, err = newTrainOptions(c); err != nil {
		return r, err
	}
	if r.resume != "" {
		r.moved, err = newMoved(c)
		return r, err
	}
	if err := requireDataAndModel(c); err != nil {
		return r, err
	}
	if r.Output = c.String("output"); r.Output == "" {
		r.Output = rundir.Unused(c.String("data"))
	}
	r.Overwrite, r.goesOn = c.Bool("overwrite"), c.Bool("continue")
	if r.goesOn && r.Overwrite {
		return r, pipeline.Errorf(pipeline.BadUsage, "%s and %s exclude each other", pipeline.Option("continue"), pipeline.Option("overwrite"))
	}
	if r.goesOn && !c.IsSet("output") {
		return r, usageError(c, errors.New("--continue needs --output, the run to go on with"), false)
	}
	if err := configure(c, &r.Request); err != nil {
		return r, err
	}
	return r, configureTraining(c, &r.Request)
}

// newTrainOptions reads the flags that do not change the result.
func newTrainOptions(c *cli.Context) (o train.Options, err error) {
	o = train.Options{Workers: c.Int("workers"), SaveEvery: c.Duration("checkpoint-every"), MaxTime: c.Duration("max-time")}
	o.Cache, err = newCache(c)
	return o, err
}

func newCache(c *cli.Context) (o train.Cache, err error) {
	if o.MaxBytes, err = commandline.Bytes(c.String("cache-size")); err != nil {
		return o, invalid("cache-size", c.String("cache-size"), err.Error())
	}
	dir, homeless := cacheDir(c)
	switch where := c.String("cache"); where {
	case "off":
		o.Off = true
	case "ram":
		o.Overflow = dir
	case "disk":
		o.Dir, o.Homeless = dir, homeless
	default:
		return o, invalid("cache", where, "must be disk, ram or off")
	}
	return o, nil
}

// cacheDir is the folder of the cache. The error says why there is none, for example
// in a container.
func cacheDir(c *cli.Context) (string, error) {
	if dir := c.String("cache-dir"); dir != "" {
		return dir, nil
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(user, "tftl", "features"), nil
}

// openContents opens the table of contents in a cache folder, if there is one.
func openContents(dir string, verify bool) *contents.Table {
	if dir == "" {
		return nil
	}
	return contents.Open(contents.Options{Dir: dir, Distrust: verify})
}

// newMoved reads where the data and the model of a resumed run are now. With
// --resume only flags are allowed that cannot change the result.
//
// Environment variables are for new runs. They neither change nor move a run.
func newMoved(c *cli.Context) (m train.Moved, err error) {
	moves := map[string]*string{"data": &m.Data, "val-data": &m.Validation, "test-data": &m.Test, "model": &m.Model}
	allowed := []string{"resume", "config", "c", "quiet", "q", "verbose", "json", "workers", "j", "device", "gpu-memory", "cache", "cache-dir", "cache-size", "verify", "checkpoint-every", "max-time", "log-file", "trust-model", "cluster", "task", "peer-timeout", "start-timeout", "insecure-bind"}
	for _, name := range c.LocalFlagNames() {
		switch {
		case slices.Contains(allowed, name):
		case commandline.FromEnvironment(c, name):
			newTerminal(c).say("note: %s is set in the environment; a resumed run ignores it", commandline.Dashed(name))
		case moves[name] != nil:
			*moves[name] = c.String(name)
		default:
			err := pipeline.Errorf(pipeline.BadUsage, "%s cannot be changed with --resume", commandline.Dashed(name))
			return m, pipeline.WithHint(err, "a resumed run keeps its own options")
		}
	}
	return m, nil
}

// requireDataAndModel is for commands that train. --init-from implies a model.
func requireDataAndModel(c *cli.Context) error {
	if c.String("init-from") != "" {
		return requireFlags(c, "data")
	}
	return requireFlags(c, "data", "model")
}

// configure reads the flags that fit and lr-find share and that decide the
// result.
func configure(c *cli.Context, r *train.Request) (err error) {
	r.InitFrom, r.Config.Seed = c.String("init-from"), c.Uint64("seed")
	if r.Config.Data, err = configureData(c); err != nil {
		return err
	}
	if model := c.String("model"); model != "" {
		if r.Config.Model.Path, err = filepath.Abs(model); err != nil {
			return err
		}
	}
	if r.Config.Model.Units, err = parseUnits(c.String("units")); err != nil {
		return err
	}
	r.Config.Training.BatchSize, r.Config.Training.Hyper = c.Int("batch-size"), newHyper(c)
	if r.Config.Training.FeatureScale = c.String("feature-scale"); r.Config.Training.FeatureScale == "none" {
		r.Config.Training.FeatureScale = train.NoFeatureScale
	}
	switch start := c.String("output-init"); start {
	case "small":
		r.Config.Training.OutputInit = train.SmallOutput
	case "glorot":
		r.Config.Training.OutputInit = train.GlorotOutput
	default:
		return invalid("output-init", start, "must be small or glorot")
	}
	return nil
}

// configureTraining reads those that only fit has.
func configureTraining(c *cli.Context, r *train.Request) (err error) {
	r.ClassWeights, r.Epochs = c.String("class-weights"), c.Int("epochs")
	if r.Exclude, err = newExclude(c); err != nil {
		return err
	}
	t := &r.Config.Training
	t.LearningRate = c.Float64("lr")
	if c.IsSet("lr") && (!(t.LearningRate > 0) || math.IsInf(t.LearningRate, 0)) {
		return pipeline.Errorf(pipeline.BadUsage, "%s %v: must be a number above 0", pipeline.Option("lr"), t.LearningRate)
	}
	t.Rate = rundir.Rate{
		Schedule: c.String("schedule"), DecayRate: c.Float64("decay-rate"), DecayEpochs: c.Int("decay-epochs"), WarmupEpochs: train.DefaultWarmup,
	}
	if c.IsSet("warmup-epochs") {
		if t.Rate.WarmupEpochs = c.Int("warmup-epochs"); t.Rate.WarmupEpochs < 0 {
			return pipeline.Errorf(pipeline.BadUsage, "%s %d: must be 0 or more", pipeline.Option("warmup-epochs"), t.Rate.WarmupEpochs)
		}
	}
	t.Plateau = rundir.Plateau{Factor: c.Float64("plateau-factor"), Patience: c.Int("plateau-patience")}
	t.Monitor, t.MinDelta, t.Patience, t.StartFromEpoch = c.String("monitor"), c.Float64("min-delta"), c.Int("patience"), c.Int("start-from-epoch")
	t.LabelSmoothing, t.Sampler = c.Float64("label-smoothing"), c.String("sampler")
	t.MixUp, t.CutMix, t.Tune = c.Float64("mixup"), c.Float64("cutmix"), newTune(c)
	if t.Augmentation, err = newAugmentation(c); err != nil {
		return err
	}
	if t.Stages, t.StagesAuto, err = train.ParseStages(c.StringSlice("stage"), t.Rate); err != nil {
		return err
	}
	return r.Check()
}

// newTune reads the search before training. It is nil if there is none.
func newTune(c *cli.Context) *rundir.Tune {
	if c.Int("tune") == 0 && c.Int("tune-folds") == 0 {
		return nil
	}
	tune := &rundir.Tune{Settings: c.Int("tune"), Folds: c.Int("tune-folds")}
	for _, option := range schedule.Searched() {
		if !c.IsSet(option.String()) {
			tune.Search = append(tune.Search, option)
		}
	}
	return tune
}

// configureData reads the data flags. Paths become absolute, so that a run can be
// evaluated and resumed from any working directory.
func configureData(c *cli.Context) (d rundir.Data, err error) {
	o, err := newDatasetOptions(c)
	if err != nil {
		return d, err
	}
	d = rundir.Data{
		Path: c.String("data"), ValidationPath: o.Validation, TestPath: o.Test, FollowSymlinks: o.FollowSymlinks, AllowOutside: o.AllowOutside,
		Layout: string(o.Layout), Classes: o.Classes, LimitPerClass: o.LimitPerClass, Fold: o.Fold, Split: o.Split, Exact: o.Exact,
	}
	for _, path := range []*string{&d.Path, &d.ValidationPath, &d.TestPath} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return d, err
		}
	}
	d.OnBadImage, err = onBadImage(c)
	return d, err
}

func newHyper(c *cli.Context) pipeline.Hyperparameters {
	hyper := pipeline.Hyperparameters{
		Optimizer: c.String("optimizer"), Momentum: c.Float64("momentum"), WeightDecay: c.Float64("weight-decay"),
		L2: c.Float64("l2"), ClipNorm: c.Float64("clip-norm"), Dropout: c.Float64("dropout"),
	}
	if hyper.Optimizer == "adamw" && !c.IsSet("weight-decay") {
		hyper.WeightDecay = 0.004 // the default of keras.optimizers.AdamW; without decay it would be Adam
	}
	return hyper
}

func onBadImage(c *cli.Context) (string, error) {
	what := c.String("on-bad-image")
	if what != train.FailOnBadImage && what != train.SkipBadImages {
		return "", invalid("on-bad-image", what, "must be fail or skip")
	}
	return what, nil
}

// parseUnits reads the widths of hidden layers: 256, or 512,256.
func parseUnits(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var units []int
	for part := range strings.SplitSeq(text, ",") {
		width, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || width < 1 || width > pipeline.MaxUnits {
			return nil, invalid("units", text, fmt.Sprintf("must be whole numbers from 1 to %d, separated by commas", pipeline.MaxUnits))
		}
		units = append(units, width)
	}
	return units, nil
}
