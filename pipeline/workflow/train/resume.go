package train

import (
	"context"
	"path/filepath"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// Moved says where a run's data and model are now. An empty path means that it
// has not moved. Resume checks that they are still the same.
type Moved struct {
	Data, Validation, Test, Model string
}

// apply returns a run's config with the current paths. elsewhere is true if any
// of them has moved.
func (m Moved) apply(config rundir.Config, run string) (_ rundir.Config, elsewhere bool, err error) {
	for _, place := range []struct {
		option   pipeline.Option
		now      string
		recorded *string
	}{
		{"data", m.Data, &config.Data.Path},
		{"val-data", m.Validation, &config.Data.ValidationPath},
		{"test-data", m.Test, &config.Data.TestPath},
		{"model", m.Model, &config.Model.Path},
	} {
		if place.now == "" {
			continue
		}
		if *place.recorded == "" {
			return config, elsewhere, pipeline.Errorf(pipeline.BadUsage, "%s: the run in %s has none", place.option, run)
		}
		now, err := filepath.Abs(place.now)
		if err != nil {
			return config, elsewhere, err
		}
		elsewhere = elsewhere || now != *place.recorded
		*place.recorded = now
	}
	return config, elsewhere, nil
}

// Resume continues the run in a folder as if it had never stopped. Only the
// device of the session is used. The caller closes the run.
func Resume(ctx context.Context, path string, moved Moved, session workflow.Session, o Options, env workflow.Env) (*Run, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	dir, err := rundir.Open(path)
	if err != nil {
		return nil, err
	}
	config, err := dir.ReadConfig()
	if rundir.Damaged(err) {
		return nil, err
	}
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s %s: %w", pipeline.Option("resume"), path, err)
	}
	if copies := config.Training.Augmentation.Copies; copies > 0 && o.Cache.Off {
		return nil, bad("augment-copies", copies, "needs the feature cache, which is off")
	}
	config, elsewhere, err := moved.apply(config, path)
	if err != nil {
		return nil, err
	}
	network, err := env.Load(config.Model.Path, session.Again(config.Runtime))
	if pipeline.KindOf(err) == pipeline.BadModel {
		err = pipeline.WithHint(err, "if the run's model has moved, give its path with %s", pipeline.Option("model"))
	}
	if err != nil {
		return nil, err
	}
	if err := sameModel(config, network.Info()); err != nil {
		return nil, err
	}
	unlock, err := dir.Lock()
	if err != nil {
		return nil, err
	}
	r := &Run{
		Dir: dir, Config: config,
		env: env, session: session, network: network, digests: env.Digests(), options: o, unlock: unlock, resumed: true,
	}
	if err = r.sameData(ctx, elsewhere); err == nil {
		err = r.takeUp()
	}
	if err == nil {
		err = r.share()
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Continue continues the run in a request's folder, which must have been begun with the
// same options. So a command that whatever starts it starts again goes on.
func Continue(ctx context.Context, r Request, env workflow.Env) (*Run, error) {
	p, err := Prepare(ctx, r, env)
	if err != nil {
		return nil, err
	}
	dir := rundir.Dir{Path: r.Output}
	was, err := dir.ReadConfig()
	if err != nil {
		return nil, err
	}
	planned := p.Config
	if planned.Training.Tune != nil && was.Training.Tune != nil && len(was.Training.Stages) > 0 { // what was found is not searched again
		planned = with(planned, settingOf(was))
	}
	if options(was) != options(planned) {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %s: was begun with other options", pipeline.Option("output"), r.Output)
		return nil, pipeline.WithHint(err, "choose another %s, replace the run with %s, or go on with its own options with %s %s",
			pipeline.Option("output"), pipeline.Option("overwrite"), pipeline.Option("resume"), printable.Argument(r.Output))
	}
	moved := Moved{Data: r.Config.Data.Path, Validation: r.Config.Data.ValidationPath, Test: r.Config.Data.TestPath, Model: p.Config.Model.Path}
	return Resume(ctx, r.Output, moved, r.Session, r.Options, env)
}

// options identifies what a configuration decides, wherever its files are.
func options(config rundir.Config) string {
	config.Data.Path, config.Data.ValidationPath, config.Data.TestPath, config.Model.Path = "", "", "", ""
	if config.Model.InitFrom != nil {
		from := *config.Model.InitFrom
		from.Path, from.FreshHead, config.Model.InitFrom = "", false, &from
	}
	return config.Identity(rundir.Sources{})
}

// sameModel checks that a model is the one with which a run began, and can train
// its stages.
func sameModel(config rundir.Config, info workflow.Info) error {
	m := config.Model
	switch {
	case info.WeightsSHA256 != m.WeightsSHA256:
		return pipeline.Errorf(pipeline.BadModel, "model %s: the run began with different weights", m.Path)
	case m.Input != "" && m.Input != describeInput(info.Input):
		return pipeline.Errorf(pipeline.BadModel, "model %s: takes %s, but the run began with %s", m.Path, describeInput(info.Input), m.Input)
	case info.Pooling != m.Pooling || info.Hidden != len(m.Units):
		return pipeline.Errorf(pipeline.BadModel, "model %s: the run began with a different head", m.Path)
	}
	_, err := resolve(config, 0, info)
	return err
}

// sameData opens the run's data and checks that it has not changed since the run
// began. If the data or the model has moved, it records the new paths.
func (r *Run) sameData(ctx context.Context, elsewhere bool) (err error) {
	if now, then := r.network.Info().Runtime, r.Config.Runtime; now.TensorFlow != then.TensorFlow || now.Instructions != then.Instructions || now.Precision != then.Precision {
		r.env.Warn("the run began with TensorFlow %s, %s, %s and continues with %s, %s, %s: its metrics may differ in the last digits",
			then.TensorFlow, then.Instructions, then.Precision, now.TensorFlow, now.Instructions, now.Precision)
	}
	if now, then := max(r.options.processes(), 1), max(r.Config.Runtime.Processes, 1); now != then {
		r.env.Warn("the run began in %d processes and continues in %d: its metrics may differ in the last digits", then, now)
	}
	path := r.Config.Data.Path
	if r.set, err = OpenRecorded(r.Dir, path, DataOptions(r.Config), pipeline.AllParts); err != nil {
		return err
	}
	if r.set.Digest() != r.Config.Data.SHA256 {
		return pipeline.Errorf(pipeline.BadData, "%s: the run began with different data", path)
	}
	if err := r.begin(); err != nil {
		return err
	}
	all, err := r.set.Part(pipeline.AllParts)
	if err != nil {
		return err
	}
	if err := r.options.hash(ctx, r.set, r.digests, r.Config.Training.BatchSize, r.env.Progress); err != nil {
		return err // a run without contents.csv also notices from here on what changes
	}
	changed, err := r.digests.Changed(ctx, r.Dir, all, r.options.Workers, r.env.Progress)
	if err != nil {
		return err
	}
	r.env.Remember()
	if len(changed) > 0 {
		err := pipeline.Errorf(pipeline.BadData, "images have changed since the run began: %s", printable.Few(changed))
		return pipeline.WithHint(err, "put them back, or begin a new run with the images as they are now")
	}
	warnOfShared(r.env, r.set, r.digests)
	if !elsewhere {
		return nil
	}
	if was, err := r.Dir.ReadContents(); err == nil && was == nil {
		r.env.Warn("this old run did not record the contents of its images: whether those in %s are the same is unknown", path)
	}
	return r.Dir.WriteConfig(r.Config)
}

// begin tells the other processes of a cluster which run it is.
func (r *Run) begin() error {
	if r.options.Cluster == nil {
		return nil
	}
	record, err := r.Dir.ReadData()
	if err != nil {
		return rundir.Unreadable(err)
	}
	if err := tell(r.options.Cluster, "run", &beginning{true, r.Config, record}); err != nil {
		return err
	}
	return r.agree()
}

// OpenRecorded opens a run's data with the parts that were recorded when it
// began. It is an error if an image of the needed parts is missing.
func OpenRecorded(run rundir.Dir, data string, o dataset.Options, needed ...string) (*dataset.Set, error) {
	record, err := run.ReadData()
	if err != nil {
		return nil, rundir.Unreadable(err)
	}
	if o.LeftOut, err = leftOut(run); err != nil {
		return nil, err
	}
	set, err := dataset.OpenRecorded(data, o, record, needed...)
	if err != nil && pipeline.HintOf(err).Empty() {
		err = pipeline.WithHint(err, "if the run's data has moved, give its path with %s", pipeline.Option("data"))
	}
	return set, err
}

// takeUp finds out where to continue.
func (r *Run) takeUp() error {
	r.env.DescribeData(r.set)
	state, history, warnings, err := r.Dir.Resume()
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		r.env.Warn("%v", warning)
	}
	if from := r.Config.Model.InitFrom; from != nil && state.Stage == 0 && !state.Begun {
		if from.FreshHead, err = checkInitFrom(r.Config, r.set.Classes); err != nil {
			return err
		}
		sayInitFrom(r.env, r.Config)
	}
	if err := r.Dir.RestartScalars(history); err != nil {
		return err
	}
	r.env.Say("resuming after %d epochs and %d steps", state.Epochs, state.Step)
	r.state, r.history = state, history
	return nil
}
