package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/train"
)

// planner plans the runs of a batch. It looks only once at what several share.
type planner struct {
	env     workflow.Env
	mu      sync.Mutex                   // guards what follows while runs are done
	models  map[string]string            // digests by folder
	digests map[string]*workflow.Digests // of images, by data set
	checked map[string]bool              // sets of images whose files are there
}

// Plan prepares every run and finds out how much of it is done. It writes
// nothing. The caller closes the batch.
func Plan(ctx context.Context, r Request, env workflow.Env) (*Batch, error) {
	b := &Batch{request: r, env: together(env), free: make(chan *pool, r.jobs())}
	for range cap(b.free) {
		p := newPool(b.env.Load)
		b.pools = append(b.pools, p)
		b.free <- p
	}
	b.planner = &planner{env: b.env, models: map[string]string{}, digests: map[string]*workflow.Digests{}, checked: map[string]bool{}}
	b.planner.env.Load = b.pools[0].load
	for _, run := range r.Runs {
		j := &Job{Run: run}
		if err := b.planner.plan(ctx, j); err != nil {
			b.Close()
			if run.Place != nil && ctx.Err() == nil {
				err = run.Place(err)
			}
			return nil, err
		}
		b.Jobs = append(b.Jobs, j)
	}
	env.Remember()
	return b, nil
}

func (p *planner) plan(ctx context.Context, j *Job) error {
	prepared, err := train.Prepare(ctx, j.Train, p.env)
	if err != nil {
		return err
	}
	config, set := prepared.Config, prepared.Set
	if set.Validation.Len() == 0 || set.Test.Len() == 0 {
		return pipeline.About("data", pipeline.Errorf(pipeline.BadData, "%s: a batch needs a validation and a test part, but one of them is empty", config.Data.Path))
	}
	if j.Folds > 0 && set.FoldCount != j.Folds {
		return pipeline.About("fold", pipeline.Errorf(pipeline.BadUsage, "folds: %d, but %s has %d", j.Folds, config.Data.Path, set.FoldCount))
	}
	columns := train.DataOptions(config)
	columns.Columns = j.Evaluate.Dataset.Columns
	if len(columns.Columns) > 0 { // the evaluation will need them
		if _, err := dataset.Open(config.Data.Path, columns); err != nil {
			return err
		}
	}
	if err := j.Evaluate.CheckClasses(set.Classes); err != nil {
		return err
	}
	j.light = light(config, j.Train.Cache)
	j.Images = [3]int{set.Train.Len(), set.Validation.Len(), set.Test.Len()}
	source := strings.Join([]string{config.Data.Path, config.Data.ValidationPath, config.Data.TestPath}, "\n")
	if p.digests[source] == nil {
		p.digests[source] = p.env.Digests()
	}
	j.digests = p.digests[source]
	if j.State, err = j.new(); err != nil {
		return err
	}
	if j.State == ToBegin {
		return p.present(source, config, set)
	}
	legacy, err := p.inputs(ctx, j, config, set)
	if err != nil {
		return err
	}
	j.State, err = j.found(legacy)
	return err
}

// present checks that the files of a new run's images are there. The run reads them.
func (p *planner) present(source string, config rundir.Config, set *dataset.Set) error {
	key := source + "\n" + set.Digest()
	if config.Data.OnBadImage == train.SkipBadImages || p.checked[key] {
		return nil
	}
	p.checked[key] = true
	for _, part := range set.Parts() {
		for i := range part.Len() {
			path, ok := part.Path(i)
			if !ok {
				continue
			}
			if _, err := os.Stat(path); err != nil {
				return pipeline.About("data", pipeline.Errorf(pipeline.BadData, "%w", err))
			}
		}
	}
	return nil
}

// inputs digests everything that decides what a run learns: its resolved options,
// the model's files, and the images with their parts. legacy is the digest
// computed by earlier versions.
func (p *planner) inputs(ctx context.Context, j *Job, config rundir.Config, set *dataset.Set) (legacy string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	model, err := p.model(config.Model.Path)
	if err != nil {
		return "", err
	}
	images, err := p.images(ctx, j, config, set)
	if err != nil {
		return "", err
	}
	sources := rundir.Sources{Model: model, Parts: set.Digest(), Images: images}
	j.Inputs = config.Identity(sources)
	return config.LegacyIdentity(sources)
}

// model digests every file of a model.
func (p *planner) model(folder string) (string, error) {
	if sum, ok := p.models[folder]; ok {
		return sum, nil
	}
	h := sha256.New()
	files := os.DirFS(folder)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := files.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		fmt.Fprintf(h, "%q ", name)
		_, err = io.Copy(h, file)
		return err
	})
	p.models[folder] = hex.EncodeToString(h.Sum(nil))
	return p.models[folder], err
}

// images digests the contents of the images. Each is read once per batch. An image
// that cannot be read is an error, unless such images are skipped.
func (p *planner) images(ctx context.Context, j *Job, config rundir.Config, set *dataset.Set) (string, error) {
	all, err := set.Part(pipeline.AllParts)
	if err != nil {
		return "", err
	}
	if err := j.digests.Hash(ctx, all, j.Train.Workers, p.env.Progress); err != nil {
		return "", err
	}
	h := sha256.New()
	for i := range all.Len() {
		id := all.Sample(i).ID
		sum := j.digests.Of(id)
		if sum == (workflow.Digest{}) && config.Data.OnBadImage != train.SkipBadImages {
			if sum, err = j.digests.Read(all, i); err != nil {
				return "", pipeline.About("data", err)
			}
		}
		fmt.Fprintf(h, "%q %x\n", id, sum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// foreign is the error about a folder that is in the way of a run.
func (j *Job) foreign(format string) error {
	return pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, format, j.dir().Path), "choose another output, or give the run a name")
}

// new returns ToBegin for a run that has no folder yet. What decides it is digested
// when it has read its images.
func (j *Job) new() (State, error) {
	path := j.dir().Path
	if rundir.Is(path) {
		return "", nil
	}
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		return "", j.foreign("%s: exists, is not empty, and is not a run")
	}
	return ToBegin, nil
}

// found finds out how far a run has come that has a folder.
func (j *Job) found(legacy string) (State, error) {
	run := j.dir()
	config, err := run.ReadConfig()
	if err == nil && config.Inputs == "" {
		return "", j.foreign("%s: is a run that tftl run did not make")
	}
	if err != nil || config.Inputs != j.Inputs && config.Inputs != legacy {
		return ToRedo, nil // also if it cannot be read
	}
	j.Inputs = config.Inputs // the form in its record
	if !run.Finished(len(config.Training.Stages)) {
		return ToResume, nil
	}
	have, err := run.ReadBatchRecord()
	if want, wantErr := run.NewBatchRecord(j.Inputs, j.Terms); err != nil || wantErr != nil || have != want {
		return ToMeasure, nil
	}
	return Done, nil
}
