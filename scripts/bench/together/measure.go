package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"tftl/pipeline"
	"tftl/savedmodels"
)

// line is what is measured with one number of examples.
type line struct {
	Stage     string  `json:"stage"`
	Precision string  `json:"precision"`
	Processes int     `json:"processes"`
	Floats    int     `json:"floats"`   // that are summed: gradients, loss, right answers
	Examples  int     `json:"examples"` // of each process
	Seconds   float64 `json:"seconds"`  // of the fastest step
}

// measure trains, and prints the lines if this process is the chief.
func (o options) measure(ctx context.Context, server *savedmodels.Server) error {
	r, err := savedmodels.Resolve(o.session(server))
	if err != nil {
		return err
	}
	model, err := savedmodels.Load(o.model, r)
	if err != nil {
		return err
	}
	info, err := model.Stage(o.stage)
	if err != nil {
		return err
	}
	stage, err := model.Open(ctx, o.stage)
	if err != nil {
		return err
	}
	defer stage.Close()
	head := model.Description.Head
	units := slices.Repeat([]int{o.units}, head.Hidden)
	if err := stage.Init(ctx, pipeline.Head{Classes: 2, Units: units, Seed: 1, FeatureScale: 1, OutputScale: 1}); err != nil {
		return err
	}
	if err := stage.Begin(ctx); err != nil {
		return err
	}
	l := line{Stage: o.stage, Precision: string(r.Precision), Processes: o.processes, Floats: int(info.Parameters) + 2}
	inputs := head.Inputs
	for _, width := range append(units, 1) { // two classes have one output
		l.Floats += (inputs + 1) * width
		inputs = width
	}
	out := io.Writer(os.Stdout)
	if o.task > 0 {
		out = io.Discard
	}
	for _, l.Examples = range o.examples {
		times, err := o.train(ctx, stage, batch(l.Examples, info.Features), server != nil)
		if err != nil {
			return err
		}
		l.Seconds = slices.Min(times).Seconds()
		if err := json.NewEncoder(out).Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// batch is random features of some examples.
func batch(examples int, features []int64) pipeline.Batch {
	b := pipeline.Batch{Samples: make([]pipeline.Sample, examples), Shape: append([]int64{int64(examples)}, features...)}
	values := 1
	for _, n := range b.Shape {
		values *= int(n)
	}
	random := rand.New(rand.NewPCG(1, 2))
	b.Data = make([]float32, values)
	for i := range b.Data {
		b.Data[i] = random.Float32()
	}
	for i := range examples {
		b.Targets = append(b.Targets, float32(i%2), float32(1-i%2))
		b.Weights = append(b.Weights, 1)
	}
	return b
}

// train makes steps and returns how long each took. The first ones do not count: in them
// TensorFlow optimises the graph, and processes find each other.
func (o options) train(ctx context.Context, stage pipeline.Stage, b pipeline.Batch, shared bool) (times []time.Duration, err error) {
	if shared {
		n := len(b.Samples)
		b.Share = &pipeline.Share{Of: n * o.processes}
		for i := range n {
			b.Share.Rows = append(b.Share.Rows, o.task*n+i)
		}
	}
	for i := -3; i < o.steps; i++ {
		started := time.Now()
		result, err := stage.Step(ctx, b, pipeline.Hyperparameters{Optimizer: "sgd", LearningRate: 1e-6})
		if err == nil && !result.Finite {
			err = errors.New("training diverged")
		}
		if err != nil {
			return nil, err
		}
		if i >= 0 {
			times = append(times, time.Since(started))
		}
	}
	return times, nil
}
