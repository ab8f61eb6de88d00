package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/evaluate"
)

func newReportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "render a run as an HTML page",
		ArgsUsage: "RUN",
		Description: `Writes report.html and report.md into the folder of a run, from what fit and evaluate
left there. No model is loaded and no image read. The page is a single file and needs
no network. evaluate writes both files itself.

   tftl report runs/first`,
		Flags: commonFlags(),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usageError(c, fmt.Errorf("expected one run, got %d", c.NArg()), false)
			}
			return runReport(newTerminal(c), rundir.Dir{Path: c.Args().First()})
		},
	}
}

// runReport is the command without its command line.
func runReport(t terminal, run rundir.Dir) error {
	if err := evaluate.WriteReport(run); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.Out, "%s\n%s\n", run.ReportPage(), run.ReportBrief())
	return err
}
