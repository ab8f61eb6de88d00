package main

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
	"tftl/savedmodels"
)

// fitOptions are what `tftl fit` was asked for. What decides the result is in
// config, which is kept in the run's folder: a resumed run reads it from there.
type fitOptions struct {
	config    rundir.Config
	output    string
	overwrite bool
	resume    bool // config is that of the run in output
	moved     bool // and its data or its model lies elsewhere now
	epochs    int  // of a stage that does not say
	cache     cacheOptions
	// classWeights is as it was given; what it stands for, config has.
	classWeights string
	workers      int
	saveEvery    time.Duration
	maxTime      time.Duration // 0: none
	json         bool
}

// datasetOptions are those that a run opens its data with.
func datasetOptions(config rundir.Config) dataset.Options {
	d := config.Data
	return dataset.Options{
		Validation: d.ValidationPath, Test: d.TestPath, FollowSymlinks: d.FollowSymlinks, AllowOutside: d.AllowOutside,
		Layout:  dataset.Layout(d.Layout),
		Classes: d.Classes, LimitPerClass: d.LimitPerClass, Fold: d.Fold, Split: d.Split, Exact: d.Exact, Seed: config.Seed,
	}
}

// configureData writes down what newDatasetOptions read. Paths are made
// absolute, for a run is evaluated and gone on with from anywhere.
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
	return d, nil
}

// stopping is a pure function of the config, so that a resumed run decides as before.
func (o *fitOptions) stopping() schedule.EarlyStopping {
	t := o.config.Training
	return schedule.EarlyStopping{
		Monitor: t.Monitor, Higher: !metrics.LowerIsBetter(strings.TrimPrefix(t.Monitor, "val_")), MinDelta: t.MinDelta, Patience: t.Patience,
		StartFromEpoch: t.StartFromEpoch,
	}
}

// depth decides --stage auto, and tells what each stage was worth.
func (o *fitOptions) depth() schedule.Depth {
	stopping := o.stopping()
	return schedule.Depth{Monitor: stopping.Monitor, Higher: stopping.Higher}
}

func newFitOptions(c *cli.Context) (o fitOptions, err error) {
	if err := noArguments(c); err != nil {
		return o, err
	}
	if err := atLeast(c, 0, "patience", "start-from-epoch", "workers"); err != nil {
		return o, err
	}
	o = fitOptions{output: c.String("output"), overwrite: c.Bool("overwrite"), epochs: c.Int("epochs"), workers: c.Int("workers"), saveEvery: c.Duration("checkpoint-every"), maxTime: c.Duration("max-time"), json: c.Bool("json")}
	if o.maxTime < 0 {
		return o, pipeline.Errorf(pipeline.BadUsage, "--max-time %v: must be 0 or more", o.maxTime)
	}
	if o.cache, err = newCacheOptions(c); err != nil {
		return o, err
	}
	if run := c.String("resume"); run != "" {
		return o, o.resumeFrom(c, run)
	}
	if err := requireDataAndModel(c); err != nil {
		return o, err
	}
	if o.output == "" {
		o.output = defaultOutput(c.String("data"))
	}
	return o, o.configure(c)
}

// configure reads the flags that decide the result.
func (o *fitOptions) configure(c *cli.Context) (err error) {
	if err := atLeast(c, 1, "epochs", "batch-size"); err != nil {
		return err
	}
	units, err := parseUnits(c.String("units"))
	if err != nil {
		return err
	}
	o.config = rundir.Config{
		Tftl:  version,
		Seed:  c.Uint64("seed"),
		Model: rundir.Model{Units: units},
		Training: rundir.Training{
			BatchSize: c.Int("batch-size"), LearningRate: c.Float64("lr"),
			Rate: rundir.Rate{
				Schedule: c.String("schedule"), DecayRate: c.Float64("decay-rate"), DecayEpochs: c.Int("decay-epochs"), WarmupEpochs: c.Int("warmup-epochs"),
			},
			Plateau: rundir.Plateau{Factor: c.Float64("plateau-factor"), Patience: c.Int("plateau-patience")},
			Hyper:   newHyper(c),
			Monitor: c.String("monitor"), MinDelta: c.Float64("min-delta"), Patience: c.Int("patience"),
			StartFromEpoch: c.Int("start-from-epoch"),
		},
	}
	if o.config.Data, err = configureData(c); err != nil {
		return err
	}
	if o.config.Model.Path, err = filepath.Abs(c.String("model")); err != nil {
		return err
	}
	if run := c.String("init-from"); run != "" {
		if err := o.initFrom(c, run); err != nil {
			return err
		}
	}
	if rate := o.config.Training.LearningRate; c.IsSet("lr") && (!(rate > 0) || math.IsInf(rate, 0)) {
		return pipeline.Errorf(pipeline.BadUsage, "--lr %v: must be a number above 0", rate)
	}
	if err := checkHyper(o.config.Training.Hyper, o.config.Training.MinDelta); err != nil {
		return err
	}
	if err := checkMonitor(o.config.Training.Monitor); err != nil {
		return err
	}
	if err := checkRate(o.config.Training.Rate); err != nil {
		return err
	}
	if p := o.config.Training.Plateau; !(p.Factor >= 0 && p.Factor < 1) || p.Patience < 1 {
		return pipeline.Errorf(pipeline.BadUsage, "--plateau-factor %v, --plateau-patience %d: must be from 0 to below 1, and 1 or more", p.Factor, p.Patience)
	}
	o.classWeights, o.config.Training.LabelSmoothing = c.String("class-weights"), c.Float64("label-smoothing")
	if err := checkSmoothing(o.config.Training.LabelSmoothing); err != nil {
		return err
	}
	if o.config.Data.OnBadImage, err = onBadImage(c); err != nil {
		return err
	}
	if o.config.Training.Augmentation, err = newAugmentation(c); err != nil {
		return err
	}
	stages := c.StringSlice("stage")
	if slices.Equal(stages, []string{"auto"}) {
		o.config.Training.StagesAuto, stages = true, nil
		if m := o.config.Training.Monitor; m != "val_loss" && m != "val_accuracy" {
			return pipeline.Errorf(pipeline.BadUsage, "--stage auto --monitor %s: the noise is known of val_loss and val_accuracy alone", m)
		}
	}
	for _, text := range stages {
		stage, err := parseStage(text, o.config.Training.Rate)
		if err != nil {
			return err
		}
		o.config.Training.Stages = append(o.config.Training.Stages, stage)
	}
	return nil
}

// checkMonitor knows every figure of the history: a misspelt one would never
// improve.
func checkMonitor(name string) error {
	known := []string{"loss", "accuracy"}
	for _, m := range metrics.Names() {
		known = append(known, "val_"+m)
	}
	if !slices.Contains(known, name) {
		return pipeline.Errorf(pipeline.BadUsage, "--monitor %q: must be one of %s", name, strings.Join(known, ", "))
	}
	return nil
}

// resolve fills in what the model decides, and checks what it cannot do.
func (o *fitOptions) resolve(model *savedmodels.Model) (err error) {
	if err := model.Trainable(); err != nil {
		return err
	}
	d, training := model.Description, &o.config.Training
	if copies := training.Augmentation.Copies; copies > 0 && o.cache.off {
		return pipeline.Errorf(pipeline.BadUsage, "--augment-copies %d: needs the feature cache, which is off", copies)
	}
	if !slices.Contains(d.Optimizers, training.Hyper.Optimizer) {
		return pipeline.Errorf(pipeline.BadUsage, "--optimizer %q: model %s has %s", training.Hyper.Optimizer, model.Dir, strings.Join(d.Optimizers, ", "))
	}
	if training.LearningRate == 0 {
		training.LearningRate = d.LearningRate
	}
	if o.config.Model.Units, err = resolveUnits(o.config.Model.Units, model); err != nil {
		return err
	}
	o.config.Model.Backbone, o.config.Model.WeightsOrigin = d.Backbone, d.Weights.Origin
	o.config.Model.Input = inputOf(d)
	o.config.Model.WeightsSHA256, o.config.Model.Pooling = d.Weights.NetworkSHA256, d.Head.Pooling
	r := model.Runtime
	o.config.Runtime = rundir.Runtime{
		TensorFlow: r.TensorFlow, Devices: r.Devices, Precision: string(r.Precision), Threads: r.Threads, Instructions: r.Instructions,
	}
	training.Stages, err = resolveStages(*training, model, o.epochs)
	return err
}
