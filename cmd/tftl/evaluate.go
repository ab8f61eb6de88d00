package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

// resamples is how many times the bootstrap draws the test part anew.
const resamples = 1000

// evaluateOptions are what `tftl evaluate` was asked for.
type evaluateOptions struct {
	model     string
	data      string // empty: the run's
	dataset   dataset.Options
	subset    string // empty: test, or all of a folder without parts
	common    bool
	plain     savedmodels.Plain
	batchSize int
	workers   int
	onBad     string // fail or skip
	json      bool
}

func newEvaluateCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`DIR` of a run or of a SavedModel"},
		&cli.StringFlag{Name: "data", Usage: "`DATA` as fit takes it", DefaultText: "the run's own", Category: dataFlags},
		&cli.StringFlag{Name: "subset", Usage: "train, val, test or all", DefaultText: "test, or all where the folder has no parts", Category: dataFlags},
		&cli.BoolFlag{Name: "common-classes", Usage: "leave out classes that the data or the model lacks", Category: dataFlags},
		&cli.BoolFlag{Name: "json", Usage: "one JSON document"},
	}
	return &cli.Command{
		Name:  "evaluate",
		Usage: "measure a trained model on photographs that it was not trained on",
		Description: `A run is measured on the test part of its own data, as it was recorded when the run
began; evaluation.json and predictions.csv are then kept in the run's folder.

   tftl evaluate --model runs/first
   tftl evaluate --model runs/first --data other-photos
   tftl evaluate --model keras-model --data photos --output probabilities --labels labels.txt`,
		Flags: slices.Concat(flags, sourceFlags(), []cli.Flag{newBadImageFlag()}, plainModelFlags(), batchFlags(), runtimeFlags()),
		Action: func(c *cli.Context) error {
			o := evaluateOptions{
				model: c.String("model"), data: c.String("data"), subset: c.String("subset"), common: c.Bool("common-classes"),
				batchSize: c.Int("batch-size"), workers: c.Int("workers"), json: c.Bool("json"),
			}
			err := requireFlags(c, "model")
			if err == nil {
				err = noArguments(c)
			}
			if err == nil {
				err = atLeast(c, 1, "batch-size")
			}
			if err == nil {
				o.plain, err = newPlain(c)
			}
			if err == nil {
				o.onBad, err = onBadImage(c)
			}
			if err == nil {
				o.dataset, err = newDatasetOptions(c)
			}
			if err != nil {
				return err
			}
			r, err := resolveRuntime(c)
			if err != nil {
				return err
			}
			return runEvaluate(c.Context, newTerminal(c), o, r)
		},
	}
}

// runEvaluate is the command without its command line.
func runEvaluate(ctx context.Context, t terminal, o evaluateOptions, r *savedmodels.Runtime) error {
	predictor, err := openPredictor(o.model, o.plain, r)
	if err != nil {
		return err
	}
	defer predictor.Close()
	set, own, err := o.open()
	if err != nil {
		return err
	}
	if set, err = set.Relabel(predictor.Labels, o.common); err != nil {
		return err
	}
	part, skipped, err := screenOne(ctx, t, set, o.subset, o.onBad, o.workers)
	if err != nil {
		return err
	}
	if part.Len() == 0 {
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "the %s part is empty", o.subset), "--subset names another, --data another folder")
	}
	t.describe(set)
	t.say("subset %s: %d images", o.subset, part.Len())
	predictions, err := predict(ctx, t, predictor, part, o.batchSize, o.workers)
	if err != nil {
		return err
	}
	table := metrics.Table{Classes: predictor.Labels, Predictions: predictions}
	report, err := metrics.Evaluate(table, metrics.Options{Resamples: resamples})
	if err != nil {
		return err
	}
	if own && o.subset == "test" {
		run := rundir.Dir{Path: o.model}
		if err := keepEvaluation(run, report, table); err != nil {
			return err
		}
		if err := writeBadImages(run.File("evaluation-"+badImagesFile), o.onBad, skipped); err != nil {
			return err
		}
	}
	if len(skipped) > 0 {
		t.warn("bad images that were skipped, and that no figure covers: %d", len(skipped))
	}
	if o.json {
		return writeJSON(t.out, report)
	}
	return report.WriteTable(t.out)
}

// open finds the data set, and fills in the subset. own says that it is the
// run's: its parts are then those that were recorded when the run began, so
// that nothing is measured on what was trained on, wherever the folder is now.
func (o *evaluateOptions) open() (set *dataset.Set, own bool, err error) {
	if o.subset == "" {
		o.subset = "test"
	}
	if !rundir.Is(o.model) {
		if o.data == "" {
			return nil, false, pipeline.Errorf(pipeline.BadUsage, "--data is missing: %s is no run that could tell it", o.model)
		}
		set, err := dataset.OpenLabelled(o.data, o.dataset) // what has no parts is all in test
		return set, false, err
	}
	run := rundir.Dir{Path: o.model}
	config, err := run.ReadConfig()
	if err != nil {
		return nil, false, pipeline.Errorf(pipeline.BadModel, "run: %w", err)
	}
	if o.data == "" {
		o.data = config.Data.Path
	}
	options := datasetOptions(config)
	options.FollowSymlinks = options.FollowSymlinks || o.dataset.FollowSymlinks
	options.AllowOutside = options.AllowOutside || o.dataset.AllowOutside
	set, ownErr := openRecorded(run, o.data, options)
	if ownErr == nil {
		return set, true, nil
	}
	data, err := filepath.Abs(o.data)
	if err != nil {
		return nil, false, err
	}
	if data == config.Data.Path {
		return nil, false, ownErr
	}
	if set, err = dataset.OpenLabelled(o.data, o.dataset); err != nil {
		return nil, false, err
	}
	return set, false, warnOfTrained(run, set)
}

// warnOfTrained says how many images of another data set could be ones that the
// run was trained on: those with the same path and class. They are, where the
// run's own data was moved and changed.
func warnOfTrained(run rundir.Dir, set *dataset.Set) error {
	record, err := os.ReadFile(run.File("data.csv"))
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "run: %w", err)
	}
	rows, err := csv.NewReader(bytes.NewReader(record)).ReadAll()
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "run: %s: %w", run.File("data.csv"), err)
	}
	trained := map[[2]string]bool{} // path and class
	for _, row := range rows {
		if len(row) == 3 && row[2] == "train" {
			trained[[2]string(row)] = true
		}
	}
	all, err := set.Subset("all")
	if err != nil {
		return err
	}
	n := 0
	for i := range all.Len() {
		if s := all.Sample(i); trained[[2]string{s.ID, set.Classes[s.Label]}] {
			n++
		}
	}
	if n > 0 {
		set.Warnings = append(set.Warnings, fmt.Sprintf("%d images have the path and the class of one that the run was trained on: "+
			"where they are the same, the figures are too good", n))
	}
	return nil
}

// openRecorded opens a run's data set with its parts as they were recorded.
func openRecorded(run rundir.Dir, data string, options dataset.Options) (*dataset.Set, error) {
	record, err := os.Open(run.File("data.csv"))
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "run: %w", err)
	}
	defer record.Close()
	return dataset.OpenRecorded(data, options, record)
}

// keepEvaluation writes the test figures into the run's folder.
func keepEvaluation(run rundir.Dir, report metrics.Report, table metrics.Table) error {
	if err := run.WriteJSON("evaluation.json", report); err != nil {
		return err
	}
	return atomicfile.Write(run.File("predictions.csv"), func(w io.Writer) error {
		return table.Write(w, report.Decision)
	})
}
