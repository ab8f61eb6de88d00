package main

import (
	"encoding/csv"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/pipeline/audit/findings"
	"tftl/pipeline/dataset"
	"tftl/pipeline/workflow/train"
)

func dataFlag(otherwise string) cli.Flag {
	return &cli.StringFlag{Name: "data", Usage: "read images from `DATA`: " + dataset.Usage(dataset.Kinds()), DefaultText: otherwise, Category: dataFlags}
}

// partFlags name separate parts and say how to split data without parts.
func partFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "val-data", Usage: "read the validation part from `DATA`, if it is separate", Category: dataFlags},
		&cli.StringFlag{Name: "test-data", Usage: "read the test part from `DATA`, if it is separate", Category: dataFlags},
	}, splitFlags()...)
}

func splitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "split", Value: "0.7,0.15,0.15", Usage: "fractions of train, validation and test, if DATA has no parts; a hash of an image's name or group decides its part", Category: dataFlags},
		&cli.BoolFlag{Name: "split-exact", Usage: "split each class into exact sizes, drawn by --seed; adding images then moves others", Category: dataFlags},
	}
}

// foldFlag says which fold to hold out.
func foldFlag() cli.Flag {
	return &cli.IntFlag{Name: "fold", Usage: "use fold `K` of the manifest as the test part, regardless of its split column; tftl split --folds writes folds", DefaultText: "none", Category: dataFlags}
}

// manifestFlags are the flags of split alone.
func manifestFlags() []cli.Flag {
	return []cli.Flag{
		outputFlag("write the manifest to `FILE.csv`", ""),
		&cli.BoolFlag{Name: "force", Usage: "replace an existing file"},
		jsonFlag(resultAsJSON),
		commandline.Offer(&cli.StringFlag{Name: "by", Usage: "what decides an image's part: name; content, which keeps copies together; or group, a manifest column that keeps a burst or a subject together", DefaultText: "group if DATA has groups, else name", Category: dataFlags}, "name", "content", "group"),
		&cli.IntFlag{Name: "folds", Usage: "also write a column fold that assigns every image to one of the folds 0 to `K`-1; 0 for none", Category: dataFlags},
	}
}

// sourceFlags say how to read a data set.
func sourceFlags() []cli.Flag {
	return append([]cli.Flag{
		commandline.Offer(&cli.StringFlag{Name: "layout", Value: "auto", Usage: "what the folders in DATA are: parts (train, val and test, with class folders inside); classes, whatever their names; or auto, which decides by names and contents", Category: dataFlags}, "auto", "parts", "classes"),
	}, fileFlags()...)
}

// fileFlags say which files may be read.
func fileFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "follow-symlinks", Usage: "follow links to folders", Category: dataFlags},
		&cli.BoolFlag{Name: "allow-outside", Usage: "allow files outside the manifest's folder", Category: dataFlags},
	}
}

// choiceFlags select images.
func choiceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "classes", Usage: "use only these classes, separated by commas", DefaultText: "all", Category: dataFlags},
		&cli.IntFlag{Name: "limit-per-class", Usage: "use at most this many images per class, selected by a hash of their names; 0 for all", Category: dataFlags},
	}
}

// newBadImageFlag says what to do with an image that cannot be decoded.
func newBadImageFlag() cli.Flag {
	return commandline.Offer(&cli.StringFlag{
		Name: "on-bad-image", Value: train.FailOnBadImage, Category: dataFlags,
		Usage: "what to do if an image cannot be decoded: fail, or skip, which checks all images first, leaves bad ones out and lists them",
	}, train.FailOnBadImage, train.SkipBadImages)
}

// excludeFlag leaves out what an audit found.
func excludeFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "exclude", Usage: "leave the images out of training and validation that `AUDIT.csv` of tftl audit lists, or only those of one kind: audit.csv:label-error; may be repeated. The test part stays as it is", Category: dataFlags}
}

// newExclude reads the flag of excludeFlag.
func newExclude(c *cli.Context) (selections []findings.Selection, err error) {
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	for _, text := range c.StringSlice("exclude") {
		s, err := findings.ParseSelection(text, exists)
		if err != nil {
			return nil, err
		}
		selections = append(selections, s)
	}
	return selections, nil
}

// answeredFlag is that flag of predict, which lists nothing in advance.
func answeredFlag() cli.Flag {
	return commandline.Offer(&cli.StringFlag{
		Name: "on-bad-image", Value: train.FailOnBadImage, Category: dataFlags,
		Usage: "what to do if an image cannot be classified: fail, which reports it and ends with exit code 3 after the others; or skip, which leaves it out with a warning",
	}, train.FailOnBadImage, train.SkipBadImages)
}

// evaluatedFlags say which model evaluate measures, and on which images.
func evaluatedFlags() []cli.Flag {
	return []cli.Flag{
		modelFlag("use the run or SavedModel in `DIR`"),
		dataFlag("the run's own"),
		commandline.Offer(&cli.StringFlag{Name: "part", Usage: "evaluate this part: train, val, test or all", DefaultText: "test, or all if the data has no parts", Category: dataFlags}, "train", "val", "test", "all"),
		commandline.OldName("subset", "part"),
		&cli.StringSliceFlag{Name: "slice", Usage: "also report metrics for each value of this manifest `COLUMN`; may be repeated", Category: dataFlags},
		&cli.StringFlag{Name: "unfamiliar", Usage: "measure how well novelty tells the images in `DIR`, which show other things, from familiar ones", Category: dataFlags},
		&cli.BoolFlag{Name: "common-classes", Usage: "leave out classes that the data or the model lacks", Category: dataFlags},
	}
}

// newDatasetOptions reads the data flags that the command has.
func newDatasetOptions(c *cli.Context) (o dataset.Options, err error) {
	o = dataset.Options{
		Validation: c.String("val-data"), Test: c.String("test-data"),
		FollowSymlinks: c.Bool("follow-symlinks"), AllowOutside: c.Bool("allow-outside"),
		LimitPerClass: c.Int("limit-per-class"), Exact: c.Bool("split-exact"), Seed: c.Uint64("seed"),
	}
	if text := c.String("classes"); text != "" {
		in := csv.NewReader(strings.NewReader(text)) // a name with a comma is quoted
		in.TrimLeadingSpace = true
		if o.Classes, err = in.Read(); err != nil {
			return o, invalid("classes", text, "must be names separated by commas")
		}
	}
	switch layout := c.String("layout"); layout {
	case "", "auto":
	case string(dataset.LayoutParts), string(dataset.LayoutClasses):
		o.Layout = dataset.Layout(layout)
	default:
		return o, invalid("layout", layout, "must be auto, parts or classes")
	}
	if err := atLeast(c, 0, "limit-per-class", "fold"); err != nil {
		return o, err
	}
	if c.IsSet("fold") {
		fold := c.Int("fold")
		o.Fold = &fold
	}
	if text := c.String("split"); text != "" {
		o.Split, err = parseSplit(text)
	}
	return o, err
}

// parseSplit reads three fractions: 0.7,0.15,0.15.
func parseSplit(text string) (split [3]float64, err error) {
	parts := strings.Split(text, ",")
	bad := invalid("split", text, "must be three fractions, for train, validation and test, such as 0.7,0.15,0.15")
	if len(parts) != 3 {
		return split, bad
	}
	for i, part := range parts {
		if split[i], err = strconv.ParseFloat(strings.TrimSpace(part), 64); err != nil {
			return split, bad
		}
	}
	return split, nil
}
