package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/report"
)

// writePlan prints what --dry-run found.
func (o batchOptions) writePlan(t terminal, jobs []*job) error {
	if o.json {
		type planned struct {
			Name   string   `json:"name"`
			Folder string   `json:"folder"`
			State  jobState `json:"state"`
			Inputs string   `json:"inputs_sha256"`
		}
		var list []planned
		for _, j := range jobs {
			list = append(list, planned{j.Name, j.fit.output, j.state, j.inputs})
		}
		return writeJSON(t.out, map[string]any{"file": o.file.Path, "output": o.output, "runs": list})
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	left := 0
	for _, j := range jobs {
		fmt.Fprintf(table, "%s\t%d train, %d val, %d test\t%s\n", j.Name, j.images[0], j.images[1], j.images[2], j.state)
		if j.state != isDone {
			left++
		}
	}
	fmt.Fprintf(table, "%d of %d runs to do, in %s\n", left, len(jobs), o.output)
	return table.Flush()
}

// summary is what the runs came to.
func (o batchOptions) summary(jobs []*job) report.Batch {
	b := report.Batch{Name: o.file.Path, RankedBy: o.rankedBy}
	for _, j := range jobs {
		one := report.BatchRun{Name: j.Name, Group: j.Group, Folder: j.Name, State: string(j.state), Best: j.best, Report: j.report}
		switch {
		case errors.Is(j.err, context.Canceled):
			one.State = "interrupted"
		case j.err != nil:
			one.State, one.Error = "failed", oneLine(pipeline.ErrorText(j.err, flag))
		}
		b.Runs = append(b.Runs, one)
	}
	return b
}

// oneLine is an error as a person reads it: joined ones have a line each.
func oneLine(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ") }

// writeSummary writes the summary, for whoever reads it.
func (o batchOptions) writeSummary(t terminal, b report.Batch, jobs []*job) error {
	if err := os.MkdirAll(o.output, 0o755); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	err := errors.Join(
		atomicfile.Write(filepath.Join(o.output, "summary.md"), b.Markdown),
		atomicfile.Write(filepath.Join(o.output, "summary.json"), func(w io.Writer) error { return writeJSON(w, b) }),
		atomicfile.Write(filepath.Join(o.output, "index.html"), b.HTML),
	)
	if o.junit != "" && err == nil {
		err = atomicfile.Write(o.junit, func(w io.Writer) error { return report.WriteJUnit(w, suites(b, jobs)...) })
	}
	switch {
	case err != nil:
		return err
	case o.json:
		return writeJSON(t.out, b)
	}
	return b.WriteTable(t.out)
}

// suites are a test suite for each run: a case that it was done, and one for
// each of its gates.
func suites(b report.Batch, jobs []*job) []report.Suite {
	var all []report.Suite
	for i, run := range b.Runs {
		name := b.Name + " " + run.Name
		done := report.Case{Name: "trained and measured", Class: name, Seconds: jobs[i].seconds, Error: run.Error}
		if run.Error == "" && run.Report == nil {
			done.Skipped = run.State
		}
		suite := report.Suite{Name: name, Cases: []report.Case{done}}
		if run.Report != nil {
			suite.Cases = append(suite.Cases, gateSuite(name, run.Report.Gates).Cases...)
		}
		all = append(all, suite)
	}
	return all
}

// verdict is the error that a batch ends with: the first of a run's, for what
// was not measured passed no gate; else one that names the gates that failed.
func verdict(ctx context.Context, jobs []*job) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var first error
	var missed []string
	failed := 0
	for _, j := range jobs {
		if j.err != nil {
			first = cmp.Or(first, fmt.Errorf("run %s: %w", j.Name, j.err))
			failed++
		}
		for _, gate := range j.missed() {
			missed = append(missed, fmt.Sprintf("%s: %s", j.Name, gate.Gate.Demand()))
		}
	}
	switch {
	case failed > 1:
		return fmt.Errorf("%d of %d runs failed; %w", failed, len(jobs), first)
	case failed == 1:
		return first
	case len(missed) > 0:
		return pipeline.Errorf(pipeline.GateFailed, "gates failed: %s", few(missed))
	}
	return nil
}

// few lists the first of many.
func few(words []string) string {
	const most = 5
	if len(words) > most {
		words = append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", len(words)-most))
	}
	return strings.Join(words, "; ")
}
