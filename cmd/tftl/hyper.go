package main

import (
	"math"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
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
		&cli.IntFlag{Name: "units", Usage: "width of the head's hidden layer", DefaultText: "256", Category: trainFlags},
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
