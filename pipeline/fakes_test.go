package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// numbers is a Source of n samples. Sample i has the single activation i and the
// class i%2. If before is set, each batch calls it first, and it may fail.
type numbers struct {
	n      int
	before func(ctx context.Context, epoch int, index []int) error
}

func (s numbers) Len() int { return s.n }

func (s numbers) Sample(i int) Sample { return Sample{ID: fmt.Sprint(i), Label: i % 2, Weight: 1} }

func (s numbers) Batch(ctx context.Context, epoch int, index []int) (Batch, error) {
	if s.before != nil {
		if err := s.before(ctx, epoch, index); err != nil {
			return Batch{}, err
		}
	}
	b := Batch{Shape: []int64{int64(len(index)), 1}}
	for _, i := range index {
		b.Samples = append(b.Samples, s.Sample(i))
		b.Data = append(b.Data, float32(i))
	}
	return b, nil
}

// network is a model with one weight. A step adds the learning rate times the
// samples, weighted by their position in the batch. So different steps, another
// order or another rate lead to a different weight.
type network struct {
	files map[string]memory // checkpoints by path prefix
	calls []string          // methods called, in order
	steps []taken
	opens int // stages that are open
	// fail gets each entry of calls before the call and may fail it. It may be nil.
	fail func(call string) error
	// infinite is the number of the step whose gradient is not finite; 0 for none.
	infinite int
}

// taken is the input of a step.
type taken struct {
	index []int
	hyper Hyperparameters
	batch Batch
}

// memory is the content of a checkpoint.
type memory struct {
	weight, slot float64
}

func (n *network) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	n.calls = append(n.calls, call)
	if n.fail != nil {
		return n.fail(call)
	}
	return nil
}

func (n *network) Open(_ context.Context, stage string) (Stage, error) {
	if err := n.call("open %s", stage); err != nil {
		return nil, err
	}
	n.opens++
	return &openNetwork{network: n}, nil
}

type openNetwork struct {
	*network
	memory
}

func (s *openNetwork) Init(_ context.Context, h Head) error {
	s.memory = memory{weight: float64(h.Seed)}
	return s.call("init %d %v %d %g", h.Classes, h.Units, h.Seed, h.FeatureScale)
}

func (s *openNetwork) Begin(context.Context) error {
	s.slot = 0
	return s.call("begin")
}

func (s *openNetwork) Features(_ context.Context, images Batch) (Batch, error) { return images, nil }

func (s *openNetwork) HeadInputs(_ context.Context, features Batch) (Batch, error) {
	return features, s.call("head inputs")
}

func (s *openNetwork) Step(ctx context.Context, b Batch, h Hyperparameters) (Result, error) {
	if err := s.call("step"); err != nil {
		return Result{}, err
	}
	result := Result{Finite: len(s.steps)+1 != s.infinite}
	if !result.Finite {
		return result, nil
	}
	var index []int
	for i, v := range b.Data {
		index = append(index, int(v))
		s.slot = s.slot/2 + float64(v)
		s.weight += h.LearningRate * float64(i+1) * s.slot
		result.Logits = append(result.Logits, 0, 1-v) // class 1 for sample 0, class 0 for others
	}
	result.Loss = float64(index[0])
	s.steps = append(s.steps, taken{index, h, b})
	return result, ctx.Err() // after the update
}

func (s *openNetwork) Logits(_ context.Context, b Batch) ([]float32, error) {
	if err := s.call("logits"); err != nil {
		return nil, err
	}
	var logits []float32
	for _, v := range b.Data {
		logits = append(logits, v, float32(s.weight))
	}
	return logits, nil
}

func (s *openNetwork) Save(ctx context.Context, prefix string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.files[prefix] = s.memory
	return s.call("save")
}

func (s *openNetwork) Restore(_ context.Context, prefix string) error {
	saved, ok := s.files[prefix]
	if !ok {
		return fmt.Errorf("no checkpoint %s", prefix)
	}
	s.memory = saved
	return s.call("restore %s", prefix)
}

func (s *openNetwork) Close() error {
	s.opens--
	return nil
}

// recorder keeps a run in memory. The network keeps the checkpoints.
type recorder struct {
	network *network
	history []Epoch
	states  map[string]State
	saves   []string // names of checkpoints, in the order of saving
}

func (r *recorder) Epoch(e Epoch) error {
	if err := r.network.call("epoch %d", e.Epoch); err != nil {
		return err
	}
	r.history = append(r.history, e)
	return nil
}

func (r *recorder) Save(name string, state State, save func(prefix string) error) error {
	if err := save("new"); err != nil {
		return err
	}
	r.network.files[r.Checkpoint(name)] = r.network.files["new"]
	r.states[name] = state
	r.saves = append(r.saves, name)
	return nil
}

func (r *recorder) Checkpoint(name string) string { return "checkpoints/" + name }

// job returns a run of one stage and three epochs, with five training and four
// validation samples. best lists its best epochs.
func job(best ...int) (Job, *network, *recorder) {
	n := &network{files: map[string]memory{}}
	r := &recorder{network: n, states: map[string]State{}}
	return Job{
		Plan: Plan{
			Classes: 2, Units: []int{7}, Seed: 11, FeatureScale: 1, BatchSize: 2,
			Stages: []StagePlan{{Stage: "head", Epochs: 3, Schedule: func(step int) float64 { return 1 / float64(step+1) }}},
			Watch: func(history []Epoch) Verdict {
				return Verdict{Best: slices.Contains(best, history[len(history)-1].Epoch)}
			},
		},
		Model: n,
		Inputs: func(context.Context, string, Stage) (train, validation Source, err error) {
			return numbers{n: 5}, numbers{n: 4}, nil
		},
		Measure: func(predictions []Prediction) []Metric {
			return []Metric{{"samples", float64(len(predictions))}, {"weight", float64(predictions[0].Logits[1])}}
		},
		Recorder:  r,
		SaveEvery: time.Hour,
	}, n, r
}

// without drops calls with any of the prefixes.
func without(calls []string, prefixes ...string) []string {
	return slices.DeleteFunc(slices.Clone(calls), func(call string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(call, p) })
	})
}

// shifted is a Predictor whose logits show its input.
type shifted struct {
	mu    sync.Mutex
	sizes []int
	err   error
}

func (p *shifted) Predict(_ context.Context, b Batch) ([]Prediction, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sizes = append(p.sizes, len(b.Samples))
	predictions := make([]Prediction, len(b.Samples))
	for i, s := range b.Samples {
		predictions[i] = Prediction{Sample: s, Logits: []float32{b.Data[i], 1}}
	}
	return predictions, p.err
}
