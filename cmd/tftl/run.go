package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/runfile"
)

// batchOptions are what `tftl run` was asked for.
type batchOptions struct {
	file      runfile.File
	output    string
	junit     string
	keepGoing bool
	dryRun    bool
	json      bool
	rankedBy  string // a figure of the validation part
}

func newRunCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`DIR` of the runs and of their summary", DefaultText: "the file's, else runs/ and the file's name"},
		&cli.BoolFlag{Name: "dry-run", Usage: "check all of it, options, data and models, and print what would be done"},
		&cli.BoolFlag{Name: "keep-going", Usage: "do the other runs, too, where one fails"},
		&cli.StringFlag{Name: "junit", Usage: "a JUnit `FILE` for CI: a test suite for each run, a case for each gate", Category: gateFlags},
		&cli.BoolFlag{Name: "schema", Usage: "print the JSON Schema of FILE, for editors"},
		&cli.BoolFlag{Name: "json", Usage: "the summary as one JSON document"},
	}
	return &cli.Command{
		Name:      "run",
		Usage:     "train and measure every run of a file: a batch for CI, or a sweep",
		ArgsUsage: "FILE.yaml",
		Description: `FILE has the options of tftl fit by their names, those of tftl evaluate below evaluate,
and what varies: matrix, every combination of which is a run; folds, of a manifest that
tftl split --folds wrote; or runs, a list over what stands outside it. Docs: docs/ci.md.

   data: photos
   model: savedmodels/vgg16
   evaluate: {min: [accuracy=0.9], gate-on: lower}
   matrix:
     lr: [1e-3, 1e-4]
     units: [64, 256]

Each run has a folder of its own; all share the feature cache. What was done is not done
again, unless its options, its data or its model changed; what was interrupted goes on.
The runs are ranked by the validation part (rank: val_accuracy), for the test part is to
stay untouched by choices; both are in DIR/summary.md, summary.json and index.html.

The exit code is that of the first run that ended in an error; 5 where none did and a gate
failed; 130 where the batch was interrupted.`,
		Flags: slices.Concat(flags, commonFlags()),
		Action: func(c *cli.Context) error {
			t := newTerminal(c)
			if c.Bool("schema") {
				return writeJSON(t.out, batchSchema())
			}
			o, err := newBatchOptions(c)
			if err != nil {
				return err
			}
			return runBatch(c.Context, t, o)
		},
	}
}

func newBatchOptions(c *cli.Context) (o batchOptions, err error) {
	if c.NArg() != 1 {
		return o, pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "one file is to be named, not %d", c.NArg()), "such as tftl run sweep.yaml")
	}
	path := c.Args().First()
	o = batchOptions{output: c.String("output"), junit: c.String("junit"), keepGoing: c.Bool("keep-going"), dryRun: c.Bool("dry-run"), json: c.Bool("json")}
	text, err := os.ReadFile(path)
	if err != nil {
		return o, pipeline.Errorf(pipeline.BadUsage, "%w", err)
	}
	if o.file, err = runfile.Read(path, text); err != nil {
		return o, err
	}
	if err := checkOutput("junit", o.junit); err != nil {
		return o, err
	}
	if o.output == "" {
		o.output = o.file.Output
	}
	if o.output == "" {
		base := filepath.Base(path)
		o.output = filepath.Join("runs", strings.TrimSuffix(base, filepath.Ext(base)))
	}
	return o, nil
}

// runBatch is the command without its command line.
func runBatch(ctx context.Context, t terminal, o batchOptions) error {
	p := newPool()
	defer p.close()
	jobs, err := o.plan(ctx, p)
	if err != nil {
		return err
	}
	if o.rankedBy, err = o.ranking(jobs); err != nil {
		return err
	}
	if o.dryRun {
		return o.writePlan(t, jobs)
	}
	unlock, err := o.lock()
	if err != nil {
		return err
	}
	defer unlock()
	t.err = &once{t.err, map[string]bool{}}
	stopped := false
	for i, j := range jobs {
		if stopped = stopped || ctx.Err() != nil; stopped && j.state != isDone {
			continue
		}
		t.say("run %d of %d: %s, %s", i+1, len(jobs), j.Name, j.state)
		j.do(ctx, t, p)
		stopped = stopped || j.failed() && !o.keepGoing
	}
	b := o.summary(jobs)
	if err := o.writeSummary(t, b, jobs); err != nil {
		return err
	}
	for _, j := range jobs {
		if ctx.Err() == nil && j.Name == b.Best() {
			if err := j.illustrate(ctx, t, p); err != nil {
				return err
			}
		}
	}
	return verdict(ctx, jobs)
}

// lock keeps a second batch out of the folder: each would take the other's runs
// for failed.
func (o batchOptions) lock() (unlock func(), err error) {
	if err := os.MkdirAll(o.output, 0o777); err != nil {
		return nil, pipeline.Errorf(pipeline.BadUsage, "output: %w", err)
	}
	unlock, err = rundir.Dir{Path: o.output}.Lock()
	if pipeline.KindOf(err) == pipeline.BadUsage {
		err = pipeline.Errorf(pipeline.BadUsage, "output %s: another tftl run is at work in it", o.output)
	}
	return unlock, err
}

// once drops warnings that were given before: every run of a sweep would give
// those of its data.
type once struct {
	io.Writer
	given map[string]bool
}

func (o *once) Write(p []byte) (int, error) {
	if line := string(p); strings.HasPrefix(line, "tftl: warning: ") {
		if o.given[line] {
			return len(p), nil
		}
		o.given[line] = true
	}
	return o.Writer.Write(p)
}

// ranking is the figure of the validation part that the runs are ranked by.
func (o batchOptions) ranking(jobs []*job) (string, error) {
	rank := jobs[0].fit.config.Training.Monitor
	for _, j := range jobs {
		if monitor := j.fit.config.Training.Monitor; monitor != rank && o.file.Rank.Name == "" {
			return "", pipeline.Errorf(pipeline.BadUsage, "%s: the runs monitor %s and %s: say which figure ranks them, such as rank: %s", o.file.Path, rank, monitor, rank)
		}
	}
	if o.file.Rank.Name == "" {
		return rank, nil
	}
	rank = o.file.Rank.Value.GetToken().Value
	var known []string
	for _, name := range metrics.Names() {
		known = append(known, "val_"+name)
	}
	if !slices.Contains(known, rank) {
		return "", o.file.At(o.file.Rank.ValueAt(), pipeline.Errorf(pipeline.BadUsage, "rank: %q: must be one of %s", rank, strings.Join(known, ", ")))
	}
	return rank, nil
}
