package main

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/pipeline"
	numbers "tftl/pipeline/curve"
	"tftl/pipeline/workflow/train"
)

// curveFlags are the flags of curve alone.
func curveFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "sizes", Usage: "train on these numbers of images, such as 50,100,200,400, and on all", DefaultText: "6, from a sixteenth to all"},
		&cli.IntFlag{Name: "seeds", Value: numbers.DefaultSeeds, Usage: "heads for each number of images, each on other images"},
		commandline.Offer(&cli.StringFlag{Name: "metric", Value: numbers.Accuracy, Usage: "what to predict: accuracy or balanced_accuracy, of the validation part"}, numbers.Accuracy, numbers.BalancedAccuracy),
		&cli.Float64Flag{Name: "width", Usage: "say how many test images a 95% interval of this width takes, from end to end: 0.02 is ±0.01", DefaultText: "not asked"},
		&cli.Float64Flag{Name: "accuracy", Usage: "for --width, take this accuracy instead of measuring one", DefaultText: "measured"},
		outputFlag("write curve.html, curve.csv and curve.json into `DIR`", ""),
		jsonFlag(resultAsJSON),
	}
}

// headFlags are the flags of fit about training, apart from those about stages.
func headFlags() []cli.Flag {
	return slices.DeleteFunc(learningFlags(), func(f cli.Flag) bool {
		return slices.Contains([]string{"stage", "tune", "tune-folds"}, f.Names()[0])
	})
}

// configureHead reads them.
func configureHead(c *cli.Context, r *train.Request) error {
	defaults := *r
	if err := configureTraining(c, r); err != nil {
		return err
	}
	r.ClassWeights, r.Config.Training.Augmentation = defaults.ClassWeights, defaults.Config.Training.Augmentation
	return nil
}

// checkOutputFolder refuses what is no folder, and one whose own folder is missing.
func checkOutputFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return pipeline.Errorf(pipeline.BadUsage, "%s %s: exists and is not a folder", pipeline.Option("output"), dir)
	case err == nil:
		return nil
	}
	return checkFolder("output", dir)
}

// parseSizes reads numbers of images: 50,100,200.
func parseSizes(text string) (sizes []int, err error) {
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, invalid("sizes", text, "must be whole numbers separated by commas, such as 50,100,200,400")
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}
