package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

// do does what of a run is not done yet, and reads what it came to.
func (j *job) do(ctx context.Context, t terminal, p *pool) {
	began := time.Now()
	t.out = io.Discard // the summary says it
	if j.state != isDone && j.state != toMeasure {
		j.err = j.train(ctx, t, p)
	}
	if j.state != isDone && j.err == nil {
		j.err = j.measure(ctx, t, p)
	}
	if j.err == nil {
		j.state, j.err = isDone, j.read()
	}
	j.seconds = time.Since(began).Seconds()
}

// read reads what a run came to.
func (j *job) read() error {
	run := rundir.Dir{Path: j.fit.output}
	history, err := run.ReadHistory()
	if err != nil {
		return err
	}
	if best, ok := pipeline.BestOf(history); ok {
		j.best = &best
	}
	j.report = new(metrics.Report)
	return run.ReadJSON("evaluation.json", j.report)
}

// missed are the gates that a run did not pass.
func (j *job) missed() []metrics.Outcome {
	if j.report == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(j.report.Gates), func(o metrics.Outcome) bool { return o.Passed })
}

func (j *job) failed() bool { return j.err != nil || len(j.missed()) > 0 }

// train begins a run, or goes on with it.
func (j *job) train(ctx context.Context, t terminal, p *pool) error {
	o := j.fit
	o.overwrite = j.state == toRedo
	if j.state == toResume {
		run, err := rundir.Open(o.output)
		if err != nil {
			return err
		}
		o.resume = true
		if o.config, err = run.ReadConfig(); err != nil {
			return err
		}
		o.repeat(&j.session)
	}
	model, err := p.load(o.config.Model.Path, j.session)
	if err != nil {
		return err
	}
	return runFit(ctx, t, o, model, p.network(o))
}

// measure evaluates a run on its test part, as tftl evaluate does, but through
// the feature cache, and writes down that it did.
func (j *job) measure(ctx context.Context, t terminal, p *pool) error {
	n, err := newLearnt(p, j)
	if err != nil {
		return err
	}
	// The file says how outputs become a class: nothing stays of what it said before.
	if err := n.run.RemoveDecision(); err != nil {
		return err
	}
	if _, err := j.evaluate.measure(ctx, t, n); err != nil {
		return err
	}
	record, err := j.record()
	if err != nil {
		return err
	}
	return n.run.WriteJSON(recordFile, record)
}

// recordFile says of a run of a batch on what terms it was measured.
const recordFile = "batch.json"

// record is recordFile: a run is done as long as it comes out the same.
type record struct {
	Inputs     string `json:"inputs_sha256"`     // of what the model follows from
	Terms      string `json:"terms_sha256"`      // of the options of evaluate
	Evaluation string `json:"evaluation_sha256"` // of evaluation.json: another's is not the batch's
}

func (j *job) record() (r record, err error) {
	data, err := os.ReadFile(filepath.Join(j.fit.output, "evaluation.json"))
	_, gone := os.Stat(filepath.Join(j.fit.output, "predictions.csv")) // which it is of
	sum := sha256.Sum256(data)
	return record{j.inputs, j.terms, hex.EncodeToString(sum[:])}, errors.Join(err, gone)
}

// illustrate makes the pictures of a run's report, where it has none yet.
func (j *job) illustrate(ctx context.Context, t terminal, p *pool) error {
	run := rundir.Dir{Path: j.fit.output}
	if has, err := report.HasGallery(run); has || err != nil {
		return err
	}
	table, decision, err := openPredictions(run.Path)
	if err != nil {
		return err
	}
	set, _, err := j.evaluate.open(ctx)
	if err != nil {
		return err
	}
	if set, err = set.Relabel(table.Classes, false); err != nil {
		return err
	}
	p.close()
	predictor, err := openPredictor(run.Path, savedmodels.Plain{}, p.runtimes[j.session])
	if err != nil {
		return err
	}
	defer predictor.Close()
	tested := map[string]bool{}
	for _, prediction := range table.Predictions {
		tested[prediction.Sample.ID] = true
	}
	part := set.Test.Keep(func(i int) bool { return tested[set.Test.Sample(i).ID] }) // what was skipped is not in the table
	return reporter{run: run, predictor: predictor, part: part, workers: j.evaluate.workers}.write(ctx, t, table, decision)
}

// found is how far a run has come already.
func (j *job) found() (jobState, error) {
	run := rundir.Dir{Path: j.fit.output}
	if !rundir.Is(run.Path) {
		entries, err := os.ReadDir(run.Path)
		if err == nil && len(entries) > 0 {
			err := pipeline.Errorf(pipeline.BadUsage, "%s: exists, is not empty, and is no run", run.Path)
			return "", pipeline.WithHint(err, "choose another output, or name the run")
		}
		return toBegin, nil
	}
	config, err := run.ReadConfig()
	if err == nil && config.Inputs == "" {
		err := pipeline.Errorf(pipeline.BadUsage, "%s: is a run that tftl run did not make", run.Path)
		return "", pipeline.WithHint(err, "choose another output, or name the run")
	}
	if err != nil || config.Inputs != j.inputs {
		return toRedo, nil // one that cannot be read is as good as another
	}
	if !run.Finished(len(config.Training.Stages)) {
		return toResume, nil
	}
	var have record
	if want, err := j.record(); err != nil || run.ReadJSON(recordFile, &have) != nil || have != want {
		return toMeasure, nil
	}
	return isDone, nil
}

// learnt is what a run of a batch has learnt: the best weights of its best
// epoch's stage, over features that all runs share. It says what the model in
// the run's folder says, but for rounding.
type learnt struct {
	run    rundir.Dir
	pool   *pool
	fit    fitOptions
	model  *savedmodels.Model
	stage  string
	labels []string
}

func newLearnt(p *pool, j *job) (*learnt, error) {
	l := &learnt{run: rundir.Dir{Path: j.fit.output}, pool: p, fit: j.fit}
	history, err := l.run.ReadHistory()
	if err != nil {
		return nil, err
	}
	best, ok := pipeline.BestOf(history)
	if !ok {
		return nil, pipeline.Errorf(pipeline.Diverged, "run %s: no epoch was any good", l.run.Path)
	}
	l.stage = best.Stage
	if l.labels, err = readLabels(l.run.File("labels.txt")); err != nil {
		return nil, err
	}
	l.model, err = p.load(j.fit.config.Model.Path, j.session)
	return l, err
}

func (l *learnt) classes() []string { return l.labels }

// predict runs a part of the run's data through the cache and the head.
func (l *learnt) predict(ctx context.Context, t terminal, images pipeline.Encoded, batchSize, workers int) (predictions []pipeline.Prediction, err error) {
	stage, err := l.pool.network(l.fit).Open(ctx, l.stage)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	if err := stage.Restore(ctx, l.run.Checkpoint(pipeline.Best)); err != nil {
		return nil, err
	}
	decoder, err := newDecoder(l.model.Description.Input, workers)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	shown := newProgress(t, rundir.Dir{})
	defer shown.end()
	in := newInputs(t, l.fit, l.model, nil, decoder, shown)
	defer in.close()
	if err := in.openStore(l.stage); err != nil {
		return nil, err
	}
	source := in.features(stage, images)
	if err := source.Warm(ctx, features.BatchSize, nil); err != nil {
		return nil, err
	}
	return pipeline.Evaluate(ctx, source, pipeline.Top{Stage: stage}, batchSize, shown.event)
}

// report writes the run's pages without pictures, which would cost each run more
// than the rest of it: the best one gets them, and tftl evaluate makes them.
func (l *learnt) report(_ context.Context, _ terminal, run rundir.Dir, _ dataset.Part, _ metrics.Table, _ metrics.Decision, _ int) error {
	return writeReport(run)
}
