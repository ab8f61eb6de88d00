// Package savedmodels loads exported networks and runs them: the training
// contract from Go. README.md in this folder specifies the contract.
//
// Load checks names, dtypes, shapes and the version before anything runs. Open
// gives one stage for training, Predictor the network that serves, Export
// writes a trained model. No TensorFlow type is in an exported signature; flat
// slices and shapes go in and come out.
//
// It is not a general loader of SavedModels: one that lacks the contract can
// be predicted with, through Plain, and nothing else.
package savedmodels

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tftl/pipeline"
)

// Model is a SavedModel folder whose description and signatures were checked.
type Model struct {
	Dir         string
	Description *Description // nil for a SavedModel without the contract
	Runtime     *Runtime
	saved       *savedModelPB
	variables   string // digest of their file, once it was asked for
}

// Load reads a model's description and signatures and checks them. It builds
// no graph. Errors are of kind pipeline.BadModel and name the folder.
func Load(dir string, r *Runtime) (*Model, error) {
	saved, err := readSavedModel(dir)
	if err != nil {
		return nil, err
	}
	description, err := readDescription(dir)
	if err != nil {
		return nil, err
	}
	m := &Model{Dir: dir, Description: description, Runtime: r, saved: saved}
	if description == nil {
		return m, nil
	}
	if serve := metaGraph(saved, tagServe); serve == nil {
		err = pipeline.Errorf(pipeline.BadModel, "no MetaGraph is tagged %s", tagServe)
	} else {
		err = checkServing(signatures(serve), description)
	}
	for _, info := range description.Stages {
		if err != nil {
			break
		}
		if train := metaGraph(saved, tagTrain, info.Name); train == nil {
			err = pipeline.Errorf(pipeline.BadModel, "no MetaGraph is tagged %s, %s", tagTrain, info.Name)
		} else if err = checkTraining(signatures(train), description, info); err != nil {
			err = fmt.Errorf("stage %s: %w", info.Name, err)
		}
	}
	if err != nil {
		return nil, pipeline.WithHint(fmt.Errorf("model %s: %w", dir, err), "export it again with scripts/export.py")
	}
	return m, nil
}

// LacksForTraining says what the model lacks for training; empty for nothing.
func (m *Model) LacksForTraining() string {
	lacks := "signature \"step\" is missing"
	switch {
	case m.Description == nil:
		return "it was exported for serving only; " + lacks
	case len(m.Description.Stages) > 0:
		return ""
	case len(m.Description.Labels) > 0:
		return "it is a trained model, for serving; " + lacks
	}
	return lacks
}

// Trainable is an error if the model cannot be trained.
func (m *Model) Trainable() error {
	lacks := m.LacksForTraining()
	if lacks == "" {
		return nil
	}
	hint := pipeline.Messagef("scripts/export.py writes a network with its training steps")
	if m.Description == nil {
		hint = pipeline.Messagef("%s; its option %s takes your own, without its top", hint, pipeline.Option("keras-model"))
	}
	return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "model %s: cannot be trained: %s", m.Dir, lacks), "%s", hint)
}

// MetaGraphs lists the signatures of each graph in the folder by its tags,
// joined with a comma, in the file's order.
func (m *Model) MetaGraphs() []MetaGraph {
	var list []MetaGraph
	for _, graph := range m.saved.MetaGraphs {
		tags := strings.Join(graph.GetMetaInfoDef().GetTags(), ",")
		list = append(list, MetaGraph{tags, signatures(graph)})
	}
	return list
}

// MetaGraph is a graph of a SavedModel and its signatures.
type MetaGraph struct {
	Tags       string
	Signatures []Signature
}

// Stage finds a stage's description. Unknown: an error that lists those there are.
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

// Open builds the graph of one stage in a session of its own. Its variables
// are those of the folder.
func (m *Model) Open(ctx context.Context, name string) (pipeline.Stage, error) {
	info, err := m.Stage(name)
	if err != nil {
		return nil, err
	}
	g, err := open(m.Dir, metaGraph(m.saved, tagTrain, name), m.Runtime)
	if err != nil {
		return nil, err
	}
	s := &stage{graph: g, info: info, optimizers: m.Description.Optimizers, constants: m.constants(name)}
	if err := s.choose(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// constants says whether a stage has its frozen part with constant weights too.
func (m *Model) constants(name string) bool {
	return has(signatures(metaGraph(m.saved, tagTrain, name)), signatureConstant)
}

// FeatureSpace names everything but the image that decides the bits of a
// stage's features: the frozen network, how images are decoded, precision,
// TensorFlow, device and instruction set. Equal spaces, equal features. weights
// is the digest of a checkpoint that the frozen network was restored from, or
// empty where it is the model's own.
func (m *Model) FeatureSpace(name, weights string) (string, error) {
	info, err := m.Stage(name)
	if err != nil {
		return "", err
	}
	d := m.Description
	if m.variables == "" { // read once: a sweep asks for each of its runs
		if m.variables, err = fileDigest(filepath.Join(m.Dir, "variables", "variables.data-00000-of-00001")); err != nil {
			return "", pipeline.Errorf(pipeline.BadModel, "model %s: %w", m.Dir, err)
		}
	}
	// The exporter digested the frozen part alone, so that two exports of one
	// network share their features. It holds for the variables it saw.
	frozen := info.FrozenSHA256
	switch {
	case weights != "":
		frozen = "checkpoint " + weights + " in " + frozen // whose pooling and cut the first does not tell
	case m.variables != d.Weights.VariablesSHA256 || frozen == "":
		frozen = "variables " + m.variables
	}
	space, err := json.Marshal(struct {
		Contract     int       `json:"contract"`
		Stage        string    `json:"stage"`
		Frozen       string    `json:"frozen"`
		Constants    bool      `json:"constants,omitempty"` // they round otherwise
		Input        Input     `json:"input"`
		Precision    Precision `json:"precision"`
		TensorFlow   string    `json:"tensorflow"`
		Device       string    `json:"device"`
		Instructions string    `json:"instructions"`
	}{
		d.Contract, name, frozen, m.constants(name), d.Input, m.Runtime.Precision, m.Runtime.TensorFlow,
		strings.Join(slices.Sorted(slices.Values(m.Runtime.Devices)), " "), m.Runtime.Instructions,
	})
	return string(space), err
}

func fileDigest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
