// Command steps trains the head of a network for many steps on cached features,
// and measures whether memory stays flat and which share of the time is spent in
// Go. `make bench-parts` runs it.
//
// It is the loop of `tftl fit` without a run folder: batches come from the feature
// cache on disk, and each epoch ends with validation.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	_ "tftl/internal/quiet"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/metrics"
	"tftl/pipeline/pixels"
	"tftl/pipeline/schedule"
	"tftl/savedmodels"
)

func main() {
	data := flag.String("data", "", "folder of photographs with one sub-folder per class")
	model := flag.String("model", "", "exported model")
	steps := flag.Int("steps", 20_000, "how many steps to train")
	batchSize := flag.Int("batch-size", 32, "images per batch")
	flag.Parse()
	if err := run(context.Background(), *data, *model, *steps, *batchSize); err != nil {
		fmt.Fprintln(os.Stderr, "steps:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, data, exported string, steps, batchSize int) error {
	r, err := savedmodels.Resolve(savedmodels.Options{Precision: "auto", Device: "auto"})
	if err != nil {
		return err
	}
	model, err := savedmodels.Load(exported, r)
	if err != nil {
		return err
	}
	set, err := dataset.OpenLabelled(data, dataset.Options{})
	if err != nil {
		return err
	}
	images, err := set.Part(pipeline.AllParts)
	if err != nil {
		return err
	}
	in := model.Description.Input
	decoder, err := pixels.NewDecoder(pixels.Options{Height: in.Size[0], Width: in.Size[1], Interpolation: in.Interpolation, Fit: in.Fit})
	if err != nil {
		return err
	}
	defer decoder.Close()
	dir, err := os.MkdirTemp("", "steps-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := features.Open(features.Options{Dir: dir}, "bench")
	if err != nil {
		return err
	}
	defer store.Close()

	calls := &opener{model: model}
	perEpoch := (images.Len() + batchSize - 1) / batchSize
	epochs := max(1, steps/perEpoch)
	log := &recorder{dir: dir, epochs: epochs}
	var started time.Time
	_, err = pipeline.Fit(ctx, pipeline.Job{
		Plan: pipeline.Plan{
			Classes: len(set.Classes), Units: units(model), BatchSize: batchSize, Seed: 1,
			Stages: []pipeline.StagePlan{{Stage: "head", Epochs: epochs, Schedule: schedule.Constant(1e-4), Hyper: pipeline.Hyperparameters{Optimizer: "adam"}}},
			Watch:  func([]pipeline.Epoch) pipeline.Verdict { return pipeline.Verdict{} },
		},
		Model: calls,
		Inputs: func(ctx context.Context, _ string, stage pipeline.Stage) (train, validation pipeline.Source, err error) {
			source := &features.Source{Encoded: images, Decode: decoder.Decode, Compute: stage.Features, Store: store}
			err = source.Warm(ctx, batchSize, nil)
			started, calls.inside = time.Now(), 0
			return source, source, err
		},
		Measure:   metrics.Basic,
		Recorder:  log,
		SaveEvery: time.Hour,
	})
	if err != nil {
		return err
	}
	whole := time.Since(started)
	fmt.Printf("%d steps of %d images, with validation: %.1f s, of which %.1f%% outside TensorFlow's calls\n",
		epochs*perEpoch, min(batchSize, images.Len()), whole.Seconds(), 100*(1-calls.inside.Seconds()/whole.Seconds()))
	fmt.Printf("resident memory: %.0f MB after a tenth, %.0f MB at the end\n", log.early, log.late)
	return nil
}

// units returns the widths of the head's hidden layers.
func units(model *savedmodels.Model) []int {
	return slices.Repeat([]int{256}, model.Description.Head.Hidden)
}

// opener opens stages that count the time inside TensorFlow's calls.
type opener struct {
	model  *savedmodels.Model
	inside time.Duration
}

// Open opens a stage.
func (o *opener) Open(ctx context.Context, name string) (pipeline.Stage, error) {
	stage, err := o.model.Open(ctx, name)
	return timed{stage, o}, err
}

type timed struct {
	pipeline.Stage
	opener *opener
}

// Step trains.
func (t timed) Step(ctx context.Context, features pipeline.Batch, h pipeline.Hyperparameters) (pipeline.Result, error) {
	defer t.since(time.Now())
	return t.Stage.Step(ctx, features, h)
}

// Logits validates.
func (t timed) Logits(ctx context.Context, features pipeline.Batch) ([]float32, error) {
	defer t.since(time.Now())
	return t.Stage.Logits(ctx, features)
}

func (t timed) since(start time.Time) { t.opener.inside += time.Since(start) }

// recorder keeps the newest checkpoint in a folder, and measures memory.
type recorder struct {
	dir         string
	epochs      int // that will be trained
	early, late float64
}

// Epoch measures memory after a tenth of the epochs and after each later one.
func (r *recorder) Epoch(e pipeline.Epoch) error {
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	var pages, resident int
	if _, err := fmt.Sscan(string(status), &pages, &resident); err != nil {
		return err
	}
	r.late = float64(resident*os.Getpagesize()) / 1e6
	if e.Epoch <= max(1, r.epochs/10) {
		r.early = r.late
	}
	return nil
}

// Save writes a checkpoint.
func (r *recorder) Save(name string, _ pipeline.State, save func(prefix string) error) error {
	if err := os.MkdirAll(filepath.Join(r.dir, name), 0o777); err != nil {
		return err
	}
	return save(r.Checkpoint(name))
}

// Checkpoint returns where it is.
func (r *recorder) Checkpoint(name string) string { return filepath.Join(r.dir, name, "checkpoint") }
