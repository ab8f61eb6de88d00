package main

import (
	"time"

	"github.com/urfave/cli/v2"
)

const defaultSaveEvery = 30 * time.Second

// learningFlags are fit's, about the course of the training.
func learningFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "epochs", Value: 10, Usage: "most epochs per stage", Category: trainFlags},
		&cli.StringSliceFlag{Name: "stage", Usage: "`SPEC` is NAME[:epochs=N][,lr=RATE][,schedule=…]; repeat it to train deeper: the head, then the upper blocks by name at a small rate; or auto, which goes deeper while --monitor gains more than its noise (default: head)", Category: trainFlags},
		&cli.Float64Flag{Name: "lr", Usage: "learning rate", DefaultText: "the model's", Category: trainFlags},
		&cli.StringFlag{Name: "schedule", Value: "constant", Usage: "learning rate over a stage: constant, step, exponential or cosine", Category: trainFlags},
		&cli.Float64Flag{Name: "decay-rate", Value: 0.1, Usage: "factor on the learning rate every --decay-epochs, for step and exponential", Category: trainFlags},
		&cli.IntFlag{Name: "decay-epochs", Value: 5, Usage: "epochs per factor --decay-rate, for step and exponential", Category: trainFlags},
		&cli.IntFlag{Name: "warmup-epochs", Usage: "epochs of linear warm-up", Category: trainFlags},
		&cli.Float64Flag{Name: "plateau-factor", Usage: "multiply the learning rate by this when --monitor stops improving; 0 for never", Category: trainFlags},
		&cli.IntFlag{Name: "plateau-patience", Value: 3, Usage: "epochs without improvement before --plateau-factor applies", Category: trainFlags},
		trainingSeedFlag(),
		&cli.StringFlag{Name: "monitor", Value: "val_loss", Usage: "metric that selects the best epoch", Category: trainFlags},
		&cli.IntFlag{Name: "patience", Value: 5, Usage: "stop after this many epochs without improvement; 0 for never", Category: trainFlags},
		&cli.Float64Flag{Name: "min-delta", Usage: "smallest change of --monitor that counts as improvement", Category: trainFlags},
		&cli.IntFlag{Name: "start-from-epoch", Usage: "epochs at the start of a stage that --patience does not count", Category: trainFlags},
	}
}

func trainingSeedFlag() cli.Flag {
	return seedFlag("the head's weights, the order of the images, augmentation, dropout and --split-exact", trainFlags)
}

// newHyperFlags are what a training step takes besides its learning rate, and
// the width of the head.
func newHyperFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "optimizer", Value: "adam", Usage: "adam, sgd, rmsprop, adamw or nesterov", Category: trainFlags},
		&cli.Float64Flag{Name: "momentum", Usage: "momentum of sgd, rmsprop and nesterov", Category: trainFlags},
		&cli.Float64Flag{Name: "weight-decay", Usage: "decoupled weight decay", DefaultText: "0.004 for adamw, else 0", Category: trainFlags},
		&cli.Float64Flag{Name: "l2", Usage: "add this times the sum of squares of the head's kernels to the loss", Category: trainFlags},
		&cli.Float64Flag{Name: "clip-norm", Usage: "largest global norm of the gradients; 0 for no limit", Category: trainFlags},
		&cli.Float64Flag{Name: "dropout", Usage: "dropout rate before the output layer", Category: trainFlags},
		&cli.StringFlag{Name: "units", Usage: "width of the head's hidden layers: one number for all, or one for each, such as 512,256", DefaultText: "256", Category: trainFlags},
	}
}

// newBalanceFlags change what the training loss of an image counts.
func newBalanceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "class-weights", Value: "none", Usage: "weight of each class in the training loss: none; balanced, images / (classes x images of the class); or a CSV `FILE` of label,weight. Validation is never weighted", Category: trainFlags},
		&cli.Float64Flag{Name: "label-smoothing", Usage: "train towards 1-S+S/classes for the class of an image and S/classes for the others. Validation is never smoothed", Category: trainFlags},
	}
}

func newCacheFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "cache", Value: "disk", Usage: "where to keep features: disk, ram, or off, which runs the frozen part in every epoch", Category: cacheFlags},
		&cli.StringFlag{Name: "cache-dir", Usage: "keep the cache in `DIR`, which runs share", DefaultText: "tftl/features in the user's cache folder", Category: cacheFlags},
		&cli.StringFlag{Name: "cache-size", Value: "10GB", Usage: "largest size of the cache; features that do not fit are computed again in every epoch", Category: cacheFlags},
	}
}
