package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/savedmodels"
)

// newHyperFlags are what a training step takes beside its learning rate, and the
// width of the head.
func newHyperFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "optimizer", Value: "adam", Usage: "adam, sgd, rmsprop, adamw or nesterov", Category: trainFlags},
		&cli.Float64Flag{Name: "momentum", Usage: "of sgd, rmsprop and nesterov, which is sgd without it", Category: trainFlags},
		&cli.Float64Flag{Name: "weight-decay", Usage: "decoupled", DefaultText: "0.004 for adamw, else 0", Category: trainFlags},
		&cli.Float64Flag{Name: "l2", Usage: "times the sum of squares of the head's kernels", Category: trainFlags},
		&cli.Float64Flag{Name: "clip-norm", Usage: "largest global norm of the gradients; 0 for any", Category: trainFlags},
		&cli.Float64Flag{Name: "dropout", Usage: "rate before the output layer", Category: trainFlags},
		&cli.StringFlag{Name: "units", Usage: "width of the head's hidden layers: one for all of them, or 512,256 and so on for each", DefaultText: "256", Category: trainFlags},
	}
}

func newHyper(c *cli.Context) pipeline.Hyperparameters {
	hyper := pipeline.Hyperparameters{
		Optimizer: c.String("optimizer"), Momentum: c.Float64("momentum"), WeightDecay: c.Float64("weight-decay"),
		L2: c.Float64("l2"), ClipNorm: c.Float64("clip-norm"), Dropout: c.Float64("dropout"),
	}
	if hyper.Optimizer == "adamw" && !c.IsSet("weight-decay") {
		hyper.WeightDecay = 0.004 // keras.optimizers.AdamW's default: without decay it is Adam
	}
	return hyper
}

func checkHyper(h pipeline.Hyperparameters, minDelta float64) error {
	for _, f := range []struct {
		name  string
		value float64
		below float64
	}{
		{"momentum", h.Momentum, 1},
		{"dropout", h.Dropout, 1},
		{"weight-decay", h.WeightDecay, math.Inf(1)},
		{"l2", h.L2, math.Inf(1)},
		{"clip-norm", h.ClipNorm, math.Inf(1)},
		{"min-delta", minDelta, math.Inf(1)},
	} {
		if !(f.value >= 0 && f.value < f.below) {
			limit := "0 or more"
			if f.below == 1 {
				limit = "from 0 to below 1"
			}
			return pipeline.Errorf(pipeline.BadUsage, "--%s %v: must be %s", f.name, f.value, limit)
		}
	}
	return nil
}

// parseUnits reads the widths of hidden layers: 256, or 512,256.
func parseUnits(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var units []int
	for part := range strings.SplitSeq(text, ",") {
		width, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || width < 1 || width > math.MaxInt32 {
			return nil, pipeline.Errorf(pipeline.BadUsage, "--units %q: must be whole numbers of 1 or more, separated by commas", text)
		}
		units = append(units, width)
	}
	return units, nil
}

// resolveUnits gives each hidden layer of the model's head its width: one that
// is given alone is every layer's.
func resolveUnits(units []int, model *savedmodels.Model) ([]int, error) {
	head := model.Description.Head
	given := strings.ReplaceAll(strings.Trim(fmt.Sprint(units), "[]"), " ", ",")
	switch {
	case head.Hidden == 0 && len(units) > 0:
		return nil, pipeline.Errorf(pipeline.BadUsage, "--units %s: model %s has a head without hidden layers (%s)", given, model.Dir, head.Pooling)
	case len(units) == 0:
		units = []int{256}
	case len(units) > 1 && len(units) != head.Hidden:
		return nil, pipeline.Errorf(pipeline.BadUsage, "--units %s: model %s has %d hidden layers", given, model.Dir, head.Hidden)
	}
	if len(units) == 1 {
		units = slices.Repeat(units, head.Hidden)
	}
	return units, nil
}
