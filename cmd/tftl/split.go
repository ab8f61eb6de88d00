package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// splitOptions are what `tftl split` was asked for.
type splitOptions struct {
	data    string
	dataset dataset.Options
	output  string
	force   bool
	folds   int // 0: none
	json    bool
}

func newSplitCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "the manifest that is written, a `FILE.csv`"},
		&cli.BoolFlag{Name: "force", Usage: "replace a file that is there"},
		&cli.BoolFlag{Name: "json", Usage: "the result as one JSON document"},
		&cli.StringFlag{Name: "split", Value: "0.7,0.15,0.15", Usage: "fractions of train, validation and test where DATA does not tell them apart", Category: dataFlags},
		&cli.StringFlag{Name: "by", Usage: "name; content, which keeps copies of a file together; or group, a manifest's column, which keeps a burst or a subject together", DefaultText: "group where DATA has groups, name elsewhere", Category: dataFlags},
		&cli.BoolFlag{Name: "split-exact", Usage: "exact sizes, class by class, by name and --seed; adding images moves others", Category: dataFlags},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of --split-exact", Category: dataFlags},
		&cli.IntFlag{Name: "folds", Usage: "a column of folds too, from 0 to `K`-1, over all images; 0 for none", Category: dataFlags},
	}
	return &cli.Command{
		Name:      "split",
		Usage:     "write down which image is in which part, and move nothing",
		ArgsUsage: "DATA",
		Description: `DATA is class folders or a manifest. The manifest that is written has the columns
path, label and split, weight, group and fold where there are such, and a manifest's own;
fit and evaluate take it as --data. Parts and folds go by a hash, so that no image changes its own when
others are added.

   tftl split photos --output photos.csv
   tftl split list.csv --output parts.csv --by group --folds 5`,
		Flags: slices.Concat(flags, choiceFlags(), sourceFlags(), commonFlags()),
		Action: func(c *cli.Context) error {
			o, err := newSplitOptions(c)
			if err != nil {
				return err
			}
			return runSplit(newTerminal(c), o)
		},
	}
}

func newSplitOptions(c *cli.Context) (o splitOptions, err error) {
	if c.NArg() != 1 {
		return o, usageError(c, fmt.Errorf("one data set is to be named, not %d", c.NArg()), false)
	}
	if err := requireFlags(c, "output"); err != nil {
		return o, err
	}
	o = splitOptions{data: c.Args().First(), output: c.String("output"), force: c.Bool("force"), folds: c.Int("folds"), json: c.Bool("json")}
	if !strings.EqualFold(filepath.Ext(o.output), ".csv") {
		return o, pipeline.Errorf(pipeline.BadUsage, "--output %s: a manifest's name ends in .csv", o.output)
	}
	if o.folds != 0 && o.folds < 2 {
		return o, pipeline.Errorf(pipeline.BadUsage, "--folds %d: must be 2 or more", o.folds)
	}
	o.dataset, err = newDatasetOptions(c)
	o.dataset.By = dataset.By(c.String("by"))
	return o, err
}

// runSplit is the command without its command line.
func runSplit(t terminal, o splitOptions) error {
	if _, err := os.Lstat(o.output); err == nil && !o.force {
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "--output %s: is there already", o.output), "--force replaces it")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	further, err := dataset.OwnColumns(o.data)
	if err != nil {
		return err
	}
	o.dataset.Columns = further
	set, err := dataset.Open(o.data, o.dataset)
	if err != nil {
		return err
	}
	t.describe(set)
	var folds map[string]int
	if o.folds > 0 {
		if folds, err = set.Folds(o.folds, o.dataset); err != nil {
			return err
		}
	}
	var outside bool
	err = atomicfile.Write(o.output, func(w io.Writer) error {
		outside, err = set.WriteManifest(w, filepath.Dir(o.output), folds, further)
		return err
	})
	if err != nil {
		return err
	}
	if outside {
		t.say("hint: the images lie outside the manifest's folder: --data %s needs --allow-outside", o.output)
	}
	if o.json {
		return writeJSON(t.out, map[string]any{
			"manifest": o.output, "outside": outside, "classes": set.Classes, "folds": o.folds,
			"train": set.Train.Len(), "val": set.Validation.Len(), "test": set.Test.Len(),
		})
	}
	_, err = fmt.Fprintf(t.out, "%s: %d train, %d val, %d test\n", o.output, set.Train.Len(), set.Validation.Len(), set.Test.Len())
	return err
}
