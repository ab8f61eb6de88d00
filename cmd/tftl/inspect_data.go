package main

import (
	"context"
	"os"
	"path/filepath"

	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/dataset/check"
	"tftl/pipeline/pixels"
	"tftl/pipeline/rundir"
)

// isModel says whether a path is a run or a SavedModel, not a data set.
func isModel(path string) bool {
	_, err := os.Stat(filepath.Join(path, "saved_model.pb"))
	return err == nil || rundir.Is(path)
}

// runInspectData checks a data set. It prints all findings, and then returns an
// error if something would spoil a run.
func runInspectData(ctx context.Context, t terminal, path string, options dataset.Options, workers int, asJSON bool) error {
	set, err := dataset.Open(path, options)
	if err != nil {
		return err
	}
	env, shown := environment(t)
	defer shown.end()
	env.DescribeData(set)
	decoder, err := pixels.NewDecoder(pixels.Options{Height: check.Side, Width: check.Side, Interpolation: "area", Workers: 1})
	if err != nil {
		return err
	}
	defer decoder.Close()
	report, err := check.Run(ctx, set, check.Reader{Header: header, Decode: decoder.Decode, Workers: workers}, env.Progress)
	shown.end()
	if err != nil {
		return err
	}
	for _, warning := range set.Warnings {
		report.Warnings = append(report.Warnings, warning.Text(flag))
	}
	if asJSON {
		err = ui.WriteJSON(t.Out, report)
	} else {
		err = report.WriteTable(t.Out, flag)
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
	h, _ := pixels.ReadHeader(encoded) // an error here comes up again in decoding
	t := pixels.ReadTraits(encoded)
	return check.Header{
		Format: h.Format, Width: h.Width, Height: h.Height,
		Orientation: t.Orientation, Depth16: t.Depth16, Transparent: t.Transparent,
	}
}
