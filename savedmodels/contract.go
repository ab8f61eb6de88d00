package savedmodels

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"tftl/pipeline"
)

// Contract is the version of the training contract that this package speaks.
// README.md beside this file specifies it.
const Contract = 1

// The tags that tell MetaGraphs apart.
const (
	tagServe = "serve"
	tagTrain = "train"
)

// Signatures that a model may lack.
const (
	signatureExplain   = "explain"
	signatureConstant  = "constant_features"
	signatureConstants = "constants_hold"
)

// Description is assets.extra/tftl.json: what an exported model says of itself.
type Description struct {
	Contract     int         `json:"contract"`
	Backbone     string      `json:"backbone"`
	Weights      Weights     `json:"weights"`
	Input        Input       `json:"input"`
	Head         Head        `json:"head"`
	Stages       []StageInfo `json:"stages"` // shallow to deep; none in a trained model
	Optimizers   []string    `json:"optimizers"`
	LearningRate float64     `json:"learning_rate"` // the default for the head
	Versions     Versions    `json:"versions"`
	Labels       []string    `json:"labels,omitempty"` // a trained model's classes in order
}

// Weights tells where the pretrained weights are from.
type Weights struct {
	Origin          string `json:"origin"`
	NetworkSHA256   string `json:"network_sha256"`
	VariablesSHA256 string `json:"variables_sha256"` // of variables/variables.data-00000-of-00001
}

// Input is how an image becomes the network's input. Preprocessing is in the
// graph already; decoding and resizing are for whoever feeds it.
type Input struct {
	Size          [2]int `json:"size"` // height, width
	Interpolation string `json:"interpolation"`
	Preprocess    string `json:"preprocess"`
	Fit           string `json:"fit"` // of another aspect ratio: stretch, which an absent one means, crop or pad
}

// Head describes the trainable top.
type Head struct {
	Pooling string `json:"pooling"`
	Hidden  int    `json:"hidden"` // layers before the output, each of the width that `init` is given
	Inputs  int    `json:"inputs"`
}

// StageInfo is one depth of training.
type StageInfo struct {
	Name         string   `json:"name"`
	Layers       []string `json:"layers"`     // what it trains that the stage before did not
	Features     []int64  `json:"features"`   // shape of one sample's activations at the cut
	Parameters   int64    `json:"parameters"` // of the backbone that it trains
	FrozenSHA256 string   `json:"frozen_sha256"`
}

// Versions are those of the export.
type Versions struct {
	TensorFlow string `json:"tensorflow"`
	Keras      string `json:"keras"`
}

// readDescription reads a model's tftl.json; nil where it has none.
func readDescription(dir string) (*Description, error) {
	path := filepath.Join(dir, "assets.extra", "tftl.json")
	data, err := os.ReadFile(path)
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
	if d.Input.Fit == "" { // written before there was a choice
		d.Input.Fit = "stretch"
	}
	if d.Contract != Contract {
		return nil, pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "model %s: has version %d of the training contract; this program speaks %d", dir, d.Contract, Contract),
			"export it again with this version's scripts/export.py")
	}
	if d.Input.Size[0] < 1 || d.Input.Size[1] < 1 {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: input size %v", path, d.Input.Size)
	}
	return d, nil
}

// checkTraining sees that a training MetaGraph has every signature of the
// contract with the names, dtypes and shapes that it asks for.
func checkTraining(have []Signature, d *Description, stage StageInfo) error {
	images := append([]int64{-1}, int64(d.Input.Size[0]), int64(d.Input.Size[1]), 3)
	features := append([]int64{-1}, stage.Features...)
	scalar, matrix, float := []int64{}, []int64{-1, -1}, "float32"
	want := []Signature{
		{"begin", nil, []Tensor{{"step", "int64", scalar}}},
		{"features", []Tensor{{"images", float, images}}, []Tensor{{"features", float, features}}},
		{
			"init",
			[]Tensor{{"classes", "int32", scalar}, {"seed", "int32", []int64{2}}, {"units", "int32", scalar}},
			[]Tensor{{"step", "int64", scalar}},
		},
		{"logits", []Tensor{{"features", float, features}}, []Tensor{{"logits", float, matrix}}},
		{
			"step",
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
		},
	}
	if has(have, signatureConstant) {
		want = append(want,
			Signature{signatureConstant, []Tensor{{"images", float, images}}, []Tensor{{"features", float, features}}},
			Signature{signatureConstants, nil, []Tensor{{"hold", "bool", scalar}}})
	}
	return check(have, want)
}

func checkServing(have []Signature, d *Description) error {
	images := []int64{-1, int64(d.Input.Size[0]), int64(d.Input.Size[1]), 3}
	want := []Signature{{
		"serving_default",
		[]Tensor{{"images", "float32", images}},
		[]Tensor{{"logits", "float32", []int64{-1, -1}}, {"probabilities", "float32", []int64{-1, -1}}},
	}}
	if has(have, signatureExplain) { // an older export has none
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

// check names the first thing of want that have lacks. More than is wanted is fine.
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
		if h := have[i]; h.DType != w.DType || !fits(h.Shape, w.Shape) {
			return pipeline.Errorf(pipeline.BadModel, "signature %q: %s is %v, the contract has %v", signature, role, h, w)
		}
	}
	return nil
}

// anySize is a dimension of a wanted shape that may be known or not. One of -1
// must not be: it is to take any number of images, or of classes.
const anySize = -2

// fits says whether a declared shape can be the wanted one: where it has an
// unknown dimension or an unknown rank, it can.
func fits(have, want []int64) bool {
	if have == nil {
		return true
	}
	return slices.EqualFunc(have, want, func(h, w int64) bool { return h == w || h < 0 || w == anySize })
}
