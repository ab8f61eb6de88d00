// Package pipeline holds the vocabulary of transfer learning and its two
// loops, Fit and Evaluate. It owns when a thing happens; a model owns how.
//
// A data set reaches the loops as a Source, random access to batches; a
// network as a Stage, one trainable depth of an exported model. Neither is
// implemented here: the folders below this one hold data sets, decoding,
// caching, metrics and the run folder, and the package savedmodels holds the
// network. This package imports none of them, and no TensorFlow.
package pipeline

import "context"

// Sample is one labelled image of a data set, before it is read.
type Sample struct {
	// ID names the sample in its data set for as long as the data set lives:
	// the path below the root with forward slashes, for a folder.
	ID string
	// Label is the index of its class, or -1 where it has none.
	Label int
	// Weight multiplies its part of the loss; 1 where nothing says otherwise.
	Weight float32
}

// The parts of a data set, as options and files name them.
const (
	TrainPart      = "train"
	ValidationPart = "val"
	TestPart       = "test"
	AllParts       = "all" // the three together
)

// Parts lists the parts in their order: what trains, what chooses, what measures.
func Parts() [3]string { return [3]string{TrainPart, ValidationPart, TestPart} }

// Encoded gives random access to labelled images as they are stored: JPEG,
// PNG, BMP, GIF or WebP bytes. It is safe for concurrent use.
type Encoded interface {
	Len() int
	Sample(i int) Sample
	// Bytes reads image i whole. The caller owns the result. An error names
	// the file, or the file and the offset in it.
	Bytes(i int) ([]byte, error)
}

// Batch is one step's examples, flat and row-major. Whoever receives it owns
// it. Data holds pixels ([N,H,W,3], 0 to 255, as Keras means them) before the
// frozen part of a network and activations after it.
type Batch struct {
	Samples []Sample  // N of them
	Shape   []int64   // of Data; Shape[0] is N
	Data    []float32 // product of Shape
	Targets []float32 // [N,C], one distribution over the classes a row; empty where nothing is trained or measured
	Weights []float32 // [N]; empty as Targets
	// Recycle, where there is one, gives Data's memory to a later batch. The
	// owner may call it once, when Data is read no more, and need not.
	Recycle func()
}

// Source gives random access to batches, so that a run resumes at any batch
// and order is decided in one place, Order. The epoch matters to augmentation
// alone. It is safe for concurrent use, and any number of callers gets the
// same batches.
type Source interface {
	Len() int
	Sample(i int) Sample
	Batch(ctx context.Context, epoch int, index []int) (Batch, error)
}

// Hyperparameters are what one training step takes beside its examples. Zero
// switches each but the learning rate off.
type Hyperparameters struct {
	Optimizer    string  `json:"optimizer"`    // a name that the model lists: "adam", "sgd"
	LearningRate float64 `json:"-"`            // above 0; the schedule's
	Momentum     float64 `json:"momentum"`     // SGD's, from 0 to below 1
	WeightDecay  float64 `json:"weight_decay"` // decoupled, as Keras' optimizers have it
	L2           float64 `json:"l2"`           // times the sum of squares of the head's kernels
	ClipNorm     float64 `json:"clip_norm"`    // largest global norm of the gradients
	Dropout      float64 `json:"dropout"`      // rate, from 0 to below 1
}

// Result is what one step leaves behind.
type Result struct {
	Loss    float64   // sum over the batch of weight times cross-entropy, over N
	Penalty float64   // the L2 term, not part of Loss
	Logits  []float32 // [N,C], before the update
	Finite  bool      // false: a gradient or the loss was not finite, and nothing was updated
}

// Stage is an exported network opened for training from one depth up: what
// lies below its cut is frozen. Its methods are called by one goroutine,
// but for Features, which is safe for concurrent use.
type Stage interface {
	// Init gives the head fresh weights for a number of classes (two or more) and a width for
	// each of its hidden layers, and sets the step to 0.
	Init(ctx context.Context, classes int, units []int, seed uint64) error
	// Begin empties the optimizer's memory for this stage.
	Begin(ctx context.Context) error
	// Features runs the frozen part: pixels in, the same batch with activations out.
	Features(ctx context.Context, images Batch) (Batch, error)
	// Step trains everything above the cut on activations.
	Step(ctx context.Context, features Batch, h Hyperparameters) (Result, error)
	// Logits runs everything above the cut in inference mode: [N,C].
	Logits(ctx context.Context, features Batch) ([]float32, error)
	// Save and Restore write and read a checkpoint at a path prefix. The folder must exist.
	Save(ctx context.Context, prefix string) error
	Restore(ctx context.Context, prefix string) error
	Close() error
}

// Prediction is what a model said of one sample.
type Prediction struct {
	Sample        Sample
	Probabilities []float32 // [C]
	Logits        []float32 // [C], or nil where the model gives probabilities alone
}

// Metric is one named figure.
type Metric struct {
	Name  string
	Value float64
}

// Measure turns predictions into figures. It is passed to Fit, which knows
// none by name.
type Measure func([]Prediction) []Metric

// Model is an exported network. A stage is a graph of its own, so one is open
// at a time.
type Model interface {
	Open(ctx context.Context, stage string) (Stage, error)
	// Export writes what a checkpoint holds as a SavedModel that serves, into dir, which exists.
	Export(ctx context.Context, checkpoint, dir string, labels []string) error
}
