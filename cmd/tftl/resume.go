package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

// resumeFrom takes a run's own options. Only flags that cannot change the
// result may stand beside --resume: those that say where its data and its model
// are now among them, for takeUp sees that both are what they were.
func (o *fitOptions) resumeFrom(c *cli.Context, path string) error {
	allowed := []string{"resume", "data", "val-data", "test-data", "model", "config", "c", "quiet", "q", "verbose", "json", "workers", "j", "device", "cache", "cache-dir", "cache-size", "checkpoint-every", "max-time", "log-file"}
	for _, name := range c.LocalFlagNames() {
		if !slices.Contains(allowed, name) {
			return pipeline.Errorf(pipeline.BadUsage, "%s: cannot be changed with --resume: a run goes on with its own options", dashed(name))
		}
	}
	run, err := rundir.Open(path)
	if err != nil {
		return err
	}
	o.output, o.resume = path, true
	if o.config, err = run.ReadConfig(); err != nil {
		return pipeline.Errorf(pipeline.BadUsage, "--resume %s: %w", path, err)
	}
	data := &o.config.Data
	for name, where := range map[string]*string{"data": &data.Path, "val-data": &data.ValidationPath, "test-data": &data.TestPath, "model": &o.config.Model.Path} {
		if !c.IsSet(name) {
			continue
		}
		if *where == "" {
			return pipeline.Errorf(pipeline.BadUsage, "--%s: the run in %s has none", name, path)
		}
		now, err := filepath.Abs(c.String(name))
		if err != nil {
			return err
		}
		o.moved = o.moved || now != *where
		*where = now
	}
	return nil
}

// repeat asks for what the run was computed with.
func (o *fitOptions) repeat(session *savedmodels.Options) {
	session.Threads = o.config.Runtime.Threads
	if p := savedmodels.Precision(o.config.Runtime.Precision); p != savedmodels.TF32 {
		session.Precision = p
	}
}

// inputOf is what a model has images made into, in words.
func inputOf(d *savedmodels.Description) string {
	in := d.Input
	return fmt.Sprintf("%d x %d pixels, %s, %s, %s", in.Size[0], in.Size[1], in.Interpolation, cmp.Or(in.Fit, "stretch"), in.Preprocess)
}

// sameModel sees that a model is the one that a run began with.
func sameModel(run rundir.Model, d *savedmodels.Description) error {
	switch {
	case d.Weights.NetworkSHA256 != run.WeightsSHA256:
		return pipeline.Errorf(pipeline.BadModel, "model %s: has other weights than the run began with", run.Path)
	case run.Input != "" && run.Input != inputOf(d):
		return pipeline.Errorf(pipeline.BadModel, "model %s: takes %s, and the run began with %s", run.Path, inputOf(d), run.Input)
	case d.Head.Pooling != run.Pooling || d.Head.Hidden != len(run.Units):
		return pipeline.Errorf(pipeline.BadModel, "model %s: has another head than the run began with", run.Path)
	}
	return nil
}

// takeUp sees that the run's data is still what it was, and finds
// where to go on. before is the config as the run's folder has it.
func (o *fitOptions) takeUp(ctx context.Context, t terminal, run rundir.Dir, before rundir.Config, job *pipeline.Job) (*dataset.Set, error) {
	if now, then := o.config.Runtime, before.Runtime; now.TensorFlow != then.TensorFlow || now.Instructions != then.Instructions || now.Precision != then.Precision {
		t.warn("the run was begun with TensorFlow %s, %s, %s and goes on with %s, %s, %s: its figures may differ in the last digits",
			then.TensorFlow, then.Instructions, then.Precision, now.TensorFlow, now.Instructions, now.Precision)
	}
	set, err := openRecorded(run, before.Data.Path, datasetOptions(o.config), "all")
	if err != nil {
		return nil, err
	}
	if set.Digest() != before.Data.SHA256 {
		return nil, pipeline.Errorf(pipeline.BadData, "%s: is no longer the data that the run began with", before.Data.Path)
	}
	all, err := set.Subset("all")
	if err != nil {
		return nil, err
	}
	shown := newProgress(t, rundir.Dir{})
	others, err := changed(ctx, run, all, o.workers, shown.event)
	shown.end()
	switch {
	case err != nil:
		return nil, err
	case len(others) > 0:
		err := pipeline.Errorf(pipeline.BadData, "images are no longer what they were when the run began: %s", few(others))
		return nil, pipeline.WithHint(err, "put them back, or begin a run with the images as they are now")
	}
	if o.moved {
		if _, err := os.Stat(run.File(contentsFile)); err != nil {
			t.warn("the run did not write down what its images were: that those in %s are the same is not known", before.Data.Path)
		}
		if err := run.WriteJSON("config.json", before); err != nil {
			return nil, err
		}
	}
	t.describe(set)
	state, history, warning, err := run.Resume()
	if err != nil {
		return nil, err
	}
	if warning != "" {
		t.warn("%s", warning)
	}
	if state.Stage == 0 && !state.Begun {
		if err := o.checkInitFrom(t, set.Classes); err != nil {
			return nil, err
		}
	}
	if err := run.RestartScalars(history); err != nil {
		return nil, err
	}
	t.say("going on after %d epochs and %d steps", state.Epochs, state.Step)
	job.State, job.History = state, history
	return set, nil
}
