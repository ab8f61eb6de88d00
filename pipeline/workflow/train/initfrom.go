package train

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// optionInitFrom is the option that this file's errors are about.
const optionInitFrom = pipeline.Option("init-from")

// initFrom reads the earlier run from whose best weights a request starts. It
// takes the model and the units from that run if the request has none.
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
		return fail(pipeline.BadUsage, "is also the %s folder: a run cannot start from the run that it replaces", pipeline.Option("output"))
	}
	its, err := before.ReadConfig()
	if rundir.Damaged(err) {
		return config, err
	}
	if err != nil {
		return fail(pipeline.BadUsage, "%w", err)
	}
	state, sha256, err := before.Verify(pipeline.Best)
	if err != nil {
		return fail(pipeline.BadModel, "has no usable best checkpoint: %w", err)
	}
	if state.Stage >= len(its.Training.Stages) {
		return fail(pipeline.BadModel, "config.json has %d stages, but the best checkpoint is from another one", len(its.Training.Stages))
	}
	from := &rundir.InitFrom{SHA256: sha256, WeightsSHA256: its.Model.WeightsSHA256, Pooling: its.Model.Pooling, Units: its.Model.Units, FeatureScale: its.Training.FeatureScale}
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

// checkInitFrom checks that the earlier run's weights fit the model and have not
// changed. The earlier head can be used only if it has the same classes in the
// same order, the same widths and the same pooling. Otherwise fresh is true.
func checkInitFrom(config rundir.Config, classes []string) (fresh bool, err error) {
	from := config.Model.InitFrom
	fail := func(format string, args ...any) (bool, error) {
		return false, pipeline.Errorf(pipeline.BadModel, "%s %s: %w", optionInitFrom, from.Path, pipeline.Errorf(pipeline.BadModel, format, args...))
	}
	if from.WeightsSHA256 != config.Model.WeightsSHA256 {
		return fail("began with weights that are not those of model %s", config.Model.Path)
	}
	if len(from.Units) != len(config.Model.Units) {
		return fail("its head has %d hidden layers, but model %s has %d", len(from.Units), config.Model.Path, len(config.Model.Units))
	}
	before := rundir.Dir{Path: from.Path}
	_, sha256, err := before.Verify(pipeline.Best)
	if err != nil {
		return fail("%w", err)
	}
	if sha256 != from.SHA256 {
		return fail("was trained further after this run began")
	}
	labels, err := before.ReadLabels()
	if err != nil {
		return fail("%w", err)
	}
	for i, label := range labels { // older runs have another form
		labels[i] = dataset.ClassName(label)
	}
	return !slices.Equal(labels, classes) || !slices.Equal(from.Units, config.Model.Units) || from.Pooling != config.Model.Pooling, nil
}

// sayInitFrom notes from which weights a run starts.
func sayInitFrom(env workflow.Env, config rundir.Config) {
	from := config.Model.InitFrom
	if from.FreshHead {
		env.Say("starting from the weights of %s with a fresh head: its classes, width or pooling differ", from.Path)
		return
	}
	env.Say("starting from the weights of %s, head included", from.Path)
	if asked := config.Training.FeatureScale; asked != AutoFeatureScale && asked != from.FeatureScale {
		env.Warn("the head of %s keeps its feature scale: %s %s has no effect", from.Path, pipeline.Option("feature-scale"), cmp.Or(asked, "none"))
	}
}

// frozenWeights returns the digest of the weights below a stage's cut, or empty
// for the model's own. The weights of an earlier run differ if it trained a deeper
// stage.
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

// sameFile reports whether two paths lead to the same existing file.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
