package main

import (
	"math"

	"github.com/urfave/cli/v2"

	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/workflow/curve"
)

// sizeTestSet says how many test images an interval takes, for a run or an accuracy:
// the half of curve that takes no training.
func sizeTestSet(c *cli.Context) error {
	given := c.IsSet("accuracy")
	switch {
	case given && c.NArg() > 0 || c.NArg() > 1:
		return pipeline.Errorf(pipeline.BadUsage, "expected one run or %s, got more", pipeline.Option("accuracy"))
	case !c.IsSet("width"):
		return usageError(c, pipeline.Errorf(pipeline.BadUsage, "%s is missing", pipeline.Option("width")), false)
	}
	if err := notWith(c, "no head is trained for a run or an accuracy", "data", "model", "output", "sizes", "seeds", "metric"); err != nil {
		return err
	}
	var t metrics.TestSet
	var err error
	if given {
		t, err = metrics.NewTestSet(c.Float64("width"), c.Float64("accuracy"), nil, nil)
	} else {
		t, err = curve.TestSetOf(c.Args().First(), c.Float64("width"))
	}
	if err != nil {
		return err
	}
	out := newTerminal(c).Out
	if c.Bool("json") {
		return ui.WriteJSON(out, t)
	}
	return report.TestSet{TestSet: t}.WriteTable(out)
}

// checkWidth refuses a width that makes no sense for any accuracy.
func checkWidth(c *cli.Context) (float64, error) {
	if !c.IsSet("width") {
		return 0, nil
	}
	width := c.Float64("width")
	_, err := metrics.NewTestSet(width, math.Sqrt2/2, nil, nil)
	return width, err
}
