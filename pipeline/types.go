// Package pipeline has the vocabulary of transfer learning and its two loops,
// Fit and Evaluate. It decides when things happen; a model decides how.
//
// The loops see a data set as a Source, which gives random access to batches,
// and a network as a Stage, one trainable depth of an exported model. Neither is
// implemented here. The packages below this one do data sets, decoding, caching,
// metrics and the run folder; package savedmodels does the network. This package
// imports none of them, nor TensorFlow.
package pipeline

import "context"

// Sample is one labelled image of a data set, before it is read.
type Sample struct {
	// ID identifies the sample in its data set and never changes. For a folder of
	// images it is the path below the folder, with forward slashes.
	ID string
	// Label is the index of its class, or -1 if it has none.
	Label int
	// Weight multiplies its share of the loss. The default is 1.
	Weight float32
}

// The parts of a data set, by their names in options and files.
const (
	TrainPart      = "train"
	ValidationPart = "val"
	TestPart       = "test"
	AllParts       = "all" // all three together
)

// Parts lists the parts in order: training, validation, test.
func Parts() [3]string { return [3]string{TrainPart, ValidationPart, TestPart} }

// Encoded gives random access to labelled images as they are stored: JPEG,
// PNG, BMP, GIF or WebP bytes. It is safe for concurrent use.
type Encoded interface {
	Len() int
	Sample(i int) Sample
	// Bytes reads the whole of image i. The caller owns the result. An error names
	// the file, and the offset if the file has several images.
	Bytes(i int) ([]byte, error)
}

// Batch is the input of one step, flat and row-major. The receiver owns it. Data
// has pixels ([N,H,W,3], 0 to 255, as in Keras) before the frozen part of a
// network and activations after it.
type Batch struct {
	Samples []Sample  // N of them
	Shape   []int64   // of Data; Shape[0] is N
	Data    []float32 // as many values as the product of Shape
	Targets []float32 // [N,C], one distribution over the classes per row; empty unless training
	Weights []float32 // [N]; empty unless training
	// Mixed says with what each sample's Data is mixed; nil for nothing.
	Mixed []Mixed // [N]
	// Share says which part of a larger batch this is; nil if it is all of it.
	Share *Share
	// Recycle, if not nil, gives the memory of Data to a later batch. The owner
	// may call it once, after the last use of Data, but does not have to.
	Recycle func()
}

// Share says which part of a batch is this process's, if the processes of a cluster
// share it. A part without samples of its own has one that fills it up, whose place is
// -1 and which counts for nothing.
type Share struct {
	Rows []int // the place in the whole batch of each sample
	Of   int   // samples of the whole batch
}

// Whole is the number of samples of the batch, or of the one that it is a part of.
func (b Batch) Whole() int {
	if b.Share != nil {
		return b.Share.Of
	}
	return len(b.Samples)
}

// fillsUp reports whether the batch is a share without samples of its own.
func (b Batch) fillsUp() bool { return b.Share != nil && len(b.Share.Rows) == 1 && b.Share.Rows[0] < 0 }

// Mixed says that a sample's data is not its own alone: mixup adds that of a
// partner, CutMix puts a part of the partner's image in its place.
type Mixed struct {
	Partner Sample
	Share   float64 // of the sample itself, from 0 to 1; the rest is the partner's
}

// Source gives random access to batches, so that a run can resume at any batch
// and only Order decides their order. The epoch matters only for augmentation, and
// if the source is sampled: then an index is a draw, not always the same sample.
// It is safe for concurrent use, and all callers get the same batches.
type Source interface {
	Len() int
	Sample(i int) Sample
	Batch(ctx context.Context, epoch int, index []int) (Batch, error)
}

// Hyperparameters are the settings of one training step. Zero switches off
// everything except the learning rate.
type Hyperparameters struct {
	Optimizer    string  `json:"optimizer"`    // one that the model lists: "adam", "sgd"
	LearningRate float64 `json:"-"`            // above 0; set by the schedule
	Momentum     float64 `json:"momentum"`     // of SGD, from 0 to below 1
	WeightDecay  float64 `json:"weight_decay"` // decoupled, as in Keras' optimizers
	L2           float64 `json:"l2"`           // factor of the sum of squares of the head's kernels
	ClipNorm     float64 `json:"clip_norm"`    // largest global norm of the gradients
	Dropout      float64 `json:"dropout"`      // rate, from 0 to below 1
}

// Result is the result of one training step.
type Result struct {
	Loss    float64   // sum of weight times cross-entropy over the whole batch, divided by its size
	Penalty float64   // the L2 term, not part of Loss
	Logits  []float32 // [N,C], before the update
	Correct int       // correctly classified samples of the whole batch; only of a share
	Finite  bool      // false if a gradient or the loss was not finite; nothing was updated then
}

// Head describes a new head.
type Head struct {
	Classes int   // two or more
	Units   []int // widths of its hidden layers
	Seed    uint64
	// FeatureScale divides the head's inputs. 1 leaves them as they are.
	FeatureScale float64
	// OutputScale multiplies the random weights of the output layer. 1 leaves them
	// as in Keras, 0 starts with all classes equally likely.
	OutputScale float64
}

// Stage is an exported network opened for training at one depth. Everything
// below its cut is frozen. One goroutine at a time may call its methods, except
// Features, which is safe for concurrent use.
type Stage interface {
	// Init gives the head new weights and sets the step to 0.
	Init(ctx context.Context, head Head) error
	// Begin resets the optimizer's state for this stage.
	Begin(ctx context.Context) error
	// Features runs the frozen part. It takes pixels and returns the same batch
	// with activations.
	Features(ctx context.Context, images Batch) (Batch, error)
	// Step trains everything above the cut on activations.
	Step(ctx context.Context, features Batch, h Hyperparameters) (Result, error)
	// HeadInputs runs the layers between the cut and the head. It returns the same
	// batch with the head's inputs, [N,I], before they are divided by the scale.
	HeadInputs(ctx context.Context, features Batch) (Batch, error)
	// Logits runs everything above the cut in inference mode: [N,C].
	Logits(ctx context.Context, features Batch) ([]float32, error)
	// Save and Restore write and read a checkpoint at a path prefix. The folder
	// must exist.
	Save(ctx context.Context, prefix string) error
	Restore(ctx context.Context, prefix string) error
	Close() error
}

// Prediction is a model's output for one sample.
type Prediction struct {
	Sample        Sample
	Probabilities []float32 // [C]
	Logits        []float32 // [C], or nil if the model returns only probabilities
	Novelty       float32   // as type Novelty says; 0 if the model does not
}

// Metric is a named number.
type Metric struct {
	Name  string
	Value float64
}

// Measure computes metrics from predictions. Fit gets it as an argument, so it
// knows no metric by name.
type Measure func([]Prediction) []Metric
