// Package workflow has what the packages below it share. They do what a command
// does, without flags, file names and TensorFlow.
//
// train begins or resumes a run, evaluate measures a model, batch does both for many
// runs, and curve trains heads on parts of the training images. Each takes a request, which says what to do, and an Env, which
// says with what. Models, decoders and augmenters are small interfaces here, so
// that state machines can be tested in milliseconds. The root package connects
// them with savedmodels and pixels.
package workflow

import (
	"context"

	"tftl/pipeline"
	"tftl/pipeline/contents"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// Env is the environment of a workflow. Call its functions from one goroutine at
// a time.
type Env struct {
	// Version is the program's version, recorded in every run.
	Version string
	// Load loads an exported network for a session.
	Load func(path string, s Session) (Network, error)
	// Decoder returns a decoder for a network's input. It decodes workers images at
	// a time; 0 is one per processor.
	Decoder func(in Input, workers int) (Decoder, error)
	// Augmenter returns an augmenter for a network's input.
	Augmenter func(a pipeline.Augmentation, seed uint64, in Input, threads int) (Augmenter, error)
	// CheckModel says whether a trained model is whole. It may be nil.
	CheckModel func(dir string) error
	// Accept writes into a trained model which images it answers by a decision and, unless
	// it is nil, by another novelty than its own. knows is false if the model's graph has
	// no place for it. It may be nil.
	Accept func(dir string, d metrics.Decision, n *pipeline.Novelty) (knows bool, err error)
	// Served is how a trained model judges novelty. It has no Centers if the model does
	// not, and is nil if the model's graph has no place for it. It may be nil.
	Served func(dir string) (*pipeline.Novelty, error)
	// Caches are shared with other runs. It is nil for a single run.
	Caches *Caches
	// Shared is what the runs of a batch have learnt of the images that they share. It
	// is nil for a single run.
	Shared *Digests
	// ReadOnce keeps images of test parts for the pictures of the best run of a batch.
	// It is nil for a single run.
	ReadOnce *ReadOnce
	// Memory is how many more bytes the process may use, and Disk how many are free
	// on the disk of a folder; below 0 if unknown. They may be nil, which is the same.
	Memory func() int64
	Disk   func(folder string) int64
	// Contents remembers what was learnt of image files. It may be nil.
	Contents *contents.Table
	// Show receives the events of long loops, with a timing at the end of a frozen
	// pass or an epoch. It may be nil.
	Show func(pipeline.Event, rundir.Timing)
	// Note receives what a person should know. It may be nil.
	Note func(Note)
}

// Note is something that a person should know.
type Note struct {
	Warning bool   // something may spoil the result: show it even if all else is quiet
	Run     string // that it is about, if others are trained at the same time
	pipeline.Message
}

// Say sends a note.
func (e Env) Say(format string, args ...any) { e.note(false, pipeline.Messagef(format, args...)) }

// Warn sends a warning, about something that may spoil the result.
func (e Env) Warn(format string, args ...any) { e.note(true, pipeline.Messagef(format, args...)) }

func (e Env) note(warning bool, m pipeline.Message) {
	if e.Note != nil {
		e.Note(Note{Warning: warning, Message: m})
	}
}

// FreeMemory is Memory's answer, or below 0.
func (e Env) FreeMemory() int64 {
	if e.Memory == nil {
		return -1
	}
	return e.Memory()
}

// FreeDisk is Disk's answer, or below 0.
func (e Env) FreeDisk(folder string) int64 {
	if e.Disk == nil {
		return -1
	}
	return e.Disk(folder)
}

// Progress sends an event to Show without a timing.
func (e Env) Progress(event pipeline.Event) {
	if e.Show != nil {
		e.Show(event, rundir.Timing{})
	}
}

// Session says how TensorFlow should run a model.
type Session struct {
	Precision string // auto, float32, tf32, bfloat16, float16 or int8
	Threads   int    // 0 for all processors
	Device    string // auto, cpu, gpu or gpu:N
	GPUMemory int64  // most bytes of a GPU's memory; 0 for all
	Trust     bool   // run a model whose graph does more than compute
}

// Again returns the session of a resumed run. It keeps the threads and the
// precision with which the run began, because they affect the last digits of the
// result, and so stays on the CPU if it began in bfloat16. Only a device that was asked
// for and lacks the precision changes it.
func (s Session) Again(was rundir.Runtime) Session {
	s.Threads = was.Threads
	automatic := s.Device == "" || s.Device == "auto"
	switch {
	case was.Precision == "tf32": // auto chooses it on a GPU; a CPU goes on without
	case (was.Precision == "bfloat16" || was.Precision == "int8") && automatic: // a GPU has none
		s.Precision, s.Device, s.GPUMemory = was.Precision, "cpu", 0
	case (was.Precision == "bfloat16" || was.Precision == "int8") && s.Device != "cpu", was.Precision == "float16" && s.Device == "cpu":
		s.Precision = "auto" // whoever asks for another device gets what it has
	default:
		s.Precision = was.Precision
	}
	return s
}

// Network is an exported network that can be trained.
type Network interface {
	pipeline.Opener
	// Info describes the network.
	Info() Info
	// FeatureSpace identifies everything except the image that determines the exact
	// values of a stage's features. weights is the digest of the checkpoint that the
	// frozen part was restored from, or empty for the network's own weights.
	FeatureSpace(stage, weights string) (string, error)
	// Export writes a checkpoint as a serving SavedModel into dir, which exists and
	// is empty.
	Export(ctx context.Context, checkpoint, dir string, labels []string) error
}

// Info describes a network.
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
	// NewHead is false for an export of an older version, whose head has no feature
	// scale and cannot start small.
	NewHead bool
	// FrozenBatch is the batch size of its frozen part where features are stored; 0 for
	// that of package features.
	FrozenBatch int
	Runtime     rundir.Runtime
}

// Input says how an image becomes a network's input.
type Input struct {
	Height, Width int
	Interpolation string
	Fit           string // for another aspect ratio: stretch, crop or pad
	Preprocess    string // done by the graph
}

// Decoder turns encoded images into pixels, [N,H,W,3], 0 to 255.
type Decoder interface {
	Decode(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error)
	// Version changes if other images can be decoded.
	Version() string
	Close() error
}

// Augmenter changes pixels at random. Its draws depend only on seed, epoch and
// sample.
type Augmenter interface {
	Apply(ctx context.Context, epoch int, pixels pipeline.Batch) (pipeline.Batch, error)
	// Variant describes what is drawn for a sample.
	Variant(epoch int, sample pipeline.Sample) string
	// Describe says what is changed, and how that differs from Keras.
	Describe() (notes, warnings []pipeline.Message)
	Close() error
}

// Describe sends notes about what an augmenter changes.
func (e Env) Describe(a Augmenter) {
	notes, warnings := a.Describe()
	for _, n := range notes {
		e.Say("%v", n)
	}
	for _, w := range warnings {
		e.Warn("%v", w)
	}
}
