package train

import (
	"os"
	"path/filepath"
	"slices"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// optionInitFrom is what errors of this file are about.
const optionInitFrom = pipeline.Option("init-from")

// initFrom reads an earlier run whose best weights a request begins with. It
// stands in for the model and the units that the request does not give.
func initFrom(r Request) (rundir.Config, error) {
	config, path := r.Config, r.InitFrom
	if path == "" {
		return config, nil
	}
	fail := func(kind pipeline.Kind, format string, args ...any) (rundir.Config, error) {
		return config, pipeline.Errorf(kind, "%s %s: %w", optionInitFrom, path, pipeline.Errorf(kind, format, args...))
	}
	before, err := rundir.Find(path)
	if err != nil {
		return config, err
	}
	if sameFile(path, r.Output) {
		return fail(pipeline.BadUsage, "is the %s folder too: a run cannot begin with the one that it replaces", pipeline.Option("output"))
	}
	its, err := before.ReadConfig()
	if err != nil {
		return fail(pipeline.BadUsage, "%w", err)
	}
	state, sha256, err := before.Verify(pipeline.Best)
	if err != nil {
		return fail(pipeline.BadModel, "no best checkpoint can be used: %w", err)
	}
	if state.Stage >= len(its.Training.Stages) {
		return fail(pipeline.BadModel, "config.json has %d stages, and the best checkpoint is of another", len(its.Training.Stages))
	}
	from := &rundir.InitFrom{SHA256: sha256, WeightsSHA256: its.Model.WeightsSHA256, Pooling: its.Model.Pooling, Units: its.Model.Units}
	if from.Path, err = filepath.Abs(path); err != nil {
		return config, err
	}
	if earlier := its.Model.InitFrom; earlier != nil {
		from.Stages = slices.Clone(earlier.Stages)
	}
	from.Stages = append(from.Stages, its.Training.Stages[state.Stage].Name)
	config.Model.InitFrom = from
	if config.Model.Path == "" {
		config.Model.Path = its.Model.Path
	}
	if config.Model.Units == nil {
		config.Model.Units = its.Model.Units
	}
	return config, nil
}

// checkInitFrom sees that the earlier run's weights fit the model and have not
// changed since. Its head is kept if it has the same classes in the same order,
// the same width and the same pooling: fresh says that it is not.
func checkInitFrom(config rundir.Config, classes []string) (fresh bool, err error) {
	from := config.Model.InitFrom
	fail := func(format string, args ...any) (bool, error) {
		return false, pipeline.Errorf(pipeline.BadModel, "%s %s: %w", optionInitFrom, from.Path, pipeline.Errorf(pipeline.BadModel, format, args...))
	}
	if from.WeightsSHA256 != config.Model.WeightsSHA256 {
		return fail("began with other weights than model %s has", config.Model.Path)
	}
	if len(from.Units) != len(config.Model.Units) {
		return fail("its head has %d hidden layers, and that of model %s %d", len(from.Units), config.Model.Path, len(config.Model.Units))
	}
	before := rundir.Dir{Path: from.Path}
	_, sha256, err := before.Verify(pipeline.Best)
	if err != nil {
		return fail("%w", err)
	}
	if sha256 != from.SHA256 {
		return fail("was trained further since this run was begun")
	}
	labels, err := before.ReadLabels()
	if err != nil {
		return fail("%w", err)
	}
	for i, label := range labels { // of older runs in another form
		labels[i] = dataset.ClassName(label)
	}
	return !slices.Equal(labels, classes) || !slices.Equal(from.Units, config.Model.Units) || from.Pooling != config.Model.Pooling, nil
}

// sayInitFrom says what a run begins with.
func sayInitFrom(env workflow.Env, from rundir.InitFrom) {
	if from.FreshHead {
		env.Say("starting from the weights of %s with a fresh head: its classes, width or pooling differ", from.Path)
		return
	}
	env.Say("starting from the weights of %s, head included", from.Path)
}

// frozenWeights names the weights below a stage's cut: empty for the model's
// own. Those of an earlier run differ from them if it trained a deeper stage.
func frozenWeights(from *rundir.InitFrom, info workflow.Info, stage string) string {
	if from == nil {
		return ""
	}
	depth := func(name string) int { return slices.Index(info.Stages, name) }
	if slices.ContainsFunc(from.Stages, func(trained string) bool { return depth(trained) > depth(stage) }) {
		return from.SHA256
	}
	return ""
}

// sameFile says whether two paths lead to one file that exists.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
