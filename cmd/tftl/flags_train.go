package main

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/pipeline/metrics"
)

const defaultSaveEvery = 30 * time.Second

// learningFlags are the flags of fit about epochs, stages and learning rates.
func learningFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "epochs", Value: 30, Usage: "maximum number of epochs per stage", Category: trainFlags},
		&cli.StringSliceFlag{Name: "stage", Usage: "train a stage, `SPEC`: NAME[:epochs=N][,lr=RATE][,schedule=…]; repeat it to train deeper, first the head, then upper blocks, whose rate is 1e-5 unless given. auto goes deeper as long as --monitor, val_loss or val_accuracy, improves by more than its noise; its options are for the stages below the head (default: head)", Category: trainFlags},
		&cli.Float64Flag{Name: "lr", Usage: "learning rate of the head", DefaultText: "the model's", Category: trainFlags},
		commandline.Offer(&cli.StringFlag{Name: "schedule", Value: "constant", Usage: "learning rate over a stage: constant, step, exponential or cosine", Category: trainFlags}, "constant", "step", "exponential", "cosine"),
		&cli.Float64Flag{Name: "decay-rate", Value: 0.1, Usage: "multiply the learning rate by this every --decay-epochs, for step and exponential", Category: trainFlags},
		&cli.IntFlag{Name: "decay-epochs", Value: 5, Usage: "apply --decay-rate once per this many epochs, for step and exponential", Category: trainFlags},
		&cli.IntFlag{Name: "warmup-epochs", Usage: "epochs of linear warm-up at the start of each stage", DefaultText: "1 below the head, else 0", Category: trainFlags},
		&cli.Float64Flag{Name: "plateau-factor", Usage: "multiply the learning rate by this when --monitor stops improving; 0 for never", Category: trainFlags},
		&cli.IntFlag{Name: "plateau-patience", Value: 3, Usage: "epochs without improvement before --plateau-factor applies", Category: trainFlags},
		&cli.IntFlag{Name: "tune", Usage: "before training, try `N` settings of --lr, --l2, --dropout and --units with the head, and train with the one that has the best --monitor; what is given is not searched; 0 for no search", Category: trainFlags},
		&cli.IntFlag{Name: "tune-folds", Usage: "for --tune, compare settings by the mean over `K` folds of the training and validation parts together, except the last few; takes K times as long; 0 for no folds", Category: trainFlags},
		trainingSeedFlag(),
		monitorFlag(),
		&cli.IntFlag{Name: "patience", Value: 5, Usage: "end a stage after this many epochs without improvement; 0 for never", Category: trainFlags},
		&cli.Float64Flag{Name: "min-delta", Usage: "smallest change of --monitor that counts as improvement", Category: trainFlags},
		&cli.IntFlag{Name: "start-from-epoch", Usage: "ignore this many epochs at the start of a stage, for --patience", Category: trainFlags},
	}
}

func monitorFlag() cli.Flag {
	names := metrics.Monitored()
	for i, name := range names {
		names[i] = "val_" + name
	}
	usage := "metric that selects the best epoch: " + strings.Join(names, ", ")
	return commandline.Offer(&cli.StringFlag{Name: "monitor", Value: "val_loss", Usage: usage, Category: trainFlags}, names...)
}

func trainingSeedFlag() cli.Flag {
	return seedFlag("the head's weights, the order of the images, augmentation, dropout and --split-exact", trainFlags)
}

// newHyperFlags are the hyperparameters of a training step apart from the
// learning rate, and the width of the head.
func newHyperFlags() []cli.Flag {
	return []cli.Flag{
		commandline.Offer(&cli.StringFlag{Name: "optimizer", Value: "adam", Usage: "adam, sgd, rmsprop, adamw or nesterov", Category: trainFlags}, "adam", "sgd", "rmsprop", "adamw", "nesterov"),
		&cli.Float64Flag{Name: "momentum", Usage: "momentum of sgd, rmsprop and nesterov", Category: trainFlags},
		&cli.Float64Flag{Name: "weight-decay", Usage: "decoupled weight decay", DefaultText: "0.004 for adamw, else 0", Category: trainFlags},
		&cli.Float64Flag{Name: "l2", Usage: "add the sum of squares of the head's kernels times this to the loss", Category: trainFlags},
		&cli.Float64Flag{Name: "clip-norm", Usage: "clip gradients to this global norm; 0 for no clipping", Category: trainFlags},
		&cli.Float64Flag{Name: "dropout", Usage: "dropout rate before the output layer", Category: trainFlags},
		commandline.Offer(&cli.StringFlag{Name: "feature-scale", Value: "auto", Usage: "divide the head's inputs by `X`: a number, auto for their standard deviation over the training part, or none", Category: trainFlags}, "auto", "none"),
		commandline.Offer(&cli.StringFlag{Name: "output-init", Value: "small", Usage: "how the output layer starts: small, with all classes about equally likely, or glorot, random as in Keras", Category: trainFlags}, "small", "glorot"),
		&cli.StringFlag{Name: "units", Usage: "width of the head's hidden layers: one number for all, or one per layer, such as 512,256", DefaultText: "256", Category: trainFlags},
	}
}

// newBalanceFlags change how often an image is trained on, and its training loss.
func newBalanceFlags() []cli.Flag {
	return []cli.Flag{
		commandline.Offer(&cli.StringFlag{Name: "sampler", Value: "shuffle", Usage: "images of an epoch: shuffle, each once; or balanced, each class equally often, as many images in all", Category: trainFlags}, "shuffle", "balanced"),
		commandline.Offer(&cli.StringFlag{Name: "class-weights", Value: "none", Usage: "weight of each class in the training loss: none; balanced, which is images / (classes x images of the class); or a CSV `FILE` of label,weight. Validation is never weighted", Category: trainFlags}, "none", "balanced"),
		&cli.Float64Flag{Name: "label-smoothing", Usage: "smooth training targets by `S`: 1-S+S/classes for the true class and S/classes for the others. Validation is never smoothed", Category: trainFlags},
	}
}

func newCacheFlags() []cli.Flag {
	return cacheFlagsOf("disk, ram, or off, which runs the frozen part in every epoch", "are computed again in every epoch", "disk", "ram", "off")
}

// headsCacheFlags are for commands that train many heads on the same features.
func headsCacheFlags() []cli.Flag {
	return cacheFlagsOf("disk or ram", "are computed again in every epoch", "disk", "ram")
}

// cacheFlagsOf takes what the places mean, what happens to features that do not fit,
// and the places.
func cacheFlagsOf(places, others string, offered ...string) []cli.Flag {
	return []cli.Flag{
		commandline.Offer(&cli.StringFlag{Name: "cache", Value: "disk", Usage: "where to cache features: " + places, Category: cacheFlags}, offered...),
		&cli.StringFlag{Name: "cache-dir", Usage: "keep the cache in `DIR`; runs can share it", DefaultText: "tftl/features in the user's cache folder", Category: cacheFlags},
		&cli.StringFlag{Name: "cache-size", Value: "10GB", Usage: "limit the size of the cache; features that do not fit " + others, Category: cacheFlags},
	}
}
