package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"tftl/internal/atomicfile"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/workflow/batch"
)

// writePlan prints what --dry-run found.
func (r runRequest) writePlan(t terminal, jobs []*batch.Job) error {
	plan := report.Plan{File: r.file, Output: r.Output}
	for _, j := range jobs {
		plan.Runs = append(plan.Runs, report.PlannedRun{
			Name: j.Name, Folder: j.Train.Output, State: string(j.State), Inputs: j.Inputs, Images: j.Images, Done: j.State == batch.Done,
		})
	}
	if r.json {
		return ui.WriteJSON(t.Out, plan)
	}
	return plan.WriteTable(t.Out)
}

// summary ranks the runs.
func (r runRequest) summary(jobs []*batch.Job) report.Batch {
	b := report.Batch{Name: r.file}
	var ranked []metrics.Run
	for _, j := range jobs {
		run := metrics.Run{Name: j.Name, Group: j.Group, Seed: j.Seed, Best: j.Best, Report: j.Report}
		one := report.BatchRun{Run: run, Folder: j.Name, State: string(j.State), Seconds: j.Seconds}
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
func (r runRequest) writeSummary(t terminal, b report.Batch) error {
	err := errors.Join(
		atomicfile.Write(filepath.Join(r.Output, "summary.md"), b.Markdown),
		atomicfile.Write(filepath.Join(r.Output, "summary.json"), func(w io.Writer) error { return ui.WriteJSON(w, b) }),
		atomicfile.Write(filepath.Join(r.Output, "index.html"), b.HTML),
	)
	if r.junit != "" && err == nil {
		err = atomicfile.Write(r.junit, func(w io.Writer) error { return report.WriteJUnit(w, b.Suites()...) })
	}
	switch {
	case err != nil:
		return err
	case r.json:
		return ui.WriteJSON(t.Out, b)
	}
	return b.WriteTable(t.Out)
}
