package main

import (
	"fmt"
	"io"

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
	err := atomicfile.Write(run.File(reportPage), func(w io.Writer) error { return report.HTML(w, run) })
	if err != nil {
		return err
	}
	return atomicfile.Write(run.File(reportBrief), func(w io.Writer) error { return report.Markdown(w, run) })
}
