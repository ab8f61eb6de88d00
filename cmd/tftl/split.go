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
	"tftl/internal/printable"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// splitOptions are what `tftl split` was asked for.
type splitOptions struct {
	data    string
	dataset dataset.Options
	output  string
	force   bool
	folds   int // 0 for none
	json    bool
}

func newSplitCommand() *cli.Command {
	return &cli.Command{
		Name:      "split",
		Usage:     "split data into parts by writing a manifest",
		ArgsUsage: "DATA",
		Description: "DATA is " + dataset.Usage(dataset.FileKinds()) + `.
No file is moved. The manifest is for --data of fit and evaluate. It has the columns
path, label and split, if needed weight, group and fold, and all other columns of a
manifest DATA. A hash decides parts and folds, so adding images moves no others.

   tftl split photos --output photos.csv
   tftl split list.csv --output parts.csv --by group --folds 5`,
		Flags: slices.Concat(
			manifestFlags(), splitFlags(), []cli.Flag{seedFlag("--split-exact", dataFlags)}, choiceFlags(), sourceFlags(), commonFlags(),
		),
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
		return o, usageError(c, fmt.Errorf("expected one data set, got %d", c.NArg()), false)
	}
	if err := requireFlags(c, "output"); err != nil {
		return o, err
	}
	o = splitOptions{data: c.Args().First(), output: c.String("output"), force: c.Bool("force"), folds: c.Int("folds"), json: c.Bool("json")}
	if !strings.EqualFold(filepath.Ext(o.output), ".csv") {
		return o, invalid("output", o.output, "must end in .csv")
	}
	if o.folds != 0 {
		if err := within(c, 2, dataset.MaxFolds, "folds"); err != nil {
			return o, err
		}
	}
	if err := checkFolder("output", o.output); err != nil {
		return o, err
	}
	o.dataset, err = newDatasetOptions(c)
	o.dataset.By, o.dataset.AllColumns = dataset.By(c.String("by")), true
	return o, err
}

// runSplit runs the command, after its flags are parsed.
func runSplit(t terminal, o splitOptions) error {
	if _, err := os.Lstat(o.output); err == nil && !o.force {
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "%s %s: already exists", pipeline.Option("output"), o.output), "%s replaces it", pipeline.Option("force"))
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	set, err := dataset.Open(o.data, o.dataset)
	if err != nil {
		return err
	}
	env, shown := environment(t)
	defer shown.end()
	env.DescribeData(set)
	var folds map[string]int
	if o.folds > 0 {
		if folds, err = set.Folds(o.folds, o.dataset); err != nil {
			return err
		}
	}
	var outside bool
	err = atomicfile.Write(o.output, func(w io.Writer) error {
		outside, err = set.WriteManifest(w, filepath.Dir(o.output), folds)
		return err
	})
	if err != nil {
		return err
	}
	if outside {
		t.say("hint: the images are outside the manifest's folder: --data %s needs --allow-outside", o.output)
	}
	if o.json {
		return ui.WriteJSON(t.Out, map[string]any{
			"manifest": o.output, "outside": outside, "classes": set.Classes, "folds": o.folds,
			"train": set.Train.Len(), "val": set.Validation.Len(), "test": set.Test.Len(),
		})
	}
	_, err = printable.Fprintf(t.Out, "%s: %d train, %d val, %d test\n", o.output, set.Train.Len(), set.Validation.Len(), set.Test.Len())
	return err
}
