package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

// initFrom reads --init-from: an earlier run whose best weights this one begins
// with. It stands in for what --model and --units do not say.
func (o *fitOptions) initFrom(c *cli.Context, path string) error {
	before, err := rundir.Find(path)
	if err != nil {
		return err
	}
	if sameFile(path, o.output) {
		return pipeline.Errorf(pipeline.BadUsage, "--init-from %s: is --output, too: a run cannot begin with one whose place it takes", path)
	}
	config, err := before.ReadConfig()
	if err != nil {
		return pipeline.Errorf(pipeline.BadUsage, "--init-from %s: %w", path, err)
	}
	state, sha256, err := before.Verify(pipeline.Best)
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "--init-from %s: no best checkpoint can be used: %w", path, err)
	}
	if state.Stage >= len(config.Training.Stages) {
		return pipeline.Errorf(pipeline.BadModel, "--init-from %s: config.json has %d stages, and the best checkpoint is of another", path, len(config.Training.Stages))
	}
	from := &rundir.InitFrom{SHA256: sha256, WeightsSHA256: config.Model.WeightsSHA256, Pooling: config.Model.Pooling, Units: config.Model.Units}
	if from.Path, err = filepath.Abs(path); err != nil {
		return err
	}
	if earlier := config.Model.InitFrom; earlier != nil {
		from.Stages = append(from.Stages, earlier.Stages...)
	}
	from.Stages = append(from.Stages, config.Training.Stages[state.Stage].Name)
	o.config.Model.InitFrom = from
	if c.String("model") == "" {
		o.config.Model.Path = config.Model.Path
	}
	if !c.IsSet("units") {
		o.config.Model.Units = config.Model.Units
	}
	return nil
}

// loadForTraining loads a model that can be trained. A run's is not one, but a
// run can be begun with.
func loadForTraining(path string, r *savedmodels.Runtime) (*savedmodels.Model, error) {
	run := path
	model, err := savedmodels.Load(path, r)
	if err == nil {
		run, err = filepath.Dir(filepath.Clean(path)), model.Trainable()
	}
	if err != nil && rundir.Is(run) {
		err = pipeline.WithHint(err, "--init-from %s begins with that run's best weights", quoted(run))
	}
	return model, err
}

// requireDataAndModel is for commands that train: an earlier run has a model.
func requireDataAndModel(c *cli.Context) error {
	if c.String("init-from") != "" {
		return requireFlags(c, "data")
	}
	return requireFlags(c, "data", "model")
}

// checkInitFrom sees that the earlier run's weights fit the model and are still
// what they were. Its head is gone on with where it has the same classes in the
// same order, and the same width.
func (o *fitOptions) checkInitFrom(t terminal, classes []string) error {
	from := o.config.Model.InitFrom
	if from == nil {
		return nil
	}
	if from.WeightsSHA256 != o.config.Model.WeightsSHA256 {
		return pipeline.Errorf(pipeline.BadModel, "--init-from %s: began with other weights than model %s has", from.Path, o.config.Model.Path)
	}
	if len(from.Units) != len(o.config.Model.Units) {
		return pipeline.Errorf(pipeline.BadModel, "--init-from %s: its head has %d hidden layers, and that of model %s %d",
			from.Path, len(from.Units), o.config.Model.Path, len(o.config.Model.Units))
	}
	before := rundir.Dir{Path: from.Path}
	_, sha256, err := before.Verify(pipeline.Best)
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "--init-from %s: %w", from.Path, err)
	}
	if sha256 != from.SHA256 {
		return pipeline.Errorf(pipeline.BadModel, "--init-from %s: was trained further since this run was begun", from.Path)
	}
	labels, err := readLabels(before.File("labels.txt"))
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "--init-from: %w", err)
	}
	from.FreshHead = !slices.Equal(labels, classes) || !slices.Equal(from.Units, o.config.Model.Units) || from.Pooling != o.config.Model.Pooling
	head := "its head too"
	if from.FreshHead {
		head = "with a fresh head, for its classes, its width or its pooling are others"
	}
	t.say("going on from the network of %s, %s", from.Path, head)
	return nil
}

// frozenWeights names the weights below a stage's cut: empty for the model's
// own. Those of an earlier run differ from them where it trained a deeper stage.
func (o *fitOptions) frozenWeights(model *savedmodels.Model, stage string) string {
	from := o.config.Model.InitFrom
	if from == nil {
		return ""
	}
	depth := func(name string) int {
		return slices.IndexFunc(model.Description.Stages, func(info savedmodels.StageInfo) bool { return info.Name == name })
	}
	if slices.ContainsFunc(from.Stages, func(trained string) bool { return depth(trained) > depth(stage) }) {
		return from.SHA256
	}
	return ""
}

// sameFile says whether two paths lead to one file that is there.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
