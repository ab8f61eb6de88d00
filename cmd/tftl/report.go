package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"tftl/internal/printable"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/evaluate"
)

func newReportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "render a run as an HTML page",
		ArgsUsage: "RUN",
		Description: `Writes report.html and report.md into a run's folder, from the files that fit and
evaluate wrote there. Loads neither the model nor images. The page is a single file
and works offline. evaluate writes both files too.

   tftl report runs/first`,
		Flags: commonFlags(),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usageError(c, fmt.Errorf("expected one run, got %d", c.NArg()), false)
			}
			return runReport(c.Context, newTerminal(c), rundir.Dir{Path: c.Args().First()})
		},
	}
}

// runReport runs the command, after its flags are parsed.
func runReport(ctx context.Context, t terminal, run rundir.Dir) error {
	if err := evaluate.WriteReport(ctx, run); err != nil {
		return err
	}
	if message, ok := evaluate.Unfinished(run.Path); ok {
		t.warn("%v", message)
	}
	_, err := printable.Fprintf(t.Out, "%s\n%s\n", run.ReportPage(), run.ReportBrief())
	return err
}
