package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
)

func newReportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "a run as a page to look at, from its folder alone",
		ArgsUsage: "RUN",
		Description: `Writes report.html and report.md into the run's folder, from what fit and evaluate
left there: no model is loaded and no image read. The page is one file that opens
without a network. evaluate writes both by itself.

   tftl report runs/first`,
		Flags: commonFlags(),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usageError(c, fmt.Errorf("one run is to be named, not %d", c.NArg()), false)
			}
			return runReport(newTerminal(c), rundir.Dir{Path: c.Args().First()})
		},
	}
}

// runReport is the command without its command line.
func runReport(t terminal, run rundir.Dir) error {
	if err := writeReport(run); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.out, "%s\n%s\n", run.File(reportPage), run.File(reportBrief))
	return err
}

const (
	reportPage  = "report.html"
	reportBrief = "report.md"
)

// writeReport writes both forms of a run's report into its folder.
func writeReport(run rundir.Dir) error {
	var page, brief bytes.Buffer
	if err := report.HTML(&page, run); err != nil {
		return err
	}
	if err := report.Markdown(&brief, run); err != nil {
		return err
	}
	return errors.Join(
		atomicfile.WriteFile(run.File(reportPage), page.Bytes(), 0o644),
		atomicfile.WriteFile(run.File(reportBrief), brief.Bytes(), 0o644),
	)
}
