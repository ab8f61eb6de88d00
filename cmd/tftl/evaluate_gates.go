package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/text/unicode/norm"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
)

// gateOptions are what an evaluation is held to, and where a CI job reads of it.
type gateOptions struct {
	gates       []metrics.Gate
	pessimistic bool // not the figure counts, but the worse end of its interval
	junit       string
	summary     string // "-" is stdout, in the table's place
}

func newGateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "min", Usage: "exit code 5 where a figure is less: `NAME=X`; may be repeated", Category: gateFlags},
		&cli.StringSliceFlag{Name: "max", Usage: "exit code 5 where a figure is more: `NAME=X`; may be repeated", Category: gateFlags},
		&cli.StringFlag{Name: "gate-on", Value: "value", Usage: "what must reach the bound: value, the figure itself; or lower, the worse end of its 95% interval, which is the lower one for --min and the upper one for --max", Category: gateFlags},
		&cli.StringFlag{Name: "junit", Usage: "`FILE` to write in JUnit's format, a test case a gate, whether they pass or fail", Category: gateFlags},
		&cli.StringFlag{Name: "summary", Usage: "`FILE` to write in Markdown for a job's page, whether gates pass or fail; - for stdout, in place of the table", Category: gateFlags},
	}
}

func newGateOptions(c *cli.Context) (o gateOptions, err error) {
	o = gateOptions{junit: c.String("junit"), summary: c.String("summary")}
	for _, flag := range []string{"min", "max"} {
		for _, text := range c.StringSlice(flag) {
			gate, err := metrics.ParseGate(norm.NFC.String(text), flag == "max") // as classes are named
			if err != nil {
				return o, err
			}
			o.gates = append(o.gates, gate)
		}
	}
	switch on := c.String("gate-on"); on {
	case "value":
	case "lower":
		o.pessimistic = true
		if c.Int("resamples") == 0 && len(o.gates) > 0 {
			return o, pipeline.Errorf(pipeline.BadUsage, "--gate-on lower and --resamples 0 exclude each other: without intervals no gate passes")
		}
	default:
		return o, pipeline.Errorf(pipeline.BadUsage, "--gate-on %q: must be value or lower", on)
	}
	if o.summary == "-" && c.Bool("json") {
		return o, pipeline.Errorf(pipeline.BadUsage, "--summary - and --json exclude each other")
	}
	return o, errors.Join(checkOutput("junit", o.junit), checkOutput("summary", o.summary))
}

// checkOutput finds out beforehand whether a file can be written whole, which is
// by renaming another to it.
func checkOutput(flag, path string) error {
	if path == "" || path == "-" && flag == "summary" {
		return nil
	}
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		err := pipeline.Errorf(pipeline.BadUsage, "--%s %s: is there and no file", flag, path)
		return pipeline.WithHint(err, "it is written whole, which takes a name of its own")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return pipeline.Errorf(pipeline.BadUsage, "--%s: %w", flag, err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return pipeline.Errorf(pipeline.BadUsage, "--%s %s: its folder is not there", flag, path)
	}
	return nil
}

// check looks for classes that the model does not have.
func (o gateOptions) check(labels []string, topK int) error {
	for _, gate := range o.gates {
		if err := gate.Known(labels, topK); err != nil {
			return err
		}
	}
	return nil
}

// outcomes holds a report to the gates.
func (o gateOptions) outcomes(r metrics.Report) ([]metrics.Outcome, error) {
	var list []metrics.Outcome
	for _, gate := range o.gates {
		outcome, err := gate.Check(r, o.pessimistic)
		if err != nil {
			return nil, err
		}
		list = append(list, outcome)
	}
	return list, nil
}

// write writes the files that were asked for.
func (o gateOptions) write(name string, r metrics.Report) error {
	if o.junit != "" {
		err := atomicfile.Write(o.junit, func(w io.Writer) error { return report.WriteJUnit(w, gateSuite(name, r.Gates)) })
		if err != nil {
			return err
		}
	}
	if o.summary != "" && o.summary != "-" {
		return atomicfile.Write(o.summary, func(w io.Writer) error { return o.writeSummary(w, name, r) })
	}
	return nil
}

func (o gateOptions) writeSummary(w io.Writer, name string, r metrics.Report) error {
	return report.Summary(w, name, r)
}

// gateSuite is a model's gates as a JUnit file has them.
func gateSuite(name string, outcomes []metrics.Outcome) report.Suite {
	suite := report.Suite{Name: "tftl evaluate " + name}
	for _, o := range outcomes {
		c := report.Case{Name: o.Gate.Demand(), Class: name}
		if !o.Passed {
			c.Failure = o.String()
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

// failed says how each gate came out, and is an error that names those that
// were missed.
func (o gateOptions) failed(t terminal, outcomes []metrics.Outcome) error {
	var missed []string
	for _, outcome := range outcomes {
		if outcome.Passed {
			t.say("gate passed: %s", outcome)
			continue
		}
		t.warn("gate failed: %s", outcome)
		missed = append(missed, outcome.Gate.Demand())
	}
	if len(missed) == 0 {
		return nil
	}
	return pipeline.Errorf(pipeline.GateFailed, "%d of %d gates failed: %s", len(missed), len(outcomes), strings.Join(missed, "; "))
}
