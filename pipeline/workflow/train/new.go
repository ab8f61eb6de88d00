package train

import (
	"cmp"
	"context"
	"os"
	"path/filepath"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// Prepared is a request that was checked against its model and its data. Nothing
// is written yet.
type Prepared struct {
	Request Request
	// Config is the request's, resolved for the model and the data.
	Config  rundir.Config
	Network workflow.Network
	Set     *dataset.Set
	Digests *workflow.Digests // of the set's images read so far
	// Measured says that the same command will measure the test part, so that its
	// images are read for both.
	Measured bool
	// Identify returns Config.Inputs, once all images have been read. nil: the run is
	// not part of a batch.
	Identify func() (string, error)

	env    workflow.Env
	timing []rundir.Timing // of the first frozen pass
	tuning *rundir.Tuning  // what tuning found; nil without
	opened *inputs         // for the run; nil without a cache

	excluded *exclusion // nil if nothing was to be left out
}

// Prepare loads the model, opens the data, and checks all that can be checked
// before training.
func Prepare(ctx context.Context, r Request, env workflow.Env) (*Prepared, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	config, err := initFrom(r)
	if err != nil {
		return nil, err
	}
	network, err := env.Load(config.Model.Path, r.Session)
	if err != nil {
		return nil, pipeline.About("model", err)
	}
	config.Tftl = env.Version
	if config, err = resolve(config, r.Epochs, network.Info()); err != nil {
		return nil, err
	}
	if config.Training.Tune, err = resolveTune(config, r.Config); err != nil {
		return nil, err
	}
	set, err := dataset.Open(config.Data.Path, DataOptions(config))
	if err != nil {
		return nil, pipeline.About("data", err)
	}
	left, err := exclude(set, r.Exclude)
	if err != nil {
		return nil, err
	}
	config.Data.Excluded = left.record()
	if set.Validation.Len() == 0 {
		return nil, pipeline.About("data", pipeline.Errorf(pipeline.BadData, "%s: the validation part is empty", config.Data.Path))
	}
	for _, data := range []string{config.Data.Path, config.Data.ValidationPath, config.Data.TestPath} {
		if data != "" && within(r.Output, data) {
			err := pipeline.Errorf(pipeline.BadUsage, "output %s: is inside the data, %s, so the run's own pictures would be read as images", r.Output, data)
			return nil, pipeline.About("data", pipeline.WithHint(err, "choose another %s", pipeline.Option("output")))
		}
	}
	if config.Training.ClassWeights, err = classWeights(r.ClassWeights, set); err != nil {
		return nil, err
	}
	return &Prepared{Request: r, Config: config, Network: network, Set: set, Digests: env.Digests(), env: env, excluded: left}, ctx.Err()
}

// New prepares and begins a run. The caller closes the run.
func New(ctx context.Context, r Request, env workflow.Env) (*Run, error) {
	if err := tell(r.Cluster, "run", &beginning{}); err != nil {
		return nil, err
	}
	p, err := Prepare(ctx, r, env)
	if err != nil {
		return nil, err
	}
	return p.Begin(ctx)
}

// Begin creates the run's folder with its configuration and its data. The caller
// closes the run.
func (p *Prepared) Begin(ctx context.Context) (run *Run, err error) {
	defer func() {
		if err != nil && p.opened != nil {
			p.opened.close()
		}
	}()
	helps := p.Request.Cluster != nil && !p.Request.Cluster.Chief()
	if !helps {
		if err := rundir.Free(p.Request.Output, p.Request.Overwrite); err != nil {
			return nil, err
		}
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	run = &Run{
		Config: p.Config, env: p.env, session: p.Request.Session, network: p.Network, set: p.Set, digests: p.Digests, options: p.Request.Options, unlock: func() {},
	}
	if err := run.agree(); err != nil {
		return nil, err
	}
	skipped, spent, err := p.lookFor(ctx)
	if err != nil {
		return nil, err
	}
	set, env := p.Set, p.env
	p.describeBalance()
	warnOfShared(env, set, p.Digests)
	if err := p.tune(ctx); err != nil {
		return nil, err
	}
	if p.Identify != nil {
		if p.Config.Inputs, err = p.Identify(); err != nil {
			return nil, err
		}
	}
	run.opened, run.spent, run.Skipped = p.opened, spent, skipped
	if helps {
		run.Config = p.Config
		return run, nil
	}
	p.Config.Sealed, p.Config.Runtime.Processes = true, p.Request.processes()
	data := &p.Config.Data
	data.TakenFor, data.SHA256, data.Layout = set.Description, set.Digest(), string(set.Layout)
	data.Train, data.Validation, data.Test = set.Train.Len(), set.Validation.Len(), set.Test.Len()
	evaluated, err := lockEvaluation(ctx, rundir.Dir{Path: p.Request.Output})
	if err != nil {
		return nil, err
	}
	dir, err := rundir.Create(p.Request.Output, p.Request.Overwrite, func(d rundir.Dir) error {
		locked, err := d.Lock()
		if err != nil {
			return err
		}
		run.unlock = locked
		return p.fill(d, skipped)
	})
	evaluated()
	if err != nil {
		run.unlock()
		return nil, err
	}
	if rundir.Is(dir.Replaced()) {
		env.Say("the old run in %s is kept in %s until the new one has a model", dir.Path, dir.Replaced())
	}
	if others, err := dir.Others(); err == nil && len(others) > 0 {
		env.Say("files that tftl did not write stay in %s: %s", dir.Path, printable.Few(others))
	}
	run.Dir, run.Config = dir, p.Config
	return run, nil
}

// fill writes the files that a run's folder has from the beginning.
func (p *Prepared) fill(d rundir.Dir, skipped []rundir.BadImage) error {
	contents := func(yield func(rundir.Content) bool) {
		for image := range p.Set.Record() {
			if !yield(rundir.Content{ID: image.ID, SHA256: p.Digests.Of(image.ID)}) {
				return
			}
		}
	}
	// On a full disk all of these fail, and the first error says enough.
	err := cmp.Or(d.WriteLabels(p.Set.Classes), d.WriteData(p.Set.Record()), d.WriteContents(contents), d.WriteTiming(p.timing))
	if p.skips() { // even without bad images, so that an older file is not mistaken for this run's
		err = cmp.Or(err, d.WriteBadImages(skipped))
	}
	if p.excluded != nil {
		err = cmp.Or(err, d.WriteExcluded(p.excluded.sortedImages()))
	}
	if p.tuning != nil {
		err = cmp.Or(err, d.WriteTuning(p.tuning))
	}
	return cmp.Or(err, d.WriteConfig(p.Config))
}

// settle describes the data, and completes the config for it.
func (p *Prepared) settle() (err error) {
	p.env.DescribeData(p.Set)
	p.excluded.describe(p.env)
	if from := p.Config.Model.InitFrom; from != nil {
		settled := *from // a copy, because from may be shared
		if settled.FreshHead, err = checkInitFrom(p.Config, p.Set.Classes); err != nil {
			return err
		}
		p.Config.Model.InitFrom = &settled
		sayInitFrom(p.env, p.Config)
	}
	if asked := p.Request.Config.Training; asked.FeatureScale != p.Config.Training.FeatureScale || asked.OutputInit != p.Config.Training.OutputInit {
		p.env.Say("model %s was exported by an older version, whose heads neither scale features nor start small: export it again for better results", p.Config.Model.Path)
	}
	return nil
}

// warnOfShared warns of images that are both in train and in validation.
func warnOfShared(env workflow.Env, set *dataset.Set, digests *workflow.Digests) {
	trained := map[workflow.Digest]string{} // of the validation images: which training image is the same
	for i := range set.Validation.Len() {
		trained[digests.Of(set.Validation.Sample(i).ID)] = ""
	}
	delete(trained, workflow.Digest{})
	for i := range set.Train.Len() {
		id := set.Train.Sample(i).ID
		sum := digests.Of(id)
		if _, ok := trained[sum]; ok {
			trained[sum] = id
		}
	}
	shared, example := 0, ""
	for i := range set.Validation.Len() {
		id := set.Validation.Sample(i).ID
		if same := trained[digests.Of(id)]; same != "" {
			if shared++; shared == 1 {
				example = same + " = " + id
			}
		}
	}
	if shared > 0 {
		env.Warn("validation images that are also in train, so metrics are optimistic: %d, such as %s (tftl inspect lists them)", shared, example)
	}
}

// within reports whether a path is inside a folder.
func within(path, folder string) bool {
	absolute, err := filepath.Abs(path)
	if err != nil || path == "" {
		return false
	}
	rest, err := filepath.Rel(folder, absolute)
	info, statErr := os.Stat(folder)
	return err == nil && filepath.IsLocal(rest) && statErr == nil && info.IsDir()
}
