package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// AutoStage as the only stage of a request stands for the head and all deeper
// stages, as far as they help. Its options are those of the deeper ones.
const AutoStage = "auto"

// ParseStages reads the stages of a run, each in the form
// NAME[:epochs=N][,lr=RATE] and so on. What a text does not set comes from run.
// auto is true if validation decides how deep to train.
func ParseStages(texts []string, run rundir.Rate) (stages []rundir.Stage, auto bool, err error) {
	for _, text := range texts {
		stage, err := parseStage(text, run)
		if err != nil {
			return nil, false, err
		}
		stages = append(stages, stage)
		auto = auto || stage.Name == AutoStage
	}
	if auto && len(stages) > 1 {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %s: must be the only stage", pipeline.Option("stage"), AutoStage)
		return nil, false, pipeline.WithHint(err, "it trains the head with %s and %s; the options after %s: are for deeper stages",
			pipeline.Option("lr"), pipeline.Option("epochs"), AutoStage)
	}
	return stages, auto, nil
}

func parseStage(text string, run rundir.Rate) (rundir.Stage, error) {
	name, options, _ := strings.Cut(text, ":")
	stage := rundir.Stage{Name: name, Rate: run}
	var err error
	for option := range strings.SplitSeq(options, ",") {
		if options == "" || err != nil {
			break
		}
		err = setStageOption(&stage, option)
	}
	switch {
	case name == "":
		err = errors.New("has no stage name")
	case err == nil:
		err = CheckRate(stage.Rate)
	}
	if err != nil {
		return stage, pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "%s %q: %w", pipeline.Option("stage"), text, errors.New(err.Error())),
			"such as %s head:epochs=10,lr=1e-3 %[1]s block5:epochs=5,lr=1e-5", pipeline.Option("stage"))
	}
	return stage, nil
}

func setStageOption(stage *rundir.Stage, option string) error {
	key, value, _ := strings.Cut(option, "=")
	whole, notWhole := strconv.Atoi(value)
	number, notNumber := strconv.ParseFloat(value, 64)
	switch {
	case key == "epochs" && notWhole == nil && whole > 0 && whole <= pipeline.MaxEpochs:
		stage.Epochs = whole
	case key == "lr" && notNumber == nil && number > 0 && !math.IsInf(number, 0):
		stage.LearningRate = number
	case key == "schedule":
		stage.Schedule = value
	case key == "decay-rate" && notNumber == nil:
		stage.DecayRate = number
	case key == "decay-epochs" && notWhole == nil:
		stage.DecayEpochs = whole
	case key == "warmup-epochs" && notWhole == nil && whole >= 0:
		stage.WarmupEpochs = whole
	case slices.Contains(stageOptions(), key):
		return fmt.Errorf("%q: bad value: epochs must be whole numbers from 1 to %d (0 for no warm-up), rates numbers above 0", option, pipeline.MaxEpochs)
	default:
		return fmt.Errorf("%q: must be one of %s", option, strings.Join(stageOptions(), ", "))
	}
	return nil
}

// stageOptions lists the options of a stage.
func stageOptions() []string {
	return []string{"epochs", "lr", "schedule", "decay-rate", "decay-epochs", "warmup-epochs"}
}
