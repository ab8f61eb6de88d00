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

// resolve returns a config completed with what the network decides.
func resolve(config rundir.Config, epochs int, info workflow.Info) (rundir.Config, error) {
	t := &config.Training
	if !slices.Contains(info.Optimizers, t.Hyper.Optimizer) {
		return config, pipeline.Errorf(pipeline.BadUsage, "%s %q: model %s has %s", pipeline.Option("optimizer"), t.Hyper.Optimizer, info.Path, strings.Join(info.Optimizers, ", "))
	}
	t.LearningRate = cmp.Or(t.LearningRate, info.LearningRate)
	if t.Sampler == ShuffleSampler {
		t.Sampler = "" // as in configurations of older runs
	}
	m := &config.Model
	var err error
	if m.Units, err = resolveUnits(m.Units, info); err != nil {
		return config, err
	}
	m.Backbone, m.WeightsOrigin, m.WeightsSHA256, m.Pooling = info.Backbone, info.WeightsOrigin, info.WeightsSHA256, info.Pooling
	m.Input = describeInput(info.Input)
	config.Runtime = info.Runtime
	t.Stages, err = resolveStages(*t, info, epochs)
	return config, err
}

// describeInput describes a network's input in words.
func describeInput(in workflow.Input) string {
	return fmt.Sprintf("%d x %d pixels, %s, %s, %s", in.Height, in.Width, in.Interpolation, cmp.Or(in.Fit, "stretch"), in.Preprocess)
}

// resolveUnits returns the width of each hidden layer of the head. A single given
// width is used for all layers.
func resolveUnits(units []int, info workflow.Info) ([]int, error) {
	given := strings.ReplaceAll(strings.Trim(fmt.Sprint(units), "[]"), " ", ",")
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
	case r.DecayEpochs < 1:
		return bad("decay-epochs", r.DecayEpochs, "must be 1 or more")
	case r.WarmupEpochs < 0:
		return bad("warmup-epochs", r.WarmupEpochs, "must be 0 or more")
	}
	return nil
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
//
// A stage below the head starts at a tenth of the default rate, because large
// steps would destroy its pretrained weights.
func resolveStages(training rundir.Training, info workflow.Info, epochs int) ([]rundir.Stage, error) {
	stages := slices.Clone(training.Stages)
	switch {
	case len(stages) > 0: // given, or from the resumed run
	case training.StagesAuto:
		for _, name := range info.Stages {
			stages = append(stages, rundir.Stage{Name: name, Rate: training.Rate})
		}
	default:
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
		if s.LearningRate == 0 {
			s.LearningRate = training.LearningRate
			if s.Name != HeadStage {
				s.LearningRate /= 10
			}
		}
	}
	return stages, nil
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
	if from := config.Model.InitFrom; from != nil {
		plan.InitFrom, plan.FreshHead = rundir.Dir{Path: from.Path}.Checkpoint(pipeline.Best), from.FreshHead
	}
	if t.StagesAuto {
		plan.Deeper = depth(t).Deeper
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
