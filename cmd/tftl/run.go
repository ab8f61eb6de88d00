package main

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl"
	commandline "tftl/internal/cli"
	"tftl/internal/printable"
	"tftl/internal/regular"
	"tftl/internal/ui"
	"tftl/internal/yamltext"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
	"tftl/pipeline/runfile"
	"tftl/pipeline/workflow/batch"
	"tftl/pipeline/workflow/evaluate"
)

func newRunCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "train and evaluate every run of a YAML file",
		ArgsUsage: "FILE.yaml",
		Description: `The file has the options of tftl fit by their names, those of tftl evaluate under the
key evaluate, and what varies: matrix makes a run of every combination of values, folds
a run of each fold that tftl split --folds wrote, and runs lists runs one by one.
docs/ci.md describes the file.

   data: photos
   model: savedmodels/vgg16
   evaluate: {min: [accuracy=0.9], gate-on: lower}
   matrix:
     lr: [1e-3, 1e-4]
     units: [64, 256]

Every run has its own folder, and all share the feature cache. Finished runs are
skipped unless their options, data or model have changed; interrupted runs continue.
Runs are ranked by a metric of the validation part, such as rank: val_accuracy, so that
the test part decides nothing. summary.md, summary.json and index.html in DIR show both
parts.

The exit code is that of the first run that ended in an error, else 5 if a gate failed,
and 130 if the batch was interrupted.`,
		Flags: slices.Concat(runFileFlags(), commonFlags()),
		Action: func(c *cli.Context) error {
			t := newTerminal(c)
			if c.Bool("schema") {
				fit, evaluate := commandline.Schemas(fitFlags(), decided("fit")), commandline.Schemas(evaluateFlags(), decided("evaluate"))
				return ui.WriteJSON(t.Out, runfile.Schema(fit, evaluate))
			}
			r, err := newRunRequest(c)
			if err != nil {
				return err
			}
			return runRun(c.Context, t, r)
		},
	}
}

// maxJobs is the most runs at the same time. Each has its own network in memory.
const maxJobs = 256

// runRequest is what `tftl run` was asked for.
type runRequest struct {
	batch.Request
	file     string
	rankedBy string // a metric of the validation part
	varied   []runfile.Varied
	junit    string
	dryRun   bool
	verify   bool
	json     bool
}

func newRunRequest(c *cli.Context) (r runRequest, err error) {
	if c.NArg() != 1 {
		return r, pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "expected one file, got %d", c.NArg()), "for example: tftl run sweep.yaml")
	}
	r = runRequest{file: c.Args().First(), junit: c.String("junit"), dryRun: c.Bool("dry-run"), verify: c.Bool("verify"), json: c.Bool("json")}
	text, err := regular.Read(r.file, yamltext.MaxBytes)
	if err != nil {
		return r, pipeline.Errorf(pipeline.BadUsage, "%w", err)
	}
	file, err := runfile.Read(r.file, text)
	if err != nil {
		return r, err
	}
	if err := checkOutput("junit", r.junit); err != nil {
		return r, err
	}
	if err := within(c, 0, maxJobs, "jobs"); err != nil {
		return r, err
	}
	base := filepath.Base(r.file)
	r.KeepGoing, r.Jobs = c.Bool("keep-going"), c.Int("jobs")
	r.Output = cmp.Or(c.String("output"), file.Output, filepath.Join("runs", strings.TrimSuffix(base, filepath.Ext(base))))
	if r.Runs, err = newRuns(file, r.Output); err != nil {
		return r, err
	}
	r.varied = file.Varied()
	r.rankedBy, err = ranking(file, r.Runs)
	return r, err
}

// ranking is the metric of the validation part that ranks the runs.
func ranking(file runfile.File, runs []batch.Run) (string, error) {
	if file.Rank.Name != "" {
		rank := file.Rank.Value.GetToken().Value
		var known []string
		for _, name := range metrics.Monitored() {
			known = append(known, "val_"+name)
		}
		if !slices.Contains(known, rank) {
			return "", file.At(file.Rank.ValueAt(), pipeline.Errorf(pipeline.BadUsage, "rank %q: must be one of %s", rank, strings.Join(known, ", ")))
		}
		return rank, nil
	}
	rank := runs[0].Train.Config.Training.Monitor
	for _, run := range runs {
		if monitor := run.Train.Config.Training.Monitor; monitor != rank {
			err := pipeline.Errorf(pipeline.BadUsage, "%s: the runs monitor different metrics, %s and %s", file.Path, rank, monitor)
			return "", pipeline.WithHint(err, "choose the one that ranks them in the file, for example rank: %s", rank)
		}
	}
	return rank, nil
}

// runRun runs the command, after its flags are parsed.
func runRun(ctx context.Context, t terminal, r runRequest) error {
	env, shown := environment(t)
	defer shown.end()
	env.Contents = openContents(r.Runs[0].Train.Cache.Dir, r.verify)
	b, err := batch.Plan(ctx, r.Request, env)
	if err != nil {
		return err
	}
	defer b.Close()
	shown.end()
	if r.dryRun {
		return r.writePlan(t, b.Jobs)
	}
	if err := b.Do(ctx); err != nil {
		return err
	}
	shown.end()
	summary := r.summary(b.Jobs)
	if err := r.writeSummary(t, summary); err != nil {
		return err
	}
	if lack := summary.Ranking.Lack; len(lack) > 0 {
		t.warn("trained before tftl measured %s, so not ranked: %s. Delete their folders and run the file again to train them with it", r.rankedBy, printable.Few(lack))
	}
	verdict := b.Verdict(ctx)
	if best := summary.Best(); best >= 0 && ctx.Err() == nil && b.Jobs[best].Err == nil {
		verdict = cmp.Or(verdict, illustrateBest(ctx, b, b.Jobs[best])) // pictures matter less than failures
	}
	return verdict
}

// illustrateBest makes the pictures of the best run's report, unless it has them.
func illustrateBest(ctx context.Context, b *batch.Batch, j *batch.Job) error {
	env := b.Env()
	if has, err := report.HasGallery(rundir.Dir{Path: j.Train.Output}); has || err != nil {
		return err
	}
	if !j.Evaluate.Predictions.Full() {
		env.Say("no pictures of %s: they are chosen by the probabilities of all classes, and %s %s keeps less; tftl evaluate makes them", j.Name, pipeline.Option("predictions"), j.Evaluate.Predictions)
		return nil
	}
	result, err := evaluate.Stored(ctx, j.Evaluate, env)
	if err != nil {
		return err
	}
	b.CloseModel() // frees its models before this one is opened again
	model, err := tftl.OpenMeasured(j.Train.Output, tftl.Options{Session: j.Train.Session, Workers: j.Evaluate.Workers}, j.Train.Cache, env)
	if err != nil {
		return err
	}
	defer model.Close()
	painter := model.Painter()
	defer painter.Close()
	return result.Illustrate(ctx, painter)
}
