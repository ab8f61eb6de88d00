package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
	"tftl/savedmodels"
)

// parseStage reads one --stage: NAME[:epochs=N][,lr=RATE] and so on. What it
// does not say is as for the whole run.
func parseStage(text string, run rundir.Rate) (rundir.Stage, error) {
	name, options, _ := strings.Cut(text, ":")
	stage := rundir.Stage{Name: name, Rate: run}
	var err error
	for option := range strings.SplitSeq(options, ",") {
		if options == "" || err != nil {
			break
		}
		key, value, _ := strings.Cut(option, "=")
		whole, notWhole := strconv.Atoi(value)
		number, notNumber := strconv.ParseFloat(value, 64)
		switch {
		case key == "epochs" && notWhole == nil && whole > 0:
			stage.Epochs = whole
		case key == "lr" && notNumber == nil && number > 0 && !math.IsInf(number, 0):
			stage.LearningRate = number
		case key == "schedule":
			stage.Schedule = value
		case key == "decay-rate" && notNumber == nil:
			stage.DecayRate = number
		case key == "decay-epochs" && notWhole == nil:
			stage.DecayEpochs = whole
		case key == "warmup-epochs" && notWhole == nil:
			stage.WarmupEpochs = whole
		case slices.Contains(stageOptions(), key):
			err = fmt.Errorf("%q: the value makes no sense: epochs are whole numbers of 1 or more, rates numbers above 0", option)
		default:
			err = fmt.Errorf("%q: it knows %s", option, strings.Join(stageOptions(), ", "))
		}
	}
	switch {
	case name == "auto":
		err = errors.New("auto stands alone, without options")
	case name == "":
		err = errors.New("no stage is named")
	case err == nil:
		err = checkRate(stage.Rate)
	}
	if err != nil {
		return stage, pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "--stage %q: %w", text, err),
			"such as --stage head:epochs=10,lr=1e-3 --stage block5:epochs=5,lr=1e-5")
	}
	return stage, nil
}

// stageOptions are what a --stage may say.
func stageOptions() []string {
	return []string{"epochs", "lr", "schedule", "decay-rate", "decay-epochs", "warmup-epochs"}
}

func checkRate(r rundir.Rate) error {
	schedules := []string{"constant", "step", "exponential", "cosine"}
	switch {
	case !slices.Contains(schedules, r.Schedule):
		return pipeline.Errorf(pipeline.BadUsage, "schedule %q: must be one of %s", r.Schedule, strings.Join(schedules, ", "))
	case !(r.DecayRate > 0 && r.DecayRate <= 1):
		return pipeline.Errorf(pipeline.BadUsage, "decay-rate %v: must be above 0 and at most 1", r.DecayRate)
	case r.DecayEpochs < 1:
		return pipeline.Errorf(pipeline.BadUsage, "decay-epochs %d: must be 1 or more", r.DecayEpochs)
	case r.WarmupEpochs < 0:
		return pipeline.Errorf(pipeline.BadUsage, "warmup-epochs %d: must be 0 or more", r.WarmupEpochs)
	}
	return nil
}

// newSchedule is a stage's learning rate by the step; an epoch has so many.
func newSchedule(s rundir.Stage, stepsPerEpoch int) pipeline.Schedule {
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

// resolveStages fills in epochs and rates, and checks that the model has the
// stages and that they only go deeper.
//
// A stage below the head begins at a tenth of the head's default rate: its
// weights are trained ones, and large steps would undo them.
func resolveStages(training rundir.Training, model *savedmodels.Model, epochs int) ([]rundir.Stage, error) {
	stages, rate := slices.Clone(training.Stages), training.LearningRate
	switch {
	case len(stages) > 0: // given, or those of the run that is resumed
	case training.StagesAuto:
		for _, info := range model.Description.Stages {
			stages = append(stages, rundir.Stage{Name: info.Name, Rate: training.Rate})
		}
	default:
		stages = []rundir.Stage{{Name: "head", Rate: training.Rate}}
	}
	depth := -1
	for i := range stages {
		s := &stages[i]
		if _, err := model.Stage(s.Name); err != nil {
			return nil, err
		}
		at := slices.IndexFunc(model.Description.Stages, func(info savedmodels.StageInfo) bool { return info.Name == s.Name })
		if at < depth {
			return nil, pipeline.Errorf(pipeline.BadUsage, "--stage %s: comes after a deeper one: what lies below a stage's cut must be as the run began with it", s.Name)
		}
		depth = at
		if s.Epochs == 0 {
			s.Epochs = epochs
		}
		if s.LearningRate == 0 {
			s.LearningRate = rate
			if s.Name != "head" {
				s.LearningRate = rate / 10
			}
		}
	}
	return stages, nil
}
