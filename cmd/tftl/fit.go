package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/schedule"
	"tftl/savedmodels"
)

func newFitCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "data", Usage: "`DIR` with a folder per class, or with train/, val/ and test/ of such", Category: dataFlags},
		&cli.StringFlag{Name: "split", Value: "0.7,0.15,0.15", Usage: "fractions of train, validation and test where DIR does not tell them apart; by a hash of each image's name", Category: dataFlags},
		&cli.BoolFlag{Name: "split-exact", Usage: "exact sizes, by --seed; adding images moves others", Category: dataFlags},
		&cli.StringFlag{Name: "model", Usage: "`DIR` that scripts/export.py wrote"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`DIR` of the run (default: runs/NAME-N, NAME the data's)"},
		&cli.BoolFlag{Name: "overwrite", Usage: "replace a run that is there"},
		&cli.BoolFlag{Name: "json", Usage: "the result as one JSON document"},
		&cli.IntFlag{Name: "epochs", Value: 10, Usage: "at most", Category: trainFlags},
		&cli.Float64Flag{Name: "lr", Usage: "learning rate", DefaultText: "the model's", Category: trainFlags},
		&cli.StringFlag{Name: "optimizer", Value: "adam", Usage: "adam or sgd", Category: trainFlags},
		&cli.Float64Flag{Name: "momentum", Usage: "of sgd", Category: trainFlags},
		&cli.Float64Flag{Name: "weight-decay", Usage: "decoupled", Category: trainFlags},
		&cli.Float64Flag{Name: "l2", Usage: "times the sum of squares of the head's kernels", Category: trainFlags},
		&cli.Float64Flag{Name: "clip-norm", Usage: "largest global norm of the gradients; 0 for any", Category: trainFlags},
		&cli.Float64Flag{Name: "dropout", Usage: "rate before the output layer", Category: trainFlags},
		&cli.IntFlag{Name: "units", Usage: "width of the head's hidden layer", DefaultText: "256", Category: trainFlags},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the head's weights, the order and dropout", Category: trainFlags},
		&cli.StringFlag{Name: "monitor", Value: "val_loss", Usage: "what the best epoch is best in", Category: trainFlags},
		&cli.IntFlag{Name: "patience", Value: 5, Usage: "epochs without improvement before training ends; 0 for no end", Category: trainFlags},
		&cli.Float64Flag{Name: "min-delta", Usage: "what counts as improvement", Category: trainFlags},
	}
	return &cli.Command{
		Name:  "fit",
		Usage: "train a head on a folder of photographs",
		Description: `The frozen part of the network runs once over the images; its features are cached,
so that epochs take a fraction of that pass, in later runs too. The weights of the best
epoch become OUTPUT/model, a SavedModel that serves.

   tftl fit --data photos --model savedmodels/vgg16 --epochs 10 --lr 1e-4 --output runs/first`,
		Flags: slices.Concat(flags, newCacheFlags(), batchFlags(), runtimeFlags()),
		Action: func(c *cli.Context) error {
			o, err := newFitOptions(c)
			if err != nil {
				return err
			}
			r, err := resolveRuntime(c)
			if err != nil {
				return err
			}
			return runFit(c.Context, newTerminal(c), o, r)
		},
	}
}

// runFit is the command without its command line.
func runFit(ctx context.Context, t terminal, o fitOptions, r *savedmodels.Runtime) error {
	model, err := savedmodels.Load(o.model, r)
	if err != nil {
		return err
	}
	if err := o.resolve(model); err != nil {
		return err
	}
	set, err := dataset.Open(o.data, o.dataset)
	if err != nil {
		return err
	}
	if set.Validation.Len() == 0 {
		return pipeline.Errorf(pipeline.BadData, "%s: the validation part is empty", o.data)
	}
	t.describe(set)
	run, err := startRun(o, r, model, set)
	if err != nil {
		return err
	}
	decoder, err := newDecoder(model.Description.Input, o.workers)
	if err != nil {
		return err
	}
	defer decoder.Close()
	progress := newProgress(t, run)
	plan := pipeline.Plan{
		Classes: len(set.Classes), Units: o.units, Seed: o.seed, BatchSize: o.batchSize, Watch: o.stopping.Watch,
		Stages: []pipeline.StagePlan{{Stage: "head", Epochs: o.epochs, Schedule: schedule.Constant(o.rate), Hyper: o.hyper}},
	}
	inputs := newInputs(t, o, model, set, decoder, progress)
	defer inputs.close()
	history, err := pipeline.Fit(ctx, plan, model, inputs.open, metrics.Basic, run, progress.event)
	progress.end()
	if err != nil {
		return err
	}
	best, ok := pipeline.BestOf(history)
	if !ok {
		return pipeline.Errorf(pipeline.Diverged, "no epoch had a %s that is a number", o.stopping.Monitor)
	}
	err = run.ReplaceModel(func(dir string) error {
		return model.Export(ctx, run.Checkpoint(pipeline.Best), dir, set.Classes)
	})
	if err != nil {
		return err
	}
	return writeFitResult(t, o, run, history, best)
}

// startRun makes the run folder and writes down what is to be done.
func startRun(o fitOptions, r *savedmodels.Runtime, model *savedmodels.Model, set *dataset.Set) (rundir.Dir, error) {
	data, err := filepath.Abs(o.data)
	if err != nil {
		return rundir.Dir{}, err
	}
	dir, err := filepath.Abs(o.model)
	if err != nil {
		return rundir.Dir{}, err
	}
	run, err := rundir.Create(o.output, o.overwrite)
	if err != nil {
		return run, err
	}
	if err := run.WriteLabels(set.Classes); err != nil {
		return run, err
	}
	if err := atomicfile.Write(run.File("data.csv"), func(w io.Writer) error { return set.WriteCSV(w) }); err != nil {
		return run, err
	}
	return run, run.WriteJSON("config.json", rundir.Config{
		Tftl: version,
		Seed: o.seed,
		Data: rundir.Data{
			Path: data, TakenFor: set.Description, Split: o.dataset.Split, Exact: o.dataset.Exact, SHA256: set.Digest(),
			Train: set.Train.Len(), Validation: set.Validation.Len(), Test: set.Test.Len(),
		},
		Model: rundir.Model{
			Path: dir, Backbone: model.Description.Backbone, Units: o.units,
			WeightsOrigin: model.Description.Weights.Origin, WeightsSHA256: model.Description.Weights.NetworkSHA256,
		},
		Training: rundir.Training{
			BatchSize: o.batchSize, Hyper: o.hyper,
			Stages:  []rundir.Stage{{Name: "head", Epochs: o.epochs, LearningRate: o.rate}},
			Monitor: o.stopping.Monitor, MinDelta: o.stopping.MinDelta, Patience: o.stopping.Patience,
		},
		Runtime: r,
	})
}

func writeFitResult(t terminal, o fitOptions, run rundir.Dir, history []pipeline.Epoch, best pipeline.Epoch) error {
	if o.json {
		return writeJSON(t.out, map[string]any{"run": run.Path, "model": run.Model(), "epochs": len(history), "best": best})
	}
	value, _ := best.Value(o.stopping.Monitor)
	_, err := fmt.Fprintf(t.out, "best epoch %d of %d: %s %.4f\nmodel: %s\n", best.Epoch, len(history), o.stopping.Monitor, value, run.Model())
	if err == nil {
		t.say("next: tftl evaluate --model %s", run.Path)
	}
	return err
}
