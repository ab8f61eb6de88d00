package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/internal/printable"
	"tftl/internal/regular"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/audit/findings"
	"tftl/pipeline/pixels"
	"tftl/pipeline/report"
	"tftl/pipeline/workflow/audit"
)

func newAuditCommand() *cli.Command {
	return &cli.Command{
		Name:  "audit",
		Usage: "find wrong labels, copies, outliers and bad images in a data set",
		Description: `Trains a head for each of several folds, on cached features, so that every image is
judged by a head that has not learnt from it. Writes audit.html to look at, audit.csv,
the probabilities, audit.sarif for code-scanning pages, and summary.json. No image is
changed.

   tftl audit --data photos --model savedmodels/vgg16 --output audit
   tftl fit --data photos --model savedmodels/vgg16 \
      --exclude audit/audit.csv:label-error

For CI, accept what is known and fail on what is new:

   tftl audit --data photos --model savedmodels/vgg16 --output audit \
      --write-baseline known.csv
   tftl audit --data photos --model savedmodels/vgg16 --output audit \
      --overwrite --baseline known.csv --max findings=0 --max leaks=0

You can gate on ` + strings.Join(findings.Metrics(), ", ") + `: label_errors is the
estimated share of wrong labels, leaks and duplicates are groups of copies, all others
count images. What a baseline has accepted does not count.`,
		Flags: slices.Concat(
			[]cli.Flag{dataFlag(""), foldFlag(), newBadImageFlag()}, partFlags(), choiceFlags(), sourceFlags(), auditFlags(),
			headsCacheFlags(), []cli.Flag{verifyFlag()}, batchFlags(), runtimeFlags(),
		),
		Action: func(c *cli.Context) error {
			r, err := newAuditRequest(c)
			if err != nil {
				return err
			}
			return runAudit(c.Context, newTerminal(c), r)
		},
	}
}

// auditRequest is what `tftl audit` was asked for.
type auditRequest struct {
	audit.Request
	places        report.Places
	junit         string
	writeBaseline string
	verify, json  bool
}

func newAuditRequest(c *cli.Context) (r auditRequest, err error) {
	if err := noArguments(c); err != nil {
		return r, err
	}
	if err := requireFlags(c, "data", "model", "output"); err != nil {
		return r, err
	}
	r.Request = audit.NewRequest("", "", c.String("output"))
	r.Data, r.Model, r.Folds, r.Overwrite = c.String("data"), c.String("model"), c.Int("folds"), c.Bool("overwrite")
	r.junit, r.writeBaseline, r.verify, r.json = c.String("junit"), c.String("write-baseline"), c.Bool("verify"), c.Bool("json")
	for name, path := range map[pipeline.Option]string{"junit": r.junit, "write-baseline": r.writeBaseline} {
		if filepath.Dir(path) == filepath.Clean(r.Output) { // that folder is made
			if audit.Writes(filepath.Base(path)) {
				return r, pipeline.Errorf(pipeline.BadUsage, "%s %s: is a file of the audit itself", name, path)
			}
			continue
		}
		if err := checkOutput(name, path); err != nil {
			return r, err
		}
	}
	for _, text := range c.StringSlice("max") {
		gate, err := findings.ParseGate(text)
		if err != nil {
			return r, err
		}
		r.Gates = append(r.Gates, gate)
	}
	if r.Baseline, err = readBaseline(c.String("baseline")); err != nil {
		return r, err
	}
	if r.Session, err = newSession(c); err != nil {
		return r, err
	}
	if r.Options, err = newTrainOptions(c); err != nil {
		return r, err
	}
	r.Config.Seed, r.Epochs, r.Config.Training.BatchSize, r.Config.Training.LearningRate = c.Uint64("seed"), c.Int("epochs"), c.Int("batch-size"), c.Float64("lr")
	if r.Config.Model.Path, err = filepath.Abs(r.Model); err != nil {
		return r, err
	}
	if r.Config.Data, err = configureData(c); err != nil {
		return r, err
	}
	r.places = report.Places{Data: folderOf(r.Data), Apart: map[string]string{}}
	for _, name := range []string{"val-data", "test-data"} {
		if path := c.String(name); path != "" {
			r.places.Apart[name] = folderOf(path)
		}
	}
	return r, r.Check()
}

// folderOf is the folder that the names of images in a data set are relative to.
func folderOf(data string) string {
	if info, err := os.Stat(data); err == nil && !info.IsDir() {
		return filepath.Dir(data)
	}
	return data
}

// readBaseline reads a baseline. It is nil without a path.
func readBaseline(path string) (findings.Baseline, error) {
	if path == "" {
		return nil, nil
	}
	file, err := regular.Open(path)
	if err != nil {
		err := pipeline.Errorf(pipeline.BadUsage, "%s: %w", pipeline.Option("baseline"), err)
		return nil, pipeline.WithHint(err, "%s %s makes one", pipeline.Option("write-baseline"), printable.Argument(path))
	}
	defer file.Close()
	return findings.ReadBaseline(file, path)
}

// runAudit runs the command, after its flags are parsed.
func runAudit(ctx context.Context, t terminal, r auditRequest) error {
	env, shown := environment(t)
	defer shown.end()
	env.Contents = openContents(r.Cache.Dir, r.verify)
	decoder, err := pixels.NewDecoder(pixels.Options{Height: 1, Width: 1, Interpolation: "nearest", Workers: r.Workers})
	if err != nil {
		return err
	}
	defer decoder.Close()
	r.Decode = decoder.Whole
	result, err := audit.Run(ctx, r.Request, env)
	if err != nil {
		return err
	}
	painter := pixels.NewPainter(pixels.Options{Workers: r.Workers}, nil)
	defer painter.Close()
	if err := result.Write(ctx, r.Output, r.places, painter, env); err != nil {
		return err
	}
	shown.end()
	found := result.Report()
	if err := errors.Join(r.write(found.Summary, result), r.print(t, found)); err != nil {
		return err
	}
	if k := found.Summary.Baseline; k != nil && len(k.Gone) > 0 {
		t.say("in the baseline, but not found again: %s", printable.Few(k.Gone))
	}
	t.say("next: look at %s", printable.Argument(audit.Page(r.Output)))
	return report.TellAuditGates(found.Summary.Gates, t.say, t.warn)
}

// write writes the files outside the folder of the audit, whether gates pass or fail.
func (r auditRequest) write(s findings.Summary, result *audit.Result) (err error) {
	if r.writeBaseline != "" {
		err = atomicfile.Write(r.writeBaseline, findings.NewBaseline(result.Findings()).Write)
	}
	if r.junit != "" {
		err = cmp.Or(err, atomicfile.Write(r.junit, func(w io.Writer) error { return report.WriteJUnit(w, report.AuditSuite(s)) }))
	}
	return err
}

// print writes the result to stdout.
func (r auditRequest) print(t terminal, a report.Audit) error {
	if r.json {
		return ui.WriteJSON(t.Out, a.Summary)
	}
	return a.WriteTable(t.Out)
}
