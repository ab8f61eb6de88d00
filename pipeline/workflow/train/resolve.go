package train

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
	"tftl/pipeline/workflow"
)

// HeadStage is the name of the stage that trains only the head. Every network has
// it.
const HeadStage = "head"

// DeeperRate is the learning rate of stages below the head that do not set their
// own. Keras' guide to transfer learning fine-tunes with it: larger steps would
// destroy pretrained weights.
const DeeperRate = 1e-5

// DefaultWarmup as the WarmupEpochs of a request lets each stage choose: none for
// the head, and one epoch for stages below it. Their optimizer starts with empty
// moments, so its first steps are as long as the rate allows, on weights that are
// already good.
const DefaultWarmup = -1

// resolve returns a config completed with what the network decides.
func resolve(config rundir.Config, epochs int, info workflow.Info) (rundir.Config, error) {
	t := &config.Training
	if !slices.Contains(info.Optimizers, t.Hyper.Optimizer) {
		return config, pipeline.Errorf(pipeline.BadUsage, "%s %q: model %s has %s", pipeline.Option("optimizer"), t.Hyper.Optimizer, info.Path, strings.Join(info.Optimizers, ", "))
	}
	if t.Sampler == ShuffleSampler {
		t.Sampler = "" // as in configurations of older runs
	}
	if !info.NewHead {
		if err := olderHead(t, info.Path); err != nil {
			return config, err
		}
	}
	m := &config.Model
	var err error
	if m.Units, err = resolveUnits(m.Units, info); err != nil {
		return config, err
	}
	m.Backbone, m.WeightsOrigin, m.WeightsSHA256, m.Pooling = info.Backbone, info.WeightsOrigin, info.WeightsSHA256, info.Pooling
	m.Input = describeInput(info.Input)
	config.Runtime = info.Runtime
	if t.Stages, err = resolveStages(*t, info, epochs); err != nil {
		return config, err
	}
	t.HeadFeaturesFrom = headFeaturesFrom(config, info)
	t.LearningRate = cmp.Or(t.LearningRate, info.LearningRate)
	t.Rate.WarmupEpochs = max(t.Rate.WarmupEpochs, 0)
	return config, nil
}

// olderHead takes what an older export can do instead of the defaults.
func olderHead(t *rundir.Training, path string) error {
	if t.FeatureScale == AutoFeatureScale {
		t.FeatureScale = NoFeatureScale
	}
	if t.FeatureScale != NoFeatureScale {
		err := pipeline.Errorf(pipeline.BadModel, "%s %s: model %s cannot scale features: it was exported by an older version", pipeline.Option("feature-scale"), t.FeatureScale, path)
		return pipeline.WithHint(err, "export it again")
	}
	t.OutputInit = GlorotOutput
	return nil
}

// describeInput describes a network's input in words.
func describeInput(in workflow.Input) string {
	return fmt.Sprintf("%d x %d pixels, %s, %s, %s", in.Height, in.Width, in.Interpolation, cmp.Or(in.Fit, "stretch"), in.Preprocess)
}

// resolveUnits returns the width of each hidden layer of the head. A single given
// width is used for all layers.
func resolveUnits(units []int, info workflow.Info) ([]int, error) {
	given := pipeline.Widths(units)
	switch {
	case info.Hidden == 0 && len(units) > 0:
		return nil, bad("units", given, fmt.Sprintf("model %s has a head without hidden layers (%s)", info.Path, info.Pooling))
	case len(units) == 0:
		units = []int{256}
	case len(units) > 1 && len(units) != info.Hidden:
		return nil, bad("units", given, fmt.Sprintf("model %s has %d hidden layers", info.Path, info.Hidden))
	}
	if len(units) == 1 {
		units = slices.Repeat(units, info.Hidden)
	}
	return units, nil
}

// CheckRate returns an error if a schedule makes no sense.
func CheckRate(r rundir.Rate) error {
	schedules := []string{"constant", "step", "exponential", "cosine"}
	switch {
	case !slices.Contains(schedules, r.Schedule):
		return pipeline.Errorf(pipeline.BadUsage, "%s %q: must be one of %s", pipeline.Option("schedule"), r.Schedule, strings.Join(schedules, ", "))
	case !(r.DecayRate > 0 && r.DecayRate <= 1):
		return bad("decay-rate", r.DecayRate, "must be above 0 and at most 1")
	case r.WarmupEpochs < DefaultWarmup:
		return bad("warmup-epochs", r.WarmupEpochs, "must be 0 or more")
	}
	if err := pipeline.CheckRange("decay-epochs", r.DecayEpochs, 1, pipeline.MaxEpochs); err != nil {
		return err
	}
	return pipeline.CheckRange("warmup-epochs", r.WarmupEpochs, DefaultWarmup, pipeline.MaxEpochs)
}

// rate returns a stage's learning rate as a function of the step.
func rate(s rundir.Stage, stepsPerEpoch int) pipeline.Schedule {
	warmup := s.WarmupEpochs * stepsPerEpoch
	var rate pipeline.Schedule
	switch s.Schedule {
	case "cosine":
		rate = schedule.Cosine(s.LearningRate, max(s.Epochs*stepsPerEpoch-warmup, 1))
	case "exponential", "step":
		rate = schedule.Exponential(s.LearningRate, s.DecayRate, s.DecayEpochs*stepsPerEpoch, s.Schedule == "step")
	default:
		rate = schedule.Constant(s.LearningRate)
	}
	if warmup > 0 {
		rate = schedule.Warmup(s.LearningRate, warmup, rate)
	}
	return rate
}

// resolveStages fills in epochs and rates, and checks that the network has the
// stages and that each is at least as deep as the one before.
func resolveStages(training rundir.Training, info workflow.Info, epochs int) ([]rundir.Stage, error) {
	stages := slices.Clone(training.Stages)
	switch {
	case training.StagesAuto && (len(stages) == 0 || stages[0].Name == AutoStage):
		stages = autoStages(append(stages, rundir.Stage{Rate: training.Rate})[0], training.Rate, info.Stages)
	case len(stages) == 0:
		stages = []rundir.Stage{{Name: HeadStage, Rate: training.Rate}}
	}
	depth := -1
	for i := range stages {
		s := &stages[i]
		at := slices.Index(info.Stages, s.Name)
		if at < 0 {
			return nil, pipeline.Errorf(pipeline.BadUsage, "%s %q: the stages of model %s are %s", pipeline.Option("stage"), s.Name, info.Path, strings.Join(info.Stages, ", "))
		}
		if at < depth {
			return nil, bad("stage", s.Name, "comes after a deeper stage, which trains layers that this one freezes: order stages from shallow to deep")
		}
		depth = at
		s.Epochs = cmp.Or(s.Epochs, epochs)
		rate, warmup := DeeperRate, 1
		if s.Name == HeadStage {
			rate, warmup = cmp.Or(training.LearningRate, info.LearningRate), 0
		}
		if s.LearningRate == 0 && training.LearningRate > 0 && stages[0].Name != HeadStage {
			err := bad("lr", training.LearningRate, "is the rate of the head, which no stage trains by itself")
			return nil, pipeline.WithHint(err, "set the rate of a deeper stage with %s %s:lr=%v", pipeline.Option("stage"), s.Name, training.LearningRate)
		}
		s.LearningRate = cmp.Or(s.LearningRate, rate)
		if s.WarmupEpochs < 0 {
			s.WarmupEpochs = warmup
		}
	}
	return stages, nil
}

// autoStages returns a stage for each depth of a network: the head with the run's
// rate, the others like deeper.
func autoStages(deeper rundir.Stage, head rundir.Rate, names []string) []rundir.Stage {
	stages := make([]rundir.Stage, len(names))
	for i, name := range names {
		if stages[i] = deeper; name == HeadStage {
			stages[i] = rundir.Stage{Rate: head}
		}
		stages[i].Name = name
	}
	return stages
}

// plan returns the plan of the training loop for a run's config. epochLength is the
// number of images that an epoch trains on.
func plan(config rundir.Config, classes []string, epochLength int) pipeline.Plan {
	t := config.Training
	watch := stopping(t)
	plan := pipeline.Plan{
		Classes: len(classes), Units: config.Model.Units, Seed: config.Seed, BatchSize: t.BatchSize, Watch: watch.Watch,
		ClassWeights: byLabel(t.ClassWeights, classes), LabelSmoothing: t.LabelSmoothing,
	}
	plan.FeatureScale, _ = featureScale(t.FeatureScale) // was checked
	plan.OutputScale = 1
	if t.OutputInit == SmallOutput {
		plan.OutputScale = smallOutput(config.Model.Units)
	}
	if from := config.Model.InitFrom; from != nil {
		plan.InitFrom, plan.FreshHead = rundir.Dir{Path: from.Path}.Checkpoint(pipeline.Best), from.FreshHead
	}
	if t.StagesAuto {
		depth := schedule.Depth{Monitor: watch.Monitor, Higher: watch.Higher}
		plan.Watch, plan.Deeper = depth.Watch(watch.Watch), depth.Deeper
	}
	for _, s := range t.Stages {
		stage := pipeline.StagePlan{Stage: s.Name, Epochs: s.Epochs, Hyper: t.Hyper}
		stage.Schedule = rate(s, (epochLength+t.BatchSize-1)/t.BatchSize)
		if t.Plateau.Factor > 0 {
			stage.Scale = schedule.Plateau{
				Monitor: watch.Monitor, Higher: watch.Higher, MinDelta: watch.MinDelta, Patience: t.Plateau.Patience, Factor: t.Plateau.Factor,
			}.Scale
		}
		plan.Stages = append(plan.Stages, stage)
	}
	return plan
}

// smallOutput is the output scale of a head that starts small. Behind an output
// layer of zeros, hidden layers would learn next to nothing at first.
func smallOutput(units []int) float64 {
	if len(units) > 0 {
		return 0.1
	}
	return 0
}
