package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/internal/printable"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/curve"
	"tftl/pipeline/workflow/train"
)

// curveRequest is what `tftl curve` was asked for: a run that is not written to disk,
// and the heads to train.
type curveRequest struct {
	train.Request
	curve.Options
	width  float64 // of a test interval; 0: not asked
	verify bool
	json   bool
}

func newCurveCommand() *cli.Command {
	return &cli.Command{
		Name:      "curve",
		Usage:     "say whether more images would help",
		ArgsUsage: "[RUN]",
		Description: `Trains heads on parts of the training images, from few to all, several times, and
measures each on the validation part. Predicts the metric with twice and four times as
many images, with 95% intervals. The test part is not used. With cached features this
takes about a second per head.

   tftl curve --data photos --model savedmodels/vgg16 --output curve

With --width it says how many test images an interval of that width takes. That also
works for a run that was evaluated, or any accuracy, without training.

   tftl curve --width 0.02 runs/first
   tftl curve --width 0.02 --accuracy 0.95`,
		Flags: slices.Concat(
			[]cli.Flag{dataFlag(""), newBadImageFlag()}, partFlags(), choiceFlags(), sourceFlags(),
			[]cli.Flag{modelFlag("train heads of the network in `DIR`, written by tftl-export")}, curveFlags(), headFlags(), newHyperFlags(),
			headsCacheFlags(), []cli.Flag{verifyFlag()}, batchFlags(), runtimeFlags(),
		),
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 || c.IsSet("accuracy") {
				return sizeTestSet(c)
			}
			r, err := newCurveRequest(c)
			if err != nil {
				return err
			}
			return runCurve(c.Context, newTerminal(c), r)
		},
	}
}

func newCurveRequest(c *cli.Context) (r curveRequest, err error) {
	if err := requireFlags(c, "data", "model"); err != nil {
		return r, err
	}
	if r.width, err = checkWidth(c); err != nil {
		return r, err
	}
	r.json, r.verify = c.Bool("json"), c.Bool("verify")
	r.Request = train.NewRequest("", "", "")
	if r.Output = c.String("output"); r.Output != "" {
		if err := checkOutputFolder(r.Output); err != nil {
			return r, err
		}
	}
	if r.Session, err = newSession(c); err != nil {
		return r, err
	}
	if r.Request.Options, err = newTrainOptions(c); err != nil {
		return r, err
	}
	if r.Cache.Off {
		return r, pipeline.Errorf(pipeline.BadUsage, "%s off: heads are trained on cached features; use disk or ram", pipeline.Option("cache"))
	}
	if err := configure(c, &r.Request); err != nil {
		return r, err
	}
	if err := configureHead(c, &r.Request); err != nil {
		return r, err
	}
	r.Options = curve.Options{Seeds: c.Int("seeds"), Seed: c.Uint64("seed"), Metric: c.String("metric")}
	if r.Sizes, err = parseSizes(c.String("sizes")); err != nil {
		return r, err
	}
	return r, errors.Join(r.Options.Check(), r.Request.Check())
}

// runCurve runs the command, after its flags are parsed.
func runCurve(ctx context.Context, t terminal, r curveRequest) (err error) {
	env, shown := environment(t)
	defer shown.end()
	env.Contents = openContents(r.Cache.Dir, r.verify)
	prepared, err := train.Prepare(ctx, r.Request, env)
	if err != nil {
		return err
	}
	heads, err := prepared.Heads(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, heads.Close()) }()
	if len(heads.Skipped) > 0 {
		env.Warn("skipped %d bad images: %s", len(heads.Skipped), namesOf(heads.Skipped))
	}
	found, err := curve.Run(ctx, heads, prepared.Set, r.Options, env.Progress, env.Warn)
	if err != nil {
		return err
	}
	shown.end()
	c := report.LearningCurve{Data: r.Config.Data.Path, Model: r.Config.Model.Path, Found: found}
	if r.width > 0 {
		if c.Test, err = curve.TestSet(found, r.width); err != nil {
			return err
		}
	}
	if err := writeCurve(r.Output, c); err != nil {
		return err
	}
	if r.json {
		return ui.WriteJSON(t.Out, c)
	}
	return c.WriteTable(t.Out)
}

// namesOf are those of bad images, the first few of them.
func namesOf(bad []rundir.BadImage) string {
	var names []string
	for _, b := range bad {
		names = append(names, b.ID)
	}
	return printable.Few(names)
}

// writeCurve writes the files of a curve, each whole or not at all.
func writeCurve(dir string, c report.LearningCurve) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"curve.csv", c.WriteCSV},
		{"curve.json", func(w io.Writer) error { return ui.WriteJSON(w, c) }},
		{"curve.html", c.HTML},
	} {
		if err := atomicfile.Write(filepath.Join(dir, file.name), file.write); err != nil {
			return err
		}
	}
	return nil
}
