// Package train begins and resumes runs.
//
// New and Resume both return a Run, whose configuration is resolved and never
// changes afterwards. Fit is the only path from there to a trained model. Its
// results are in the run's folder (package rundir) and in the Result.
package train

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/audit/findings"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
	"tftl/pipeline/workflow"
)

// Request describes a new run.
type Request struct {
	// Config has the options that decide the result, as they were given. In the
	// run's copy, New fills in what depends on the data and the model: counts,
	// digests, the default learning rate, the rates and epochs of the stages. Paths
	// are absolute. With InitFrom, an empty model path and nil units are taken from
	// that run.
	Config  rundir.Config
	Session workflow.Session
	// Output is the run's folder. Overwrite allows it to replace an existing run.
	Output    string
	Overwrite bool
	// InitFrom is the folder of an earlier run from whose best weights to start;
	// empty for the model's own weights.
	InitFrom string
	// Epochs is the number of epochs of stages that do not set their own.
	Epochs int
	// ClassWeights is "none", "balanced" or the path of a CSV file label,weight.
	ClassWeights string
	// Exclude is the audits whose findings are left out of training and validation.
	Exclude []findings.Selection
	Options
}

// NewRequest returns a request with the defaults of tftl fit: up to 30 epochs of
// the head, with Adam, early stopping on val_loss, and frozen features in memory.
// data and model are absolute paths.
func NewRequest(data, model, output string) Request {
	return Request{
		Config: rundir.Config{
			Seed:  1,
			Data:  rundir.Data{Path: data, Split: [3]float64{0.7, 0.15, 0.15}, OnBadImage: FailOnBadImage},
			Model: rundir.Model{Path: model},
			Training: rundir.Training{
				BatchSize: 32, Rate: rundir.Rate{Schedule: "constant", DecayRate: 0.1, DecayEpochs: 5, WarmupEpochs: DefaultWarmup}, Plateau: rundir.Plateau{Patience: 3},
				Hyper:        pipeline.Hyperparameters{Optimizer: "adam"},
				FeatureScale: AutoFeatureScale, OutputInit: SmallOutput,
				Augmentation: pipeline.Augmentation{FillMode: "nearest"},
				Sampler:      ShuffleSampler,
				Monitor:      "val_loss", Patience: 5,
			},
		},
		Session: workflow.Session{Precision: "auto", Device: "auto"},
		Output:  output, Epochs: 30, ClassWeights: NoClassWeights,
		Options: Options{Cache: Cache{Options: features.Options{MaxBytes: 10e9}}, SaveEvery: 30 * time.Second},
	}
}

// Options do not affect the result, so a resumed run may have different ones.
type Options struct {
	Cache     Cache
	Workers   int           // images decoded at a time; 0 for one per processor
	SaveEvery time.Duration // time between two last checkpoints; 0 to write one after each step
	MaxTime   time.Duration // 0 for no limit
	// Cluster is the processes that train the run together; nil for one alone. All of
	// them get the same request.
	Cluster Cluster
}

// Cache says where to keep frozen features.
type Cache struct {
	Off bool
	// Homeless says why there is no default folder. If set, features are kept in
	// memory, with a warning.
	Homeless error
	// Overflow is the folder for features that do not fit in memory, if they are to
	// be kept there; empty for none.
	Overflow string
	features.Options
}

// What to do about images that cannot be read or decoded.
const (
	FailOnBadImage = "fail"
	SkipBadImages  = "skip"
)

// The values of Request.ClassWeights that are not a file.
const (
	NoClassWeights       = "none"
	BalancedClassWeights = "balanced"
)

// Values of Training.FeatureScale that are not a number.
const (
	NoFeatureScale   = ""
	AutoFeatureScale = "auto"
)

// Values of Training.OutputInit: how the output layer of a new head starts.
const (
	SmallOutput  = "small" // all classes about equally likely
	GlorotOutput = ""      // random, as in Keras
)

// Check returns an error if a value makes no sense for any data and model.
func (r Request) Check() error {
	t := r.Config.Training
	for _, n := range []struct {
		name               pipeline.Option
		value, least, most int
	}{
		{"epochs", r.Epochs, 1, pipeline.MaxEpochs},
		{"batch-size", t.BatchSize, 1, pipeline.MaxBatchSize},
		{"patience", t.Patience, 0, pipeline.MaxEpochs},
		{"start-from-epoch", t.StartFromEpoch, 0, pipeline.MaxEpochs},
		{"plateau-patience", t.Plateau.Patience, 1, pipeline.MaxEpochs},
	} {
		if err := pipeline.CheckRange(n.name, n.value, n.least, n.most); err != nil {
			return err
		}
	}
	for _, width := range r.Config.Model.Units {
		if err := pipeline.CheckRange("units", width, 1, pipeline.MaxUnits); err != nil {
			return err
		}
	}
	if t.LearningRate < 0 || math.IsNaN(t.LearningRate) || math.IsInf(t.LearningRate, 0) {
		return bad("lr", t.LearningRate, "must be a number above 0")
	}
	if err := checkHyper(t.Hyper, t.MinDelta); err != nil {
		return err
	}
	if _, err := featureScale(t.FeatureScale); err != nil {
		return err
	}
	if err := checkMonitor(t.Monitor); err != nil {
		return err
	}
	if err := CheckRate(t.Rate); err != nil {
		return err
	}
	if !(t.Plateau.Factor >= 0 && t.Plateau.Factor < 1) {
		return bad("plateau-factor", t.Plateau.Factor, "must be from 0 to below 1")
	}
	if s := t.LabelSmoothing; !(s >= 0 && s < 1) {
		return bad("label-smoothing", s, "must be from 0 to below 1")
	}
	if t.StagesAuto && t.Monitor != "val_loss" && t.Monitor != "val_accuracy" {
		return pipeline.Errorf(pipeline.BadUsage, "%s auto %s %s: only val_loss and val_accuracy have a known noise", pipeline.Option("stage"), pipeline.Option("monitor"), t.Monitor)
	}
	if copies := t.Augmentation.Copies; copies > 0 && r.Cache.Off {
		return bad("augment-copies", copies, "needs the feature cache, which is off")
	}
	if err := checkSampling(t); err != nil {
		return err
	}
	if err := r.checkTune(); err != nil {
		return err
	}
	if r.Cluster != nil && (t.Tune != nil || r.Config.Data.OnBadImage == SkipBadImages) {
		return aloneOnly(t.Tune)
	}
	return r.Options.check()
}

// aloneOnly is the error for what the processes of a cluster cannot do together.
func aloneOnly(tune *rundir.Tune) error {
	if tune != nil {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %d: not in a cluster", pipeline.Option("tune"), tune.Settings)
		return pipeline.WithHint(err, "tune on one machine, where a trial takes about a second, and give the cluster what was found")
	}
	err := pipeline.Errorf(pipeline.BadUsage, "%s %s: not in a cluster", pipeline.Option("on-bad-image"), SkipBadImages)
	return pipeline.WithHint(err, "find bad images with tftl inspect, and remove them")
}

func (o Options) check() error {
	if o.MaxTime < 0 {
		return bad("max-time", o.MaxTime, "must be 0 or more")
	}
	if o.SaveEvery < 0 {
		return bad("checkpoint-every", o.SaveEvery, "must be 0 or more")
	}
	return pipeline.CheckRange("workers", o.Workers, 0, pipeline.MaxWorkers)
}

// bad is the error for an option with a bad value.
func bad(name pipeline.Option, value any, must string) error {
	return pipeline.Errorf(pipeline.BadUsage, "%s %v: %s", name, value, must)
}

// checkHyper returns an error if a hyperparameter is outside its range.
func checkHyper(h pipeline.Hyperparameters, minDelta float64) error {
	for _, f := range []struct {
		name         pipeline.Option
		value, below float64
	}{
		{"momentum", h.Momentum, 1},
		{"dropout", h.Dropout, 1},
		{"weight-decay", h.WeightDecay, math.Inf(1)},
		{"l2", h.L2, math.Inf(1)},
		{"clip-norm", h.ClipNorm, math.Inf(1)},
		{"min-delta", minDelta, math.Inf(1)},
	} {
		if f.value >= 0 && f.value < f.below {
			continue
		}
		if f.below == 1 {
			return bad(f.name, f.value, "must be from 0 to below 1")
		}
		return bad(f.name, f.value, "must be 0 or more")
	}
	return nil
}

// featureScale returns the number that Plan.FeatureScale means: 0 for auto, 1 for
// none.
func featureScale(text string) (float64, error) {
	switch text {
	case AutoFeatureScale:
		return 0, nil
	case NoFeatureScale:
		return 1, nil
	}
	scale, err := strconv.ParseFloat(text, 32)
	if err != nil || !(scale > 0) || math.IsInf(scale, 0) {
		return 0, bad("feature-scale", text, "must be auto, none or a number above 0")
	}
	return scale, nil
}

// checkMonitor returns an error if the history has no such metric. It would never
// improve.
func checkMonitor(name string) error {
	known := []string{"loss", "accuracy"}
	for _, m := range metrics.Monitored() {
		known = append(known, "val_"+m)
	}
	if !slices.Contains(known, name) {
		return pipeline.Errorf(pipeline.BadUsage, "%s %q: must be one of %s", pipeline.Option("monitor"), name, strings.Join(known, ", "))
	}
	return nil
}

// stopping returns the rule for early stopping. It depends only on the config, so
// that a resumed run decides as before.
func stopping(t rundir.Training) schedule.EarlyStopping {
	return schedule.EarlyStopping{
		Monitor: t.Monitor, Higher: !metrics.LowerIsBetter(strings.TrimPrefix(t.Monitor, "val_")), MinDelta: t.MinDelta, Patience: t.Patience,
		StartFromEpoch: t.StartFromEpoch,
	}
}

// DataOptions returns the options with which a run opens its data.
func DataOptions(config rundir.Config) dataset.Options {
	d := config.Data
	return dataset.Options{
		Validation: d.ValidationPath, Test: d.TestPath, FollowSymlinks: d.FollowSymlinks, AllowOutside: d.AllowOutside,
		Layout:  dataset.Layout(d.Layout),
		Classes: d.Classes, LimitPerClass: d.LimitPerClass, Fold: d.Fold, Split: d.Split, Exact: d.Exact, Seed: config.Seed,
	}
}
