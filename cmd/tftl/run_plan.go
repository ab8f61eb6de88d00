package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/runfile"
	"tftl/savedmodels"
)

// job is a run of a batch: what it is asked for, and what became of it.
type job struct {
	runfile.Run
	session  savedmodels.Options
	fit      fitOptions
	evaluate evaluateOptions
	// inputs is a digest of all that the trained model follows from, terms one of
	// how it is measured.
	inputs, terms string
	images        [3]int // of each part
	state         jobState
	// What became of it.
	err     error
	seconds float64
	best    *pipeline.Epoch
	report  *metrics.Report
}

// jobState is how far a run has come.
type jobState string

const (
	toBegin   jobState = "to do"
	toRedo    jobState = "to do again: its inputs changed"
	toResume  jobState = "to go on with"
	toMeasure jobState = "to measure"
	isDone    jobState = "done"
)

// planner reads and checks a batch. What several runs share, it looks at once.
type planner struct {
	batchOptions
	pool   *pool
	models map[string]string                       // digests by folder
	images map[string]map[string][sha256.Size]byte // digests by data set and image
}

// plan makes a batch's jobs. Whatever can be known beforehand is checked: a
// night's work is not to end at a misspelt figure.
func (o batchOptions) plan(ctx context.Context, p *pool) ([]*job, error) {
	planner := planner{o, p, map[string]string{}, map[string]map[string][sha256.Size]byte{}}
	var jobs []*job
	for _, run := range o.file.Runs {
		j := &job{Run: run}
		if err := planner.read(ctx, j); err != nil {
			return nil, err
		}
		if err := planner.check(ctx, j); err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// read turns a run's options into those of the commands.
func (p *planner) read(ctx context.Context, j *job) error {
	folder := filepath.Join(p.output, filepath.FromSlash(j.Name))
	err := withOptions(ctx, p.file, j.At, newFitCommand(), j.Fit, func(c *cli.Context) (err error) {
		if err := c.Set("output", folder); err != nil {
			return err
		}
		j.session = sessionOptions(c)
		j.fit, err = newFitOptions(c)
		return err
	})
	if err != nil {
		return err
	}
	return withOptions(ctx, p.file, j.At, newEvaluateCommand(), j.Evaluate, func(c *cli.Context) (err error) {
		if err := c.Set("model", folder); err != nil {
			return err
		}
		j.terms = valuesDigest(c)
		j.evaluate, err = newEvaluateOptions(c)
		return err
	})
}

// valuesDigest is a digest of a command's options, whoever set them.
func valuesDigest(c *cli.Context) string {
	h := sha256.New()
	for _, f := range c.Command.Flags {
		fmt.Fprintf(h, "%s %q\n", f.Names()[0], fmt.Sprint(c.Value(f.Names()[0])))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// check opens what a run needs, and finds out how much of it is done.
func (p *planner) check(ctx context.Context, j *job) error {
	config := &j.fit.config
	model, err := p.pool.load(config.Model.Path, j.session)
	if err != nil {
		return p.at(j, "model", err)
	}
	if err := j.fit.resolve(model); err != nil {
		return p.at(j, "", err)
	}
	options := datasetOptions(*config)
	options.Columns = j.evaluate.dataset.Columns
	set, err := dataset.Open(config.Data.Path, options)
	if err != nil {
		return p.at(j, "data", err)
	}
	if err := j.fit.checkOutput(); err != nil {
		return p.at(j, "data", err)
	}
	if set.Validation.Len() == 0 || set.Test.Len() == 0 {
		return p.at(j, "data", pipeline.Errorf(pipeline.BadData, "%s: a batch needs a validation and a test part, and one of them is empty", config.Data.Path))
	}
	if j.Folds > 0 && set.FoldCount != j.Folds {
		return p.at(j, runfile.FoldOption, pipeline.Errorf(pipeline.BadUsage, "folds: %d, but %s has %d", j.Folds, config.Data.Path, set.FoldCount))
	}
	if config.Training.ClassWeights, err = classWeights(j.fit.classWeights, set); err != nil {
		return p.at(j, "class-weights", err)
	}
	if err := errors.Join(j.evaluate.gates.check(set.Classes, j.evaluate.topK), j.evaluate.decision.checkClasses(len(set.Classes))); err != nil {
		return p.at(j, "", err)
	}
	j.images = [3]int{set.Train.Len(), set.Validation.Len(), set.Test.Len()}
	if j.inputs, err = p.inputs(ctx, j, set); err != nil {
		return err
	}
	config.Inputs = j.inputs
	j.state, err = j.found()
	if err != nil {
		return p.file.At(j.At, err)
	}
	return nil
}

// at names the place of an error in the file: that of the option which the
// error names, or which it is about.
func (p *planner) at(j *job, about string, err error) error {
	options := slices.Concat(j.Fit, j.Evaluate)
	place := j.At
	if i := slices.IndexFunc(options, func(o runfile.Option) bool { return o.Name == about }); i >= 0 {
		place = options[i].ValueAt()
	}
	return p.file.At(placeOf(err, options, place), err)
}

// inputs digests all that decides what a run learns: options as they were
// resolved, model, and images with their parts.
func (p *planner) inputs(ctx context.Context, j *job, set *dataset.Set) (string, error) {
	config := j.fit.config
	config.Tftl, config.Runtime.Devices, config.Runtime.Threads, config.Runtime.Instructions = "", nil, 0, ""
	model, err := p.modelDigest(config.Model.Path)
	if err != nil {
		return "", err
	}
	images, err := p.imagesDigest(ctx, config.Data, set)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal([]any{config, model, set.Digest(), images})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// modelDigest digests every file of a model.
func (p *planner) modelDigest(folder string) (string, error) {
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

// imagesDigest digests what the images show. Each is read once for a batch.
func (p *planner) imagesDigest(ctx context.Context, data rundir.Data, set *dataset.Set) (string, error) {
	source := strings.Join([]string{data.Path, data.ValidationPath, data.TestPath}, "\n")
	known := p.images[source]
	if known == nil {
		known = map[string][sha256.Size]byte{}
		p.images[source] = known
	}
	all, err := set.Subset("all")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for i := range all.Len() {
		id := all.Sample(i).ID
		sum, ok := known[id]
		if !ok {
			if err := ctx.Err(); err != nil {
				return "", err
			}
			image, err := all.Bytes(i)
			if err != nil {
				return "", err
			}
			sum = sha256.Sum256(image)
			known[id] = sum
		}
		fmt.Fprintf(h, "%q %x\n", id, sum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
