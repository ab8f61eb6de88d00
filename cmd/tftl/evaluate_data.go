package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
)

// open finds the data set, and fills in the subset. own says that it is the
// run's: its parts are then those that were recorded when the run began, so
// that nothing is measured on what was trained on, wherever the folder is now.
func (o *evaluateOptions) open(ctx context.Context) (set *dataset.Set, own bool, err error) {
	given := o.subset
	o.subset = cmp.Or(given, "test")
	other := func() (*dataset.Set, error) {
		set, err := dataset.OpenLabelled(o.data, o.dataset)
		if err == nil && given == "" && set.Train.Len()+set.Validation.Len() == 0 {
			o.subset = "all" // what has no parts is all in test
		}
		return set, err
	}
	if !rundir.Is(o.model) {
		if o.data == "" {
			return nil, false, pipeline.Errorf(pipeline.BadUsage, "--data is missing: %s is no run that could tell it", o.model)
		}
		set, err := other()
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
	options.Layout = cmp.Or(o.dataset.Layout, options.Layout)
	options.Columns = o.dataset.Columns
	data, err := filepath.Abs(o.data)
	if err != nil {
		return nil, false, err
	}
	needed := []string{o.subset}
	if o.decision.fit || o.decision.f1 {
		needed = append(needed, "val")
	}
	set, ownErr := openRecorded(run, o.data, options, needed...)
	moved := data != config.Data.Path
	if ownErr != nil && !moved {
		return nil, false, ownErr
	}
	if ownErr == nil {
		if own, err := o.isRuns(ctx, run, set, moved); own || err != nil {
			return set, true, err
		}
	}
	if set, err = other(); err != nil {
		return nil, false, err
	}
	return set, false, o.warnOfTrained(ctx, run, set)
}

// isRuns says whether a data set with a run's names is the run's own and not
// another one's of the same names: what is to be measured then is what it was,
// or, of a run without such a part, what it was trained on. A few images that
// changed are a warning.
func (o *evaluateOptions) isRuns(ctx context.Context, run rundir.Dir, set *dataset.Set, moved bool) (bool, error) {
	part, err := set.Subset(o.subset)
	if err != nil {
		return false, err
	}
	if moved && part.Len() == 0 {
		part = set.Train
	}
	others, err := changed(ctx, run, part, o.workers, nil)
	if len(others) > 0 {
		set.Warnings = append(set.Warnings, fmt.Sprintf("%d of %d images are no longer what they were when the run began: %s", len(others), part.Len(), few(others)))
	}
	return !moved || part.Len() > 0 && 2*len(others) <= part.Len(), err
}

// warnOfTrained says how many of the images to measure, of another data set, are ones that the run was
// trained on, under whatever name; and how many could be, by their path and class:
// stored anew, an image has other bytes.
func (o *evaluateOptions) warnOfTrained(ctx context.Context, run rundir.Dir, set *dataset.Set) error {
	record, err := os.ReadFile(run.File("data.csv"))
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "run: %w", err)
	}
	rows, err := csv.NewReader(bytes.NewReader(record)).ReadAll()
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "run: %s: %w", run.File("data.csv"), err)
	}
	was, err := readContents(run)
	if err != nil {
		return err
	}
	trained, contents := map[[2]string]bool{}, map[string]bool{} // by path and class, and by SHA-256
	for _, row := range rows {
		if len(row) == 3 && row[2] == "train" {
			trained[[2]string(row)], contents[was[row[0]]] = true, true
		}
	}
	part, err := set.Subset(o.subset)
	if err != nil {
		return err
	}
	var sums [][sha256.Size]byte
	if was != nil {
		if sums, err = part.Contents(ctx, o.workers, nil); err != nil {
			return err
		}
	}
	named, same := 0, 0
	for i := range part.Len() {
		s := part.Sample(i)
		switch {
		case was != nil && contents[hex.EncodeToString(sums[i][:])]:
			same++
		case trained[[2]string{s.ID, set.Classes[s.Label]}]:
			named++
		}
	}
	if same > 0 {
		set.Warnings = append(set.Warnings, fmt.Sprintf("%d images are ones that the run was trained on: the figures are too good", same))
	}
	if named > 0 {
		set.Warnings = append(set.Warnings, fmt.Sprintf("%d images have the path and the class of one that the run was trained on: "+
			"where they are the same, the figures are too good", named))
	}
	return nil
}

// openRecorded opens a run's data set with its parts as they were recorded. An
// image of the needed parts that is gone is an error.
func openRecorded(run rundir.Dir, data string, options dataset.Options, needed ...string) (*dataset.Set, error) {
	record, err := os.Open(run.File("data.csv"))
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "run: %w", err)
	}
	defer record.Close()
	set, err := dataset.OpenRecorded(data, options, record, needed...)
	if err != nil && pipeline.HintOf(err).Empty() {
		err = pipeline.WithHint(err, "--data says where the run's data is now")
	}
	return set, err
}
