// Package savedmodels loads and runs exported networks. It is the Go side of the
// training contract, which README.md in this folder specifies.
//
// Load checks names, dtypes, shapes and the version before anything runs. Open
// returns one stage for training and Predictor the network for serving; Export
// writes a trained model. No exported signature has a TensorFlow type: inputs
// and outputs are flat slices with shapes.
//
// This is not a general loader for SavedModels. One without the contract can
// only predict, with Plain.
package savedmodels

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"tftl/pipeline"
)

// Model is a SavedModel folder with a checked description and checked
// signatures.
type Model struct {
	Dir         string
	Description *Description // nil for a SavedModel without the contract
	Runtime     *Runtime
	saved       *savedModel
	mu          sync.Mutex // guards used
	used        variables  // once they were opened
}

// Load reads and checks a model's description and signatures. It builds no
// graph. Errors are of kind pipeline.BadModel and name the folder.
func Load(dir string, r *Runtime) (*Model, error) {
	saved, err := readSavedModel(dir)
	if err != nil {
		return nil, err
	}
	description, err := readDescription(dir)
	if err != nil {
		return nil, err
	}
	if err := checkSeal(dir, description); err != nil {
		return nil, err
	}
	m := &Model{Dir: dir, Description: description, Runtime: r, saved: saved}
	if description == nil {
		return m, nil
	}
	if serve := metaGraph(saved, tagServe); serve == nil {
		err = pipeline.Errorf(pipeline.BadModel, "has no MetaGraph with the tag %s", tagServe)
	} else {
		err = checkServing(signatures(serve), description)
	}
	for _, info := range description.Stages {
		if err != nil {
			break
		}
		if train := metaGraph(saved, tagTrain, info.Name); train == nil {
			err = pipeline.Errorf(pipeline.BadModel, "has no MetaGraph with the tags %s, %s", tagTrain, info.Name)
		} else if err = checkTraining(signatures(train), description, info); err != nil {
			err = fmt.Errorf("stage %s: %w", info.Name, err)
		}
	}
	if err == nil {
		err = m.checkInt8()
	}
	if err != nil {
		return nil, pipeline.WithHint(fmt.Errorf("model %s: %w", dir, err), "export it again with tftl-export")
	}
	return m, nil
}

// LacksForTraining says what the model lacks for training. It is empty if the
// model can be trained.
func (m *Model) LacksForTraining() string {
	lacks := "signature \"step\" is missing"
	switch {
	case m.Description == nil:
		return "it was exported for serving only; " + lacks
	case len(m.Description.Stages) > 0:
		return ""
	case len(m.Description.Labels) > 0:
		return "it is a trained model, for serving only; " + lacks
	}
	return lacks
}

// Trainable returns an error if the model cannot be trained.
func (m *Model) Trainable() error {
	lacks := m.LacksForTraining()
	if lacks == "" {
		return nil
	}
	hint := pipeline.Messagef("tftl-export exports networks that can be trained")
	if m.Description == nil {
		hint = pipeline.Messagef("%s; with %s it exports your own, without its top", hint, pipeline.Option("keras-model"))
	}
	return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "model %s: cannot be trained: %s", m.Dir, lacks), "%s", hint)
}

// MetaGraphs lists the model's graphs in the file's order.
func (m *Model) MetaGraphs() []MetaGraph {
	var list []MetaGraph
	for _, graph := range m.saved.metaGraphs {
		tags := strings.Join(graph.GetMetaInfoDef().GetTags(), ",")
		list = append(list, MetaGraph{tags, signatures(graph)})
	}
	return list
}

// MetaGraph is a graph of a SavedModel and its signatures.
type MetaGraph struct {
	Tags       string // joined with commas
	Signatures []Signature
}

// Stage returns the description of a stage. An unknown name is an error that
// lists the model's stages.
func (m *Model) Stage(name string) (StageInfo, error) {
	if err := m.Trainable(); err != nil {
		return StageInfo{}, err
	}
	names := make([]string, len(m.Description.Stages))
	for i, info := range m.Description.Stages {
		if info.Name == name {
			return info, nil
		}
		names[i] = info.Name
	}
	return StageInfo{}, pipeline.Errorf(pipeline.BadUsage, "stage %q: model %s has %s", name, m.Dir, strings.Join(names, ", "))
}

// Open loads the graph of one stage in its own session, with the variables of
// the folder.
func (m *Model) Open(ctx context.Context, name string) (pipeline.Stage, error) {
	info, err := m.Stage(name)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	def := metaGraph(m.saved, tagTrain, name)
	s := &stage{info: info, optimizers: m.Description.Optimizers, constants: m.constants(name), version: m.Description.Contract, network: m}
	if s.int8, err = m.inInt8(name); err != nil {
		return nil, err
	}
	s.explainsFrom = explainsFrom(signatures(def))
	if err := s.choose(def, nil); err != nil {
		return nil, err
	}
	return s, nil
}

// constants reports whether a stage also has its frozen part with constant
// weights.
func (m *Model) constants(name string) bool {
	return has(signatures(metaGraph(m.saved, tagTrain, name)), signatureConstant)
}

// FeatureSpace identifies everything except the image that determines the exact
// values of a stage's features: the frozen network, how images are decoded,
// precision, TensorFlow, device and instruction set. In the same space, the same
// image has the same features. weights is the digest of the checkpoint that the
// frozen network was restored from, or empty for the model's own weights.
func (m *Model) FeatureSpace(name, weights string) (string, error) {
	info, err := m.Stage(name)
	if err != nil {
		return "", err
	}
	d := m.Description
	b, v, err := m.variables()
	if err != nil {
		return "", err
	}
	b.close()
	// The exporter's digest covers only the frozen part, so that exports of the
	// same network share features. It is valid only for the variables it was
	// computed from.
	frozen := info.FrozenSHA256
	if v.sum() != d.Weights.VariablesSHA256 || frozen == "" {
		frozen = "variables " + v.sum()
	}
	if weights != "" {
		frozen = "checkpoint " + weights + " in " + frozen // the checkpoint does not tell pooling and cut
	}
	constants := m.constants(name) && v.sum() == d.Weights.VariablesSHA256
	def, signature := metaGraph(m.saved, tagTrain, name), signatureFeatures
	if constants {
		signature = signatureConstant
	}
	var ranges []float32
	if quantized, err := m.inInt8(name); err != nil {
		return "", err
	} else if quantized {
		def, signature, constants, ranges = m.int8(), name, false, d.Int8.Ranges
	}
	graph, err := def.graphDigest(signature)
	if err != nil {
		return "", pipeline.Errorf(pipeline.BadModel, "model %s: stage %s: %w", m.Dir, name, err)
	}
	space, err := json.Marshal(struct {
		Contract     int       `json:"contract"`
		Stage        string    `json:"stage"`
		Graph        string    `json:"graph"`
		Frozen       string    `json:"frozen"`
		Constants    bool      `json:"constants,omitempty"` // they round differently
		Input        Input     `json:"input"`
		Precision    Precision `json:"precision"`
		TensorFlow   string    `json:"tensorflow"`
		Device       string    `json:"device"`
		Instructions string    `json:"instructions"`
		Ranges       []float32 `json:"ranges,omitempty"` // of activations in int8
	}{
		featuresVersion, name, graph, frozen, constants, d.Input, m.Runtime.Precision, m.Runtime.TensorFlow,
		strings.Join(slices.Sorted(slices.Values(m.Runtime.Devices)), " "), m.Runtime.Instructions, ranges,
	})
	return string(space), err
}
