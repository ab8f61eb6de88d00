package main

import (
	"context"
	"os"
	"path/filepath"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/dataset/check"
	"tftl/pipeline/features"
	"tftl/pipeline/pixels"
	"tftl/pipeline/rundir"
)

// isModel tells a run or a SavedModel from a data set.
func isModel(path string) bool {
	_, err := os.Stat(filepath.Join(path, "saved_model.pb"))
	return err == nil || rundir.Is(path)
}

// runInspectData checks a data set. What would spoil a run is an error, after
// everything has been told.
func runInspectData(ctx context.Context, t terminal, path string, options dataset.Options, workers int, asJSON bool) error {
	set, err := dataset.Open(path, options)
	if err != nil {
		return err
	}
	t.describe(set)
	decoder, err := pixels.NewDecoder(pixels.Options{Height: check.Side, Width: check.Side, Interpolation: "area", Workers: 1})
	if err != nil {
		return err
	}
	defer decoder.Close()
	progress := newProgress(t, rundir.Dir{})
	report, err := check.Run(ctx, set, check.Reader{Header: header, Decode: decoder.Decode, Workers: workers}, progress.event)
	progress.end()
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(t.out, report)
	} else {
		err = report.WriteTable(t.out)
	}
	if err != nil {
		return err
	}
	switch n := report.Spoiled(); n {
	case 0:
		return nil
	case 1:
		return pipeline.Errorf(pipeline.BadData, "%s: one problem would spoil a run", path)
	default:
		return pipeline.Errorf(pipeline.BadData, "%s: %d problems would spoil a run", path, n)
	}
}

func header(encoded []byte) check.Header {
	h, _ := pixels.ReadHeader(encoded) // decoding says what is wrong
	t := pixels.ReadTraits(encoded)
	return check.Header{
		Format: h.Format, Width: h.Width, Height: h.Height,
		Orientation: t.Orientation, Depth16: t.Depth16, Transparent: t.Transparent,
	}
}

// warnOfImbalance is what of the check is told before every run; of classes that
// a part lacks, opening the data set has warned.
func (t terminal) warnOfImbalance(set *dataset.Set) {
	for _, f := range check.Counts(set).Findings {
		if f.Kind == check.Imbalance {
			t.warn("%s (--class-weights balanced)", f.Detail)
		}
	}
}

// warnOfShared is the other part of it: the images that train and validation
// have in common, as far as the feature cache has hashed them anyway.
func (t terminal) warnOfShared(train, validation *features.Source) {
	trained := make(map[features.Digest]string, train.Len())
	for i := range train.Len() {
		trained[train.Digest(i)] = train.Sample(i).ID
	}
	delete(trained, features.Digest{})
	shared, example := 0, ""
	for i := range validation.Len() {
		if id, ok := trained[validation.Digest(i)]; ok {
			if shared++; shared == 1 {
				example = id + " = " + validation.Sample(i).ID
			}
		}
	}
	if shared > 0 {
		t.warn("images of validation that train has, too, so that the figures flatter: %d, such as %s (tftl inspect lists them)", shared, example)
	}
}
