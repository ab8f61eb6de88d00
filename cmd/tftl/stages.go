package main

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

// parseStage reads one --stage: NAME[:epochs=N][,lr=RATE]. What it does not
// say is left zero.
func parseStage(text string) (rundir.Stage, error) {
	name, options, _ := strings.Cut(text, ":")
	stage := rundir.Stage{Name: name}
	bad := func(why string) (rundir.Stage, error) {
		return stage, pipeline.WithHint(
			pipeline.Errorf(pipeline.BadUsage, "--stage %q: %s", text, why), "such as --stage head:epochs=10,lr=1e-3 --stage block5:epochs=5,lr=1e-5")
	}
	if name == "" {
		return bad("no stage is named")
	}
	for option := range strings.SplitSeq(options, ",") {
		if options == "" {
			break
		}
		key, value, _ := strings.Cut(option, "=")
		var err error
		switch key {
		case "epochs":
			if stage.Epochs, err = strconv.Atoi(value); err != nil || stage.Epochs < 1 {
				return bad("epochs must be 1 or more")
			}
		case "lr":
			if stage.LearningRate, err = strconv.ParseFloat(value, 64); err != nil || !(stage.LearningRate > 0) || math.IsInf(stage.LearningRate, 0) {
				return bad("lr must be a number above 0")
			}
		default:
			return bad("knows epochs and lr, not " + strconv.Quote(key))
		}
	}
	return stage, nil
}

// resolveStages fills in epochs and rates, and checks that the model has the
// stages and that they only go deeper.
//
// A stage below the head begins at a tenth of the head's default rate: its
// weights are trained ones, and large steps would undo them.
func resolveStages(stages []rundir.Stage, model *savedmodels.Model, epochs int, rate float64) ([]rundir.Stage, error) {
	stages = slices.Clone(stages)
	if len(stages) == 0 {
		stages = []rundir.Stage{{Name: "head"}}
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
