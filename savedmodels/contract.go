package savedmodels

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"

	"tftl/internal/regular"
	"tftl/pipeline"
)

// Contract is the version of the training contract that README.md in this folder
// specifies. Older ones can be used too. Before version 5 a step cannot be shared by
// the processes of a cluster. Checkpoints of versions 2 and 3 have all variables; heads of version 2 have no feature scale and always start with a
// random output layer.
const Contract = 5

// oldestContract is the oldest version that can be used.
const oldestContract = 2

// featuresVersion is the version of the contract in which features last changed.
// Those that were cached since then are still valid.
const featuresVersion = 2

// The tags that distinguish MetaGraphs.
const (
	tagServe = "serve"
	tagTrain = "train"
)

// signatureFeatures is the frozen part, signatureStep one step of training.
const (
	signatureFeatures = "features"
	signatureStep     = "step"
)

// Optional signatures.
const (
	signatureExplain   = "explain"
	signatureConstant  = "constant_features"
	signatureConstants = "constants_hold"
)

// Signatures that older models lack.
const (
	signatureHeadInputs = "head_inputs" // since version 3
	signatureSave       = "save"        // since version 4
	signatureShared     = "step_shared" // since version 5
)

// Description is an exported model's description of itself,
// assets.extra/tftl.json.
type Description struct {
	Contract     int         `json:"contract"`
	Backbone     string      `json:"backbone"`
	Weights      Weights     `json:"weights"`
	Input        Input       `json:"input"`
	Head         Head        `json:"head"`
	Stages       []StageInfo `json:"stages"` // shallow to deep; none in a trained model
	Int8         *Int8Info   `json:"int8,omitempty"`
	Optimizers   []string    `json:"optimizers"`
	LearningRate float64     `json:"learning_rate"` // default for the head
	Versions     Versions    `json:"versions"`
	Labels       []string    `json:"labels,omitempty"` // classes of a trained model, in order
	Sealed       bool        `json:"sealed,omitempty"` // SHA256SUMS beside it lists the digests of the model's files
}

// Weights says where the pretrained weights come from.
type Weights struct {
	Origin          string `json:"origin"`
	NetworkSHA256   string `json:"network_sha256"`
	VariablesSHA256 string `json:"variables_sha256"` // of variables/variables.data-*, one after the other
}

// Input says how an image becomes the network's input. The graph does the
// preprocessing; the caller decodes and resizes.
type Input struct {
	Size          [2]int `json:"size"` // height, width
	Interpolation string `json:"interpolation"`
	Preprocess    string `json:"preprocess"`
	Fit           string `json:"fit"` // for another aspect ratio: stretch (the default), crop or pad
}

// Head describes the head of the network.
type Head struct {
	Pooling string `json:"pooling"`
	Hidden  int    `json:"hidden"` // layers before the output; init sets their widths
	Inputs  int    `json:"inputs"`
}

// StageInfo is one depth of training.
type StageInfo struct {
	Name         string   `json:"name"`
	Layers       []string `json:"layers"`     // trained here but not in the stage before
	Features     []int64  `json:"features"`   // shape of one sample's activations at the cut
	Parameters   int64    `json:"parameters"` // trained parameters of the backbone
	FrozenSHA256 string   `json:"frozen_sha256"`
}

// Versions are the versions that wrote the export.
type Versions struct {
	TensorFlow string `json:"tensorflow"`
	Keras      string `json:"keras"`
}

// readDescription reads a model's tftl.json. It returns nil if there is none.
func readDescription(dir string) (*Description, error) {
	path := filepath.Join(dir, descriptionFile)
	data, err := regular.Read(path, maxDescription)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model: %w", err)
	}
	d := new(Description)
	if err := json.Unmarshal(data, d); err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: %w", path, err)
	}
	if d.Input.Fit == "" { // by an older exporter
		d.Input.Fit = "stretch"
	}
	if d.Contract < oldestContract || d.Contract > Contract {
		return nil, pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "model %s: has version %d of the training contract; this program needs %d to %d", dir, d.Contract, oldestContract, Contract),
			"export it again with this version's tftl-export")
	}
	if err := d.check(); err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: %w", path, err)
	}
	return d, nil
}

// Bounds of what a description may say, far above any network's. Buffers are as large
// as a description says.
const (
	maxSide   = 1 << 14
	maxValues = 1 << 28 // in an image, or in its features
	maxNames  = 1 << 20 // classes, or stages

	maxDescription = 256 << 20 // bytes of the file, or of the list of digests
)

// check checks the numbers and names of a description.
func (d *Description) check() error {
	h, w := d.Input.Size[0], d.Input.Size[1]
	switch {
	case h < 1 || w < 1:
		return fmt.Errorf("input size %v: must be 1 or more", d.Input.Size)
	case h > maxSide || w > maxSide || 3*h*w > maxValues:
		return fmt.Errorf("input size %v: must be at most %d, and the image have at most %d values", d.Input.Size, maxSide, maxValues)
	case !slices.Contains([]string{"stretch", "crop", "pad"}, d.Input.Fit):
		return fmt.Errorf("input fit %q: must be stretch, crop or pad", d.Input.Fit)
	case !slices.Contains([]string{"bilinear", "nearest", "bicubic", "area", "lanczos3"}, d.Input.Interpolation):
		return fmt.Errorf("input interpolation %q: must be bilinear, nearest, bicubic, area or lanczos3", d.Input.Interpolation)
	case d.Head.Hidden < 0 || d.Head.Hidden > maxSide:
		return fmt.Errorf("head has %d hidden layers: must be 0 to %d", d.Head.Hidden, maxSide)
	case d.Head.Inputs < 0 || d.Head.Inputs > maxValues:
		return fmt.Errorf("head has %d inputs: must be at most %d", d.Head.Inputs, maxValues)
	case len(d.Labels) == 1 || len(d.Labels) > maxNames || len(d.Stages) > maxNames:
		return fmt.Errorf("has %d labels and %d stages: labels must be two or more, and both at most %d", len(d.Labels), len(d.Stages), maxNames)
	case math.IsNaN(d.LearningRate) || d.LearningRate < 0 || d.LearningRate > maxSide:
		return fmt.Errorf("learning rate %g: must be 0 to %d", d.LearningRate, maxSide)
	}
	for _, stage := range d.Stages {
		values := int64(1)
		for _, n := range stage.Features {
			if n < 1 || n > maxValues || values*n > maxValues {
				return fmt.Errorf("stage %s: features %v: must be at most %d values", stage.Name, stage.Features, maxValues)
			}
			values *= n
		}
	}
	if d.Int8 != nil {
		if err := d.Int8.check(); err != nil {
			return err
		}
	}
	labels := slices.Clone(d.Labels)
	slices.Sort(labels)
	if len(slices.Compact(labels)) < len(d.Labels) || len(labels) > 0 && labels[0] == "" {
		return errors.New("labels: must be distinct names")
	}
	return nil
}

// checkTraining checks that a training MetaGraph has every signature of the
// contract, with the right names, dtypes and shapes.
func checkTraining(have []Signature, d *Description, stage StageInfo) error {
	images := append([]int64{-1}, int64(d.Input.Size[0]), int64(d.Input.Size[1]), 3)
	features := append([]int64{-1}, stage.Features...)
	scalar, matrix, float := []int64{}, []int64{-1, -1}, "float32"
	step := Signature{
		signatureStep,
		[]Tensor{
			{"clip", float, scalar},
			{"dropout", float, scalar},
			{"features", float, features},
			{"l2", float, scalar},
			{"lr", float, scalar},
			{"momentum", float, scalar},
			{"optimizer", "int32", scalar},
			{"targets", float, matrix},
			{"weight_decay", float, scalar},
			{"weights", float, []int64{-1}},
		},
		[]Tensor{{"finite", "bool", scalar}, {"logits", float, matrix}, {"loss", float, scalar}, {"penalty", float, scalar}},
	}
	want := []Signature{
		{"begin", nil, []Tensor{{"step", "int64", scalar}}},
		{signatureFeatures, []Tensor{{"images", float, images}}, []Tensor{{"features", float, features}}},
		{
			"init",
			[]Tensor{{"classes", "int32", scalar}, {"seed", "int32", []int64{2}}, {"units", "int32", []int64{int64(d.Head.Hidden)}}},
			[]Tensor{{"step", "int64", scalar}},
		},
		{"logits", []Tensor{{"features", float, features}}, []Tensor{{"logits", float, matrix}}},
		step,
	}
	if d.Contract >= 3 {
		want = append(want, Signature{"init", []Tensor{{"feature_scale", float, scalar}, {"output_scale", float, scalar}}, nil}, Signature{
			signatureHeadInputs,
			[]Tensor{{"features", float, features}},
			[]Tensor{{"inputs", float, []int64{-1, int64(d.Head.Inputs)}}},
		})
	}
	if d.Contract >= 4 {
		want = append(want, Signature{signatureSave, []Tensor{{"prefix", "string", scalar}}, []Tensor{{"step", "int64", scalar}}})
	}
	if d.Contract >= 5 {
		of := []Tensor{{"examples", "int32", scalar}, {"instance", "int32", scalar}, {"rows", "int32", []int64{-1}}, {"workers", "int32", scalar}}
		want = append(want, Signature{
			signatureShared, append(of, step.Inputs...), append([]Tensor{{"correct", float, scalar}}, step.Outputs...),
		})
	}
	if has(have, signatureConstant) {
		want = append(want,
			Signature{signatureConstant, []Tensor{{"images", float, images}}, []Tensor{{"features", float, features}}},
			Signature{signatureConstants, nil, []Tensor{{"hold", "bool", scalar}}})
	}
	if has(have, signatureExplain) { // older exports have none
		want = append(want, explaining(have, features)...)
	}
	return check(have, want)
}

// explaining is what a training MetaGraph has that explains from the features, or
// from the maps that these lose.
func explaining(have []Signature, features []int64) []Signature {
	label, heatmap := Tensor{"label", "int32", []int64{-1}}, Tensor{"heatmap", "float32", []int64{-1, anySize, anySize}}
	if explainsFrom(have) != outputMaps {
		return []Signature{{signatureExplain, []Tensor{label, {"features", "float32", features}}, []Tensor{heatmap}}}
	}
	maps := Tensor{outputMaps, "float32", []int64{-1, anySize, anySize, anySize}}
	want := []Signature{
		{signatureExplain, []Tensor{label, maps}, []Tensor{heatmap}},
		{signatureFeatures, nil, []Tensor{maps}},
	}
	if has(have, signatureConstant) {
		want = append(want, Signature{signatureConstant, nil, []Tensor{maps}})
	}
	return want
}

func checkServing(have []Signature, d *Description) error {
	images := []int64{-1, int64(d.Input.Size[0]), int64(d.Input.Size[1]), 3}
	want := []Signature{{
		"serving_default",
		[]Tensor{{"images", "float32", images}},
		[]Tensor{{"logits", "float32", []int64{-1, -1}}, {"probabilities", "float32", []int64{-1, -1}}},
	}}
	if has(have, signatureExplain) { // older exports have none
		want = append(want, Signature{
			signatureExplain,
			[]Tensor{{"label", "int32", []int64{-1}}, {"images", "float32", images}},
			[]Tensor{{"heatmap", "float32", []int64{-1, anySize, anySize}}},
		})
	}
	return check(have, want)
}

func has(list []Signature, name string) bool {
	return slices.ContainsFunc(list, func(s Signature) bool { return s.Name == name })
}

// check returns an error that names the first thing of want that is missing in
// have. Extra signatures and tensors are fine.
func check(have, want []Signature) error {
	for _, w := range want {
		i := slices.IndexFunc(have, func(s Signature) bool { return s.Name == w.Name })
		if i < 0 {
			return pipeline.Errorf(pipeline.BadModel, "signature %q is missing", w.Name)
		}
		if err := checkTensors(w.Name, "input", have[i].Inputs, w.Inputs); err != nil {
			return err
		}
		if err := checkTensors(w.Name, "output", have[i].Outputs, w.Outputs); err != nil {
			return err
		}
	}
	return nil
}

func checkTensors(signature, role string, have, want []Tensor) error {
	for _, w := range want {
		i := slices.IndexFunc(have, func(t Tensor) bool { return t.Name == w.Name })
		if i < 0 {
			return pipeline.Errorf(pipeline.BadModel, "signature %q has no %s %q", signature, role, w.Name)
		}
		// What an output of unknown rank returns, nobody knows.
		if h := have[i]; h.DType != w.DType || !fits(h.Shape, w.Shape) || role == "output" && h.Shape == nil {
			return pipeline.Errorf(pipeline.BadModel, "signature %q: %s is %v, but the contract needs %v", signature, role, h, w)
		}
	}
	return nil
}

// anySize is a dimension of a wanted shape that may have a fixed size. A
// dimension of -1 must accept any size: any number of images, or of classes.
const anySize = -2

// fits reports whether a declared shape is compatible with the wanted one.
// Unknown dimensions and unknown ranks are.
func fits(have, want []int64) bool {
	if have == nil {
		return true
	}
	return slices.EqualFunc(have, want, func(h, w int64) bool { return h == w || h < 0 || w == anySize })
}
