// Package workflow is what the packages below it share: what a command does,
// without flags, without files' names and without TensorFlow.
//
// train begins a run or goes on with one, evaluate measures a model, and batch
// does both for many runs. Each takes a request, which says what is wanted, and
// an Env, which says with what: models, decoders and augmenters are small
// interfaces here, so that a state machine can be tested in milliseconds.
// Package main connects them with savedmodels and pixels.
package workflow

import (
	"context"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// Env is what a workflow works with. Its functions may be called from one
// goroutine at a time.
type Env struct {
	// Version of the program, for the run's record.
	Version string
	// Load loads an exported network, for a session.
	Load func(path string, s Session) (Network, error)
	// Decoder makes images into a network's input, workers at a time; 0 is one
	// per processor.
	Decoder func(in Input, workers int) (Decoder, error)
	// Augmenter changes pixels of a network's input at random.
	Augmenter func(a pipeline.Augmentation, seed uint64, in Input, threads int) (Augmenter, error)
	// Show gets the events of long loops, with how long it took if one ends a
	// frozen pass or an epoch; nil shows none.
	Show func(pipeline.Event, rundir.Timing)
	// Note gets what a person should know, as it is found; nil drops it.
	Note func(Note)
}

// Note is something that a person should know.
type Note struct {
	Warning bool // it may spoil the result, and is shown even if all else is quiet
	pipeline.Message
}

// Say passes on what is worth knowing.
func (e Env) Say(format string, args ...any) { e.note(false, pipeline.Messagef(format, args...)) }

// Warn passes on what may spoil the result.
func (e Env) Warn(format string, args ...any) { e.note(true, pipeline.Messagef(format, args...)) }

func (e Env) note(warning bool, m pipeline.Message) {
	if e.Note != nil {
		e.Note(Note{warning, m})
	}
}

// Progress hands events to Show: those of loops that nobody times.
func (e Env) Progress(event pipeline.Event) {
	if e.Show != nil {
		e.Show(event, rundir.Timing{})
	}
}

// Session is how TensorFlow is to run a model.
type Session struct {
	Precision string // auto, float32 or bfloat16
	Threads   int    // 0 for all processors
	Device    string // auto, cpu, gpu or gpu:N
}

// Again is the session of a run that goes on: threads and precision are those
// that it began with, for they change the result's last bits.
func (s Session) Again(was rundir.Runtime) Session {
	s.Threads = was.Threads
	if was.Precision != "tf32" { // which a GPU chooses, and nobody asks for
		s.Precision = was.Precision
	}
	return s
}

// Network is an exported network that can be trained.
type Network interface {
	pipeline.Opener
	// Info is what the network says of itself.
	Info() Info
	// FeatureSpace names everything but the image that decides the bits of a
	// stage's features. weights is the digest of a checkpoint that the frozen
	// part was restored from, or empty if it is the network's own.
	FeatureSpace(stage, weights string) (string, error)
	// Exporter opens the graph that serves.
	Exporter() (Exporter, error)
}

// Exporter writes trained models.
type Exporter interface {
	// Export writes what a checkpoint holds as a SavedModel that serves, into
	// dir, which exists and is empty.
	Export(ctx context.Context, checkpoint, dir string, labels []string) error
	Close()
}

// Info is what a network says of itself.
type Info struct {
	Path          string // of its folder
	Backbone      string
	WeightsOrigin string
	WeightsSHA256 string
	Input         Input
	Pooling       string
	Hidden        int      // layers of its head before the output
	Stages        []string // shallow to deep
	Optimizers    []string
	LearningRate  float64 // default for the head
	Runtime       rundir.Runtime
}

// Input is how an image becomes a network's input.
type Input struct {
	Height, Width int
	Interpolation string
	Fit           string // of another aspect ratio: stretch, crop or pad
	Preprocess    string // in the graph already
}

// Decoder makes encoded images into pixels, [N,H,W,3], 0 to 255.
type Decoder interface {
	Decode(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error)
	Close() error
}

// Augmenter changes pixels at random, by draws that follow from seed, epoch and
// sample alone.
type Augmenter interface {
	Apply(ctx context.Context, epoch int, pixels pipeline.Batch) (pipeline.Batch, error)
	// Variant says in words what is drawn for a sample.
	Variant(epoch int, sample pipeline.Sample) string
	// Describe says what is changed, and how that differs from Keras.
	Describe() (notes, warnings []pipeline.Message)
	Close() error
}

// Describe says what an augmenter changes.
func (e Env) Describe(a Augmenter) {
	notes, warnings := a.Describe()
	for _, n := range notes {
		e.Say("%v", n)
	}
	for _, w := range warnings {
		e.Warn("%v", w)
	}
}
