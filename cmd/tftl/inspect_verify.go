package main

import (
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"tftl"
	"tftl/internal/printable"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// runVerify says of each file of a run or a model whether it is what was written.
func runVerify(t terminal, path string, asJSON bool) error {
	if !isModel(path) {
		return pipeline.Errorf(pipeline.BadUsage, "--verify: %s is neither a run nor a model", path)
	}
	var found []rundir.Checked
	run, model := rundir.Dir{Path: path}, path
	if rundir.Is(path) {
		found, model = run.Check(), run.Model()
		if !run.Sealed() {
			t.warn("run %s was made by an older version, which kept digests of its checkpoints only", printable.Text(path))
		}
	}
	if model == path || run.HasModel() {
		found = append(found, verifyModel(path, model))
	}
	if err := writeChecked(t, found, asJSON); err != nil {
		return err
	}
	damaged := 0
	for _, f := range found {
		if f.Problem != "" {
			damaged++
		}
	}
	if damaged > 0 {
		return pipeline.Errorf(pipeline.Other, "%s: damaged files: %d", path, damaged)
	}
	return nil
}

// verifyModel checks a model as a whole, which is the run itself or in it.
func verifyModel(run, model string) rundir.Checked {
	name, err := filepath.Rel(run, model)
	if err != nil {
		name = model
	}
	c := rundir.Checked{File: name}
	if err := tftl.CheckModel(model); err != nil {
		c.Problem = pipeline.ErrorText(err, flag)
	}
	return c
}

func writeChecked(t terminal, found []rundir.Checked, asJSON bool) error {
	if asJSON {
		return ui.WriteJSON(t.Out, found)
	}
	w := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	for _, f := range found {
		state := "intact"
		if f.Problem != "" {
			state = "damaged: " + printable.Text(f.Problem)
		}
		fmt.Fprintf(w, "%s\t%s\n", printable.Text(f.File), state)
	}
	return w.Flush()
}
