package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

// evaluateOptions are what `tftl evaluate` was asked for.
type evaluateOptions struct {
	model     string
	data      string // empty: the run's
	dataset   dataset.Options
	subset    string // empty: test, or all of a folder without parts
	common    bool
	decision  decisionOptions
	gates     gateOptions
	seed      uint64 // of the bootstrap
	resamples int
	topK      int
	plain     savedmodels.Plain
	batchSize int
	workers   int
	onBad     string // fail or skip
	json      bool
}

func newEvaluateCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`DIR` of a run or of a SavedModel"},
		&cli.StringFlag{Name: "data", Usage: "`DATA` as fit takes it", DefaultText: "the run's own", Category: dataFlags},
		&cli.StringFlag{Name: "subset", Usage: "train, val, test or all", DefaultText: "test, or all where the folder has no parts", Category: dataFlags},
		&cli.StringSliceFlag{Name: "slice", Usage: "figures for each value of a manifest's own `COLUMN`, too; may be repeated", Category: dataFlags},
		&cli.BoolFlag{Name: "common-classes", Usage: "leave out classes that the data or the model lacks", Category: dataFlags},
		&cli.IntFlag{Name: "top-k", Value: 5, Usage: "the class is among the `K` likeliest: a figure, top_K_accuracy, where there are more than K classes"},
		&cli.IntFlag{Name: "resamples", Value: 1000, Usage: "of the bootstrap that gives figures their 95% intervals; 0 for none"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the bootstrap"},
		&cli.BoolFlag{Name: "json", Usage: "one JSON document"},
	}
	return &cli.Command{
		Name:      "evaluate",
		Usage:     "measure a trained model on photographs it was not trained on",
		ArgsUsage: "[MODEL]",
		Description: `A run is measured on the test part of its own data, as it was recorded when the run
began; evaluation.json, predictions.csv and the report are then kept in the run's folder.
So is what --threshold and --temperature decide: evaluate and predict go by it from then on.

   tftl evaluate --model runs/first
   tftl evaluate --model runs/first --data other-photos
   tftl evaluate --model runs/first --threshold f1 --temperature fit
   tftl evaluate --model runs/first --junit gates.xml \
      --min accuracy=0.95 --min 'recall[cat]=0.9' --max ece=0.05
   tftl evaluate --model keras-model --data photos --output probabilities \
      --labels labels.txt

--min and --max take the figures accuracy, top_5_accuracy, balanced_accuracy, precision,
recall, f1 (means over the classes; also with _micro and _weighted), kappa, mcc, roc_auc,
average_precision, loss, brier and ece; of one class precision[CLASS], recall[CLASS],
f1[CLASS], roc_auc[CLASS] and average_precision[CLASS].`,
		Flags: slices.Concat(flags, newGateFlags(), newDecisionFlags(), sourceFlags(), []cli.Flag{newBadImageFlag()}, plainModelFlags(), batchFlags(), runtimeFlags()),
		Action: func(c *cli.Context) error {
			o, err := newEvaluateOptions(c)
			if err != nil {
				return err
			}
			r, err := resolveRuntime(c)
			if err != nil {
				return err
			}
			return runEvaluate(c.Context, newTerminal(c), o, r)
		},
	}
}

func newEvaluateOptions(c *cli.Context) (o evaluateOptions, err error) {
	model := c.String("model")
	if model == "" && c.NArg() == 1 {
		model = c.Args().First() // what people type first
	} else if err := requireFlags(c, "model"); err != nil {
		return o, err
	} else if err := noArguments(c); err != nil {
		return o, err
	}
	if err := atLeast(c, 1, "batch-size"); err != nil {
		return o, err
	}
	if err := atLeast(c, 2, "top-k"); err != nil {
		return o, err
	}
	if err := atLeast(c, 0, "resamples"); err != nil {
		return o, err
	}
	o = evaluateOptions{
		model: model, data: c.String("data"), subset: c.String("subset"), common: c.Bool("common-classes"),
		seed: c.Uint64("seed"), resamples: c.Int("resamples"), topK: c.Int("top-k"),
		batchSize: c.Int("batch-size"), workers: c.Int("workers"), json: c.Bool("json"),
	}
	if o.gates, err = newGateOptions(c); err != nil {
		return o, err
	}
	if o.decision, err = newDecisionOptions(c); err != nil {
		return o, err
	}
	if o.plain, err = newPlain(c); err != nil {
		return o, err
	}
	if o.onBad, err = onBadImage(c); err != nil {
		return o, err
	}
	if o.dataset, err = newDatasetOptions(c); err != nil {
		return o, err
	}
	o.dataset.Columns = c.StringSlice("slice")
	return o, nil
}

// runEvaluate is the command without its command line.
func runEvaluate(ctx context.Context, t terminal, o evaluateOptions, r *savedmodels.Runtime) error {
	report, err := o.evaluate(ctx, t, r)
	if err != nil && !errors.As(err, new(notKept)) {
		return err
	}
	if err := errors.Join(err, o.gates.write(o.model, report), o.print(t, report)); err != nil {
		return err
	}
	return o.gates.failed(t, report.Gates)
}

// notKept is an error of keeping in a run's folder what was measured: the
// figures are known all the same.
type notKept struct{ error }

func (e notKept) Unwrap() error { return e.error }

// print writes what was asked for to stdout.
func (o evaluateOptions) print(t terminal, report metrics.Report) error {
	switch {
	case o.json:
		return writeJSON(t.out, report)
	case o.gates.summary == "-":
		return o.gates.writeSummary(t.out, o.model, report)
	}
	return report.WriteTable(t.out)
}

// evaluate measures the model that serves.
func (o evaluateOptions) evaluate(ctx context.Context, t terminal, r *savedmodels.Runtime) (metrics.Report, error) {
	predictor, err := openPredictor(o.model, o.plain, r)
	if err != nil {
		return metrics.Report{}, err
	}
	defer predictor.Close()
	return o.measure(ctx, t, served{predictor})
}

// network is what is measured.
type network interface {
	classes() []string
	predict(ctx context.Context, t terminal, images pipeline.Encoded, batchSize, workers int) ([]pipeline.Prediction, error)
	// report writes the pages of a run whose predictions of a part the table is.
	report(ctx context.Context, t terminal, run rundir.Dir, part dataset.Part, table metrics.Table, d metrics.Decision, workers int) error
}

// served is a network as the model in a folder serves it.
type served struct{ *savedmodels.Predictor }

func (s served) classes() []string { return s.Labels }

func (s served) predict(ctx context.Context, t terminal, images pipeline.Encoded, batchSize, workers int) ([]pipeline.Prediction, error) {
	return predict(ctx, t, s.Predictor, images, batchSize, workers)
}

func (s served) report(ctx context.Context, t terminal, run rundir.Dir, part dataset.Part, table metrics.Table, d metrics.Decision, workers int) error {
	return reporter{run: run, predictor: s.Predictor, part: part, workers: workers}.write(ctx, t, table, d)
}

// measure measures a network, and keeps what it finds in the run's folder where
// the run was measured on its own test part. A gate that fails is no error here.
func (o evaluateOptions) measure(ctx context.Context, t terminal, n network) (report metrics.Report, err error) {
	labels := n.classes()
	decision, err := readDecision(o.model, len(labels))
	if err != nil {
		return report, err
	}
	if err := o.gates.check(labels, o.topK); err != nil {
		return report, err
	}
	if err := o.decision.check(decision, o.model, len(labels)); err != nil {
		return report, err
	}
	set, own, err := o.open(ctx)
	if err != nil {
		return report, err
	}
	if set, err = set.Relabel(labels, o.common); err != nil {
		return report, err
	}
	part, skipped, err := screenOne(ctx, t, set, o.subset, o.onBad, o.workers)
	if err != nil {
		return report, err
	}
	if part.Len() == 0 {
		return report, pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "the %s part is empty", o.subset), "--subset names another, --data another folder")
	}
	t.describe(set)
	if decision, err = o.decide(ctx, t, decision, n, set, own); err != nil {
		return report, err
	}
	t.say("subset %s: %d images", o.subset, part.Len())
	predictions, err := n.predict(ctx, t, part, o.batchSize, o.workers)
	if err != nil {
		return report, err
	}
	t.warnOfProbabilities(o.plain, predictions)
	table := metrics.Table{Classes: labels, Predictions: predictions, Slices: o.slices(part)}
	report, err = metrics.Evaluate(ctx, table, metrics.Options{Decision: decision, Seed: o.seed, Resamples: o.resamples, TopK: o.topK})
	if err != nil {
		return report, err
	}
	if set.Train.Len()+set.Validation.Len() > 0 {
		report.Subset = o.subset
	}
	if report.Gates, err = o.gates.outcomes(report); err != nil {
		return report, err
	}
	if len(skipped) > 0 {
		t.warn("bad images that were skipped, and that no figure covers: %d", len(skipped))
	}
	if err := o.keepAll(ctx, t, n, part, table, report, skipped, own); err != nil {
		return report, notKept{err}
	}
	return report, nil
}

// keepAll keeps in a run's folder what was measured on its own test part, all of
// it together.
func (o evaluateOptions) keepAll(ctx context.Context, t terminal, n network, part dataset.Part, table metrics.Table, report metrics.Report, skipped []badImage, own bool) error {
	if !rundir.Is(o.model) {
		return nil
	}
	run := rundir.Dir{Path: o.model}
	if !own || o.subset != "test" {
		if o.decision.asked() {
			t.say("the decision is not kept: evaluate keeps it with the figures of the run's own test part")
		}
		return nil
	}
	unlock, err := run.LockEvaluation(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if o.decision.asked() {
		if err := keepDecision(run, report.Decision); err != nil {
			return err
		}
	}
	if err := o.keep(report, table, skipped); err != nil {
		return err
	}
	return n.report(ctx, t, run, part, table, report.Decision, o.workers)
}

// decide is the decision that the figures are of.
func (o evaluateOptions) decide(ctx context.Context, t terminal, stored metrics.Decision, n network, set *dataset.Set, own bool) (metrics.Decision, error) {
	if !own {
		set = nil
	}
	d, err := o.decision.decide(stored, func() ([]pipeline.Prediction, error) { return o.predictValidation(ctx, t, n, set) })
	if err != nil {
		return d, err
	}
	t.describeDecision(d, n.classes())
	chosen := strings.Contains(d.ThresholdFrom+d.TemperatureFrom, "validation")
	if chosen && own && (o.subset == "val" || o.subset == "all") {
		t.warn("the decision was chosen on the validation part: the figures of --subset %s are too good", o.subset)
	}
	return d, nil
}

// slices are the values of the columns that figures are wanted for.
func (o evaluateOptions) slices(part dataset.Part) map[string][]string {
	if len(o.dataset.Columns) == 0 {
		return nil
	}
	values := map[string][]string{}
	for k, name := range o.dataset.Columns {
		values[name] = part.Column(k)
	}
	return values
}

// keep writes the test figures into the run's folder.
func (o evaluateOptions) keep(report metrics.Report, table metrics.Table, skipped []badImage) error {
	run := rundir.Dir{Path: o.model}
	err := atomicfile.Write(run.File("predictions.csv"), func(w io.Writer) error { return table.Write(w, report.Decision) })
	if err != nil {
		return err
	}
	if err := run.WriteJSON("evaluation.json", report); err != nil {
		return err
	}
	return writeBadImages(run.File("evaluation-"+badImagesFile), o.onBad, skipped)
}
