package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"text/tabwriter"
	"time"

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
		&cli.StringFlag{Name: "data", Usage: "`DATA`: a folder with a folder per class, or with train/, val/ and test/ of such; a manifest (.csv, .tsv); TFRecord files, a folder of them, or a pattern; CIFAR's binary form", Category: dataFlags},
		&cli.StringFlag{Name: "val-data", Usage: "`DATA` of the validation part, where it is apart", Category: dataFlags},
		&cli.StringFlag{Name: "test-data", Usage: "`DATA` of the test part, where it is apart", Category: dataFlags},
		&cli.StringFlag{Name: "split", Value: "0.7,0.15,0.15", Usage: "fractions of train, validation and test where DATA does not tell them apart; by a hash of each image's name, or of its group", Category: dataFlags},
		&cli.BoolFlag{Name: "split-exact", Usage: "exact sizes, by --seed; adding images moves others", Category: dataFlags},
		&cli.IntFlag{Name: "fold", Usage: "`K` of a manifest's column fold, which tftl split --folds writes: the test part, whatever the column split says", DefaultText: "none", Category: dataFlags},
		&cli.StringFlag{Name: "model", Usage: "`DIR` that scripts/export.py wrote"},
		&cli.StringFlag{Name: "init-from", Usage: "begin with the best weights of the earlier run in `DIR`, of its head too where the classes are the same; its model is the default"},
		&cli.StringFlag{Name: "resume", Usage: "go on with the run in `DIR` as if it had not stopped; it knows its own options, and --data and --model say where those were moved"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`DIR` of the run (default: runs/NAME-N, NAME the data's)"},
		&cli.BoolFlag{Name: "overwrite", Usage: "take the place of a run that is there; it is kept in OUTPUT/replaced until the new one has a model"},
		&cli.DurationFlag{Name: "checkpoint-every", Value: 30 * time.Second, Usage: "how much a killed run repeats; 0 for a checkpoint each step"},
		&cli.DurationFlag{Name: "max-time", Usage: "stop training after so long, such as 50m, and keep the best epoch so far; --resume goes on; 0 for no limit"},
		&cli.StringFlag{Name: "log-file", Usage: "add what is said on stderr to `FILE`, with the time"},
		&cli.BoolFlag{Name: "json", Usage: "the result as one JSON document"},
		&cli.IntFlag{Name: "epochs", Value: 10, Usage: "at most, a stage", Category: trainFlags},
		&cli.StringSliceFlag{Name: "stage", Usage: "`SPEC` is NAME[:epochs=N][,lr=RATE][,schedule=…], again for the next, deeper one: head, then the upper blocks by name with a small rate; or auto: deeper while --monitor gains more than its noise (default: head)", Category: trainFlags},
		&cli.Float64Flag{Name: "lr", Usage: "learning rate", DefaultText: "the model's", Category: trainFlags},
		&cli.StringFlag{Name: "schedule", Value: "constant", Usage: "of the learning rate over a stage: constant, step, exponential or cosine", Category: trainFlags},
		&cli.Float64Flag{Name: "decay-rate", Value: 0.1, Usage: "of step and exponential: what the rate is multiplied by every --decay-epochs", Category: trainFlags},
		&cli.IntFlag{Name: "decay-epochs", Value: 5, Usage: "of step and exponential", Category: trainFlags},
		&cli.IntFlag{Name: "warmup-epochs", Usage: "in which the rate rises to begin with", Category: trainFlags},
		&cli.Float64Flag{Name: "plateau-factor", Usage: "multiplies the rate where --monitor stops improving; 0 for never", Category: trainFlags},
		&cli.IntFlag{Name: "plateau-patience", Value: 3, Usage: "epochs without improvement before that", Category: trainFlags},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the head's weights, the order, augmentation and dropout", Category: trainFlags},
		&cli.StringFlag{Name: "monitor", Value: "val_loss", Usage: "what the best epoch is best in", Category: trainFlags},
		&cli.IntFlag{Name: "patience", Value: 5, Usage: "epochs without improvement before training ends; 0 for no end", Category: trainFlags},
		&cli.Float64Flag{Name: "min-delta", Usage: "what counts as improvement", Category: trainFlags},
		&cli.IntFlag{Name: "start-from-epoch", Usage: "epochs at the start of a stage that --patience does not count", Category: trainFlags},
	}
	return &cli.Command{
		Name:  "fit",
		Usage: "train a head on a folder of photographs",
		Description: `The frozen part of the network runs once over the images; its features are cached,
so that epochs take a fraction of that pass, in later runs too. The weights of the best
epoch become OUTPUT/model, a SavedModel that serves.

   tftl fit --data photos --model savedmodels/vgg16 --epochs 10 --lr 1e-4 \
      --output runs/first

Augmented images pass the frozen part anew in every epoch, or once each where
--augment-copies caches a few copies; tftl preview shows what they look like.

   tftl fit --data photos --model savedmodels/vgg16 --augment light \
      --augment-copies 5`,
		Flags: slices.Concat(flags, newHyperFlags(), choiceFlags(), sourceFlags(), newBalanceFlags(), []cli.Flag{newBadImageFlag()}, newAugmentFlags(), newCopiesFlags(), newCacheFlags(), batchFlags(), runtimeFlags()),
		Action: func(c *cli.Context) error {
			o, err := newFitOptions(c)
			if err != nil {
				return err
			}
			session := sessionOptions(c)
			if o.resume {
				o.repeat(&session)
			}
			r, err := savedmodels.Resolve(session)
			if err != nil {
				return err
			}
			t, err := newTerminal(c).withLog(c.String("log-file"))
			if err != nil {
				return err
			}
			model, err := loadForTraining(o.config.Model.Path, r)
			if err != nil && o.resume {
				err = pipeline.WithHint(err, "--model says where the model is that the run began with")
			} else if err == nil {
				err = runFit(c.Context, t, o, model, model)
			}
			if err == nil && !o.json {
				t.say("next: tftl evaluate --model %s", quoted(o.output))
			}
			return t.closeLog(err)
		},
	}
}

// runFit is the command without its command line. The network is the model, or
// one that keeps the model's graphs open.
func runFit(ctx context.Context, t terminal, o fitOptions, model *savedmodels.Model, network pipeline.Model) (err error) {
	before := o.config
	if o.resume {
		if err := model.Trainable(); err != nil {
			return err
		}
		if err := sameModel(before.Model, model.Description); err != nil {
			return err
		}
	}
	if err := o.resolve(model); err != nil {
		return err
	}
	job := pipeline.Job{Model: network, Measure: measure, SaveEvery: o.saveEvery}
	var run rundir.Dir
	var set *dataset.Set
	var skipped []badImage
	if o.resume {
		run = rundir.Dir{Path: o.output}
	} else if run, set, skipped, err = o.start(ctx, t); err != nil {
		return err
	}
	unlock, err := run.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	goesOn := o.resume
	defer func() {
		if !goesOn {
			err = o.leaveNothing(ctx, run, err)
		}
	}()
	if o.resume {
		if set, err = o.takeUp(ctx, t, run, before, &job); err != nil {
			return err
		}
	}
	decoder, err := newDecoder(model.Description.Input, o.workers)
	if err != nil {
		return err
	}
	defer decoder.Close()
	progress := newProgress(t, run)
	inputs := newInputs(t, o, model, set, decoder, progress)
	defer inputs.close()
	recorder := &rundir.Recorder{Dir: run}
	job.Plan, job.Inputs, job.Recorder, job.Progress = o.plan(set), inputs.open, recorder, progress.event
	history, stopped, err := o.fit(ctx, job)
	progress.end()
	err = errors.Join(err, recorder.Flush())
	if stopped {
		goesOn = true
		progress.time(map[string]any{"phase": "max-time", "limit": o.maxTime.Seconds()})
	}
	if len(skipped) > 0 {
		t.warn("bad images that were skipped: %d, named in %s", len(skipped), run.File(badImagesFile))
	}
	if err = errors.Join(err, run.WriteHistoryCSV(history)); err != nil {
		return err
	}
	best, ok := pipeline.BestOf(history)
	switch {
	case !ok && stopped:
		return pipeline.WithHint(fmt.Errorf("--max-time %v: no epoch has ended", o.maxTime), "tftl fit --resume %s goes on", quoted(run.Path))
	case !ok:
		return pipeline.Errorf(pipeline.Diverged, "no epoch had a %s that is a number", o.config.Training.Monitor)
	}
	err = run.ReplaceModel(func(dir string) error {
		return network.Export(ctx, run.Checkpoint(pipeline.Best), dir, set.Classes)
	})
	if err != nil {
		return err
	}
	guess := o.guessLoss(set)
	t.warnOfGuessing(best, guess)
	return writeFitResult(t, o, run, history, best, guess, stopped)
}

// leaveNothing removes the folder of a run that took no step, for an error
// that another try with the same options would find again. One that is kept
// beside another run's, or that can be gone on with, stays.
func (o *fitOptions) leaveNothing(ctx context.Context, run rundir.Dir, err error) error {
	if err == nil || ctx.Err() != nil || pipeline.KindOf(err) == pipeline.Diverged || rundir.Is(run.Replaced()) || run.Begun() {
		return err
	}
	return errors.Join(err, run.Remove())
}

// fit trains, for as long as --max-time lets it: stopped says that there is more
// to do. The run then stands where an interrupted one does, so time ends a
// command and decides no result.
func (o *fitOptions) fit(ctx context.Context, job pipeline.Job) (history []pipeline.Epoch, stopped bool, err error) {
	if o.maxTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.maxTime)
		defer cancel()
	}
	history, err = pipeline.Fit(ctx, job)
	if errors.Is(err, context.DeadlineExceeded) {
		return history, true, nil
	}
	return history, false, err
}

// measure is what is measured on the validation part after each epoch, and how
// sure it is.
func measure(predictions []pipeline.Prediction) []pipeline.Metric {
	return append(metrics.Basic(predictions), metrics.StandardErrors(predictions)...)
}

// plan is the config as the loop takes it.
func (o *fitOptions) plan(set *dataset.Set) pipeline.Plan {
	training := o.config.Training
	plan := pipeline.Plan{
		Classes: len(set.Classes), Units: o.config.Model.Units, Seed: o.config.Seed, BatchSize: training.BatchSize, Watch: o.stopping().Watch,
		ClassWeights: byLabel(training.ClassWeights, set.Classes), LabelSmoothing: training.LabelSmoothing,
	}
	if from := o.config.Model.InitFrom; from != nil {
		plan.InitFrom, plan.FreshHead = rundir.Dir{Path: from.Path}.Checkpoint(pipeline.Best), from.FreshHead
	}
	if training.StagesAuto {
		plan.Deeper = o.depth().Deeper
	}
	for _, s := range training.Stages {
		stage := pipeline.StagePlan{Stage: s.Name, Epochs: s.Epochs, Hyper: training.Hyper}
		stage.Schedule = newSchedule(s, (set.Train.Len()+training.BatchSize-1)/training.BatchSize)
		if p := training.Plateau; p.Factor > 0 {
			stopping := o.stopping()
			stage.Scale = schedule.Plateau{
				Monitor: stopping.Monitor, Higher: stopping.Higher, MinDelta: stopping.MinDelta, Patience: p.Patience, Factor: p.Factor,
			}.Scale
		}
		plan.Stages = append(plan.Stages, stage)
	}
	return plan
}

// start opens the data, makes the run folder and writes down what is to be done.
func (o *fitOptions) start(ctx context.Context, t terminal) (run rundir.Dir, set *dataset.Set, skipped []badImage, err error) {
	data := &o.config.Data
	if set, err = dataset.Open(data.Path, datasetOptions(o.config)); err != nil {
		return run, nil, nil, err
	}
	if set.Validation.Len() == 0 {
		return run, nil, nil, pipeline.Errorf(pipeline.BadData, "%s: the validation part is empty", data.Path)
	}
	t.describe(set)
	if err := errors.Join(o.checkOutput(), rundir.Free(o.output, o.overwrite)); err != nil {
		return run, nil, nil, err
	}
	if err := o.checkInitFrom(t, set.Classes); err != nil {
		return run, nil, nil, err
	}
	if data.OnBadImage == skipBadImages {
		if skipped, err = screenSet(ctx, t, set, o.workers); err != nil {
			return run, nil, nil, err
		}
	}
	if o.config.Training.ClassWeights, err = classWeights(o.classWeights, set); err != nil {
		return run, nil, nil, err
	}
	if o.config.Training.ClassWeights == nil {
		t.warnOfImbalance(set)
	}
	data.TakenFor, data.SHA256, data.Layout = set.Description, set.Digest(), string(set.Layout)
	data.Train, data.Validation, data.Test = set.Train.Len(), set.Validation.Len(), set.Test.Len()
	contents, err := writeContents(ctx, t, set, o.workers)
	if err != nil {
		return run, nil, nil, err
	}
	run, err = rundir.Create(o.output, o.overwrite, func(d rundir.Dir) error {
		return errors.Join(
			d.WriteLabels(set.Classes),
			atomicfile.Write(d.File("data.csv"), set.WriteCSV),
			atomicfile.Write(d.File(contentsFile), contents),
			writeBadImages(d.File(badImagesFile), data.OnBadImage, skipped),
			d.WriteJSON("config.json", o.config),
		)
	})
	if err == nil && rundir.Is(run.Replaced()) {
		t.say("the run that was in %s is kept in %s until this one has a model", run.Path, run.Replaced())
	}
	if others, err := run.Others(); err == nil && len(others) > 0 {
		t.say("what tftl did not write stays in %s: %s", run.Path, few(others))
	}
	return run, set, skipped, err
}

// checkOutput refuses a run in its own data.
func (o *fitOptions) checkOutput() error {
	if !within(o.output, o.config.Data.Path) {
		return nil
	}
	err := pipeline.Errorf(pipeline.BadUsage, "output %s: lies in the data, %s, where the run's own pictures would be found as images", o.output, o.config.Data.Path)
	return pipeline.WithHint(err, "choose another --output")
}

func writeFitResult(t terminal, o fitOptions, run rundir.Dir, history []pipeline.Epoch, best pipeline.Epoch, guess float64, stopped bool) error {
	monitor, depth := o.config.Training.Monitor, o.depth().Curve(history)
	if stopped {
		t.say("stopped after %v (--max-time): tftl fit --resume %s goes on", o.maxTime, quoted(run.Path))
	}
	if o.json {
		var noBetter any // null where there is none: a class of no weight cannot be guessed
		if !math.IsInf(guess, 0) {
			noBetter = guess
		}
		return writeJSON(t.out, map[string]any{
			"run": run.Path, "model": run.Model(), "epochs": len(history), "best": best, "guess_loss": noBetter, "depth": depth, "finished": !stopped,
		})
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	if len(depth) > 1 {
		fmt.Fprintf(table, "stage\t%s\tits noise\tgain\n", monitor)
		for _, point := range depth {
			fmt.Fprintf(table, "%s\t%.4f\t%.4f\t%.4f\n", point.Stage, point.Value, point.Noise, point.Gain)
		}
	}
	value, _ := best.Value(monitor)
	fmt.Fprintf(table, "best epoch %d of %d: %s %.4f\nmodel: %s\n", best.Epoch, len(history), monitor, value, run.Model())
	return table.Flush()
}
