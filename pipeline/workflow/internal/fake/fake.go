// Package fake has fake models and decoders for the tests of workflows, so that
// these run in milliseconds and without TensorFlow.
//
// An image is a file with a number, which is its only pixel. A file without one
// cannot be decoded. A network has one weight and a state of its optimizer:
// different steps, another order or another rate lead to different values.
package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// World is the shared state of an Env's functions. It counts calls and can make
// them fail.
type World struct {
	Loads, Opens, Exports int
	Steps                 int            // of all networks
	Frozen                map[string]int // images that passed the frozen part, by stage
	Passes                int            // forward passes of all heads, apart from steps
	Blind                 bool           // whether no stage can explain
	Notes                 []string
	// OnStep, if set, is called before each step and may fail it.
	OnStep func(step int) error
	// OnOpen, if set, is called before a stage is opened and may fail that.
	OnOpen func(stage string) error
	// Weights is the digest of the networks' weights.
	Weights string
	// FrozenBatch is that of the networks.
	FrozenBatch int
	mu          sync.Mutex
}

// Env returns an environment of the world.
func (w *World) Env() workflow.Env {
	return workflow.Env{
		Version: "test",
		Load: func(path string, s workflow.Session) (workflow.Network, error) {
			w.count(&w.Loads)
			if _, err := os.Stat(path); err != nil {
				return nil, pipeline.Errorf(pipeline.BadModel, "model: %w", err)
			}
			n := &network{world: w, info: info(path, w.Weights, s)}
			n.info.FrozenBatch = w.FrozenBatch
			return n, nil
		},
		Decoder: func(workflow.Input, int) (workflow.Decoder, error) { return decoder{}, nil },
		Augmenter: func(pipeline.Augmentation, uint64, workflow.Input, int) (workflow.Augmenter, error) {
			return nil, fmt.Errorf("not augmented here")
		},
		Note: func(n workflow.Note) {
			w.mu.Lock()
			defer w.mu.Unlock()
			text := n.String()
			if n.Warning {
				text = "warning: " + text
			}
			w.Notes = append(w.Notes, text)
		},
	}
}

// Noted reports whether any note contains a text, and removes all notes.
func (w *World) Noted(text string) bool {
	found := slices.ContainsFunc(w.Notes, func(n string) bool { return strings.Contains(n, text) })
	w.Notes = nil
	return found
}

func info(path, weights string, s workflow.Session) workflow.Info {
	if weights == "" {
		weights = "weights"
	}
	return workflow.Info{
		Path: path, Backbone: "fake", WeightsSHA256: weights, Pooling: "gap", Hidden: 1,
		Input:  workflow.Input{Height: 1, Width: 1, Interpolation: "nearest", Preprocess: "none"},
		Stages: []string{"head", "block2", "block1"}, Optimizers: []string{"sgd"}, LearningRate: 0.5, NewHead: true,
		Runtime: rundir.Runtime{TensorFlow: "0", Precision: "float32", Threads: s.Threads},
	}
}

type decoder struct{}

func (decoder) Decode(_ context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
	b := pipeline.Batch{Samples: samples, Shape: []int64{int64(len(encoded)), 1, 1, 1}}
	for i, image := range encoded {
		v, err := strconv.ParseFloat(string(image), 32)
		if err != nil {
			return b, pipeline.Errorf(pipeline.BadData, "image %s: is bad", samples[i].ID)
		}
		b.Data = append(b.Data, float32(v))
	}
	return b, nil
}

func (decoder) Version() string { return "fake" }

func (decoder) Close() error { return nil }

// step counts a step.
func (w *World) step() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Steps++
	if w.OnStep == nil {
		return nil
	}
	return w.OnStep(w.Steps)
}

// count adds one to a count.
func (w *World) count(n *int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*n++
}

// memory is the content of a checkpoint.
type memory struct {
	Block, Weight, Slot float64 // Block is the weight of the upper layers, which head freezes
}

type network struct {
	world *World
	info  workflow.Info
}

func (n *network) Info() workflow.Info { return n.info }

func (n *network) FeatureSpace(stage, weights string) (string, error) {
	return stage + " " + weights + n.info.WeightsSHA256, nil
}

func (n *network) Open(_ context.Context, name string) (pipeline.Stage, error) {
	if n.world.OnOpen != nil {
		if err := n.world.OnOpen(name); err != nil {
			return nil, err
		}
	}
	n.world.count(&n.world.Opens)
	return &stage{network: n, name: name}, nil
}

func (n *network) Export(_ context.Context, checkpoint, dir string, labels []string) error {
	n.world.count(&n.world.Exports)
	data, err := os.ReadFile(checkpoint + ".data-00000-of-00001")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "saved_model.pb"), fmt.Appendf(data, "%q", labels), 0o600)
}

// rounding is by how much the head's features differ from those computed from a
// deeper stage's, as with constant weights.
const rounding = 1. / 1024

// stage is a network opened at a depth: head, or one that also trains the block.
type stage struct {
	*network
	name   string
	closed bool
	memory
}

func (s *stage) Init(_ context.Context, h pipeline.Head) error {
	s.memory = memory{Block: s.Block, Weight: float64(h.Seed) + float64(h.Classes) + float64(h.Units[0])/1000 + 1/h.FeatureScale}
	s.Weight += 0.5 * h.OutputScale
	return nil
}

func (s *stage) Begin(context.Context) error {
	s.Slot = 0
	return nil
}

func (s *stage) Features(_ context.Context, images pipeline.Batch) (pipeline.Batch, error) {
	if err := s.use(); err != nil {
		return images, err
	}
	images.Shape = []int64{images.Shape[0], 1}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	if s.world.Frozen == nil {
		s.world.Frozen = map[string]int{}
	}
	s.world.Frozen[s.name] += len(images.Data)
	if s.name == "head" {
		for i := range images.Data {
			images.Data[i] += float32(s.Block) + rounding
		}
	}
	return images, nil
}

func (s *stage) Explains() bool  { return !s.world.Blind }
func (s *stage) LosesMaps() bool { return s.name == "head" }

// FeaturesAndMaps returns maps that are the features plus 100.
func (s *stage) FeaturesAndMaps(ctx context.Context, images pipeline.Batch) (out, maps pipeline.Batch, err error) {
	out, err = s.Features(ctx, images)
	maps = out
	maps.Data = nil
	for _, v := range out.Data {
		maps.Data = append(maps.Data, v+100)
	}
	return out, maps, err
}

// Explain returns heat maps that are what it takes plus the class.
func (s *stage) Explain(_ context.Context, from pipeline.Batch, classes []int) (pipeline.HeatMaps, error) {
	heat := pipeline.HeatMaps{Height: 1, Width: 1}
	for i, v := range from.Data {
		heat.Data = append(heat.Data, v+float32(classes[i]))
	}
	return heat, nil
}

func (s *stage) HeadInputs(_ context.Context, features pipeline.Batch) (pipeline.Batch, error) {
	for i, v := range features.Data {
		features.Data[i] = s.above(v)
	}
	return features, s.use()
}

// above runs the layers above the cut and below the head.
func (s *stage) above(v float32) float32 {
	if s.name == "head" {
		return v
	}
	return v + float32(s.Block)
}

func (s *stage) Step(_ context.Context, b pipeline.Batch, h pipeline.Hyperparameters) (pipeline.Result, error) {
	if err := s.world.step(); err != nil {
		return pipeline.Result{}, err
	}
	result := pipeline.Result{Finite: true}
	for i, v := range b.Data {
		v = s.above(v)
		s.Slot = s.Slot/2 + float64(v)
		s.Weight += h.LearningRate * float64(i+1) * s.Slot / 1000
		result.Logits = append(result.Logits, 0, v)
	}
	if s.name != "head" {
		s.Block += 0.25
	}
	result.Loss = 1 / (1 + s.Weight)
	return result, s.use()
}

func (s *stage) Logits(_ context.Context, b pipeline.Batch) ([]float32, error) {
	s.world.count(&s.world.Passes)
	var logits []float32
	for _, v := range b.Data {
		logits = append(logits, 0, s.above(v)*float32(s.Weight)/1000)
	}
	return logits, s.use()
}

func (s *stage) Save(_ context.Context, prefix string) error {
	data, err := json.Marshal(s.memory)
	if err != nil {
		return err
	}
	return os.WriteFile(prefix+".data-00000-of-00001", data, 0o600)
}

func (s *stage) Restore(_ context.Context, prefix string) error {
	data, err := os.ReadFile(prefix + ".data-00000-of-00001")
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &s.memory)
}

func (s *stage) Close() error {
	s.closed = true
	return nil
}

// use fails if the stage is closed.
func (s *stage) use() error {
	if s.closed {
		return fmt.Errorf("stage %s: is closed", s.name)
	}
	return nil
}

// Data writes a folder of images with the parts train, val and test and the
// classes cat and dog. Cats are negative numbers, dogs positive ones.
func Data(t testing.TB, folder string) string {
	t.Helper()
	number := 0
	for part, count := range map[string]int{"train": 4, "val": 2, "test": 2} {
		for class, sign := range map[string]int{"cat": -1, "dog": 1} {
			for i := range count {
				number++
				Write(t, filepath.Join(folder, part, class, fmt.Sprintf("%d.jpg", i)), fmt.Sprint(sign*(i+1)*7+len(part)))
			}
		}
	}
	return folder
}

// Write writes a file and the folders above it.
func Write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
