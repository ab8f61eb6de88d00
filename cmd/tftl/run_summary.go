package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"tftl/internal/atomicfile"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/workflow/batch"
)

// writePlan prints what --dry-run found.
func (r runRequest) writePlan(t terminal, jobs []*batch.Job) error {
	if r.json {
		type planned struct {
			Name   string      `json:"name"`
			Folder string      `json:"folder"`
			State  batch.State `json:"state"`
			Inputs string      `json:"inputs_sha256,omitempty"`
		}
		var list []planned
		for _, j := range jobs {
			list = append(list, planned{j.Name, j.Train.Output, j.State, j.Inputs})
		}
		return ui.WriteJSON(t.Out, map[string]any{"file": r.file, "output": r.Output, "runs": list})
	}
	table := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	left := 0
	for _, j := range jobs {
		fmt.Fprintf(table, "%s\t%d train, %d val, %d test\t%s\n", j.Name, j.Images[0], j.Images[1], j.Images[2], j.State)
		if j.State != batch.Done {
			left++
		}
	}
	fmt.Fprintf(table, "%d of %d runs to do, in %s\n", left, len(jobs), r.Output)
	return table.Flush()
}

// summary ranks the runs.
func (r runRequest) summary(jobs []*batch.Job) report.Batch {
	b := report.Batch{Name: r.file}
	var ranked []metrics.Run
	for _, j := range jobs {
		run := metrics.Run{Name: j.Name, Group: j.Group, Seed: j.Seed, Best: j.Best, Report: j.Report}
		one := report.BatchRun{Run: run, Folder: j.Name, State: string(j.State)}
		switch {
		case errors.Is(j.Err, context.Canceled):
			one.State = "interrupted"
		case j.Err != nil:
			one.State, one.Error = "failed", ui.OneLine(pipeline.ErrorText(j.Err, flag))
		}
		b.Runs, ranked = append(b.Runs, one), append(ranked, run)
	}
	b.Ranking = metrics.Rank(ranked, r.rankedBy)
	for _, v := range r.varied {
		b.Varied = append(b.Varied, report.Varied(v))
	}
	return b
}

// writeSummary writes the summary for people, programs and CI.
func (r runRequest) writeSummary(t terminal, b report.Batch, jobs []*batch.Job) error {
	err := errors.Join(
		atomicfile.Write(filepath.Join(r.Output, "summary.md"), b.Markdown),
		atomicfile.Write(filepath.Join(r.Output, "summary.json"), func(w io.Writer) error { return ui.WriteJSON(w, b) }),
		atomicfile.Write(filepath.Join(r.Output, "index.html"), b.HTML),
	)
	if r.junit != "" && err == nil {
		err = atomicfile.Write(r.junit, func(w io.Writer) error { return report.WriteJUnit(w, suites(b, jobs)...) })
	}
	switch {
	case err != nil:
		return err
	case r.json:
		return ui.WriteJSON(t.Out, b)
	}
	return b.WriteTable(t.Out)
}

// suites are a test suite per run: one case for the run itself, and one per gate.
func suites(b report.Batch, jobs []*batch.Job) []report.Suite {
	var all []report.Suite
	for i, run := range b.Runs {
		name := b.Name + " " + run.Name
		done := report.Case{Name: "trained and evaluated", Class: name, Seconds: jobs[i].Seconds, Error: run.Error}
		if run.Error == "" && run.Report == nil {
			done.Skipped = run.State
		}
		suite := report.Suite{Name: name, Cases: []report.Case{done}}
		if run.Report != nil {
			suite.Cases = append(suite.Cases, report.GateSuite(name, run.Report.Gates).Cases...)
		}
		all = append(all, suite)
	}
	return all
}
