package savedmodels

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"tftl/internal/atomicfile"
	"tftl/internal/regular"
	"tftl/pipeline"
)

// Accepting says which images a served model answers: what its output `accepted` is
// computed from. The zero value answers all.
type Accepting struct {
	Temperature float64 // 0 and 1 change nothing
	Threshold   float64 // of the second of two classes; 0 for none
	Confidence  float64 // the lowest that is answered
	// Familiar leaves images without an answer that are unlike the training images, by
	// Novelty, or as the model does already if that is nil.
	Familiar bool
	Novelty  *pipeline.Novelty
}

// decisionNode is the constant in the functions of the serving signatures.
const decisionNode = "tftl_decision"

// values are those of the constant, as little-endian float32.
func (a Accepting) values() []byte {
	if a.Temperature == 0 {
		a.Temperature = 1
	}
	if a.Threshold == 0 {
		a.Threshold = 0.5
	}
	var data []byte
	for _, v := range []float64{a.Temperature, a.Threshold, a.Confidence} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
	}
	return data
}

// Accept writes into a trained model which images it answers. Nothing else changes:
// neither its weights nor its digest. knows is false if the model is of an export
// without the output `accepted`.
func Accept(dir string, a Accepting) (knows bool, err error) {
	path := filepath.Join(dir, graphFile)
	data, err := regular.Read(path, math.MaxInt32)
	if err != nil {
		return false, err
	}
	was, data := data, bytes.Clone(data)
	places, err := decisions(data)
	if err == nil && len(places) == 0 {
		return false, nil
	}
	for _, place := range places {
		copy(place, a.values())
	}
	if err == nil && (a.Novelty != nil || !a.Familiar) {
		data, err = withNovelty(data, a.Novelty)
	}
	if err != nil {
		return true, pipeline.Errorf(pipeline.BadModel, "model %s: %s: %w", dir, graphFile, err)
	}
	if bytes.Equal(data, was) && checkSealed(dir, data) {
		return true, nil
	}
	// A process that is killed between two of these files leaves a model that is whole:
	// the seal of the graph as it was exported covers it with any decision.
	if err := resealGraph(dir, neutral(data)); err != nil {
		return true, err
	}
	if err := atomicfile.WriteFile(path, data, 0o644); err != nil {
		return true, err
	}
	return true, resealGraph(dir, data)
}

// checkSealed says whether the model's seal, if there is one, is of this graph.
func checkSealed(dir string, graph []byte) bool {
	text, err := regular.Read(filepath.Join(dir, sealFile), maxDescription)
	return err != nil || strings.Contains(string(text), digestOf(graph)+"  "+graphFile+"\n")
}

// resealGraph replaces the digest of the graph in a model's seal. A model without a seal
// gets none.
func resealGraph(dir string, graph []byte) error {
	path := filepath.Join(dir, sealFile)
	text, err := regular.Read(path, maxDescription)
	if err != nil {
		return nil //nolint:nilerr // checkSeal says what is wrong with it
	}
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines {
		if strings.HasSuffix(line, "  "+graphFile+"\n") {
			lines[i] = digestOf(graph) + "  " + graphFile + "\n"
		}
	}
	return atomicfile.WriteFile(path, []byte(strings.Join(lines, "")), 0o644)
}

// graphDigest is the digest of a model's saved_model.pb as it was exported, whatever it
// answers.
func graphDigest(dir string) (string, error) {
	data, err := regular.Read(filepath.Join(dir, graphFile), math.MaxInt32)
	if err != nil {
		return "", err
	}
	return digestOf(neutral(data)), nil
}

// neutral is saved_model.pb with the decision of an export, which answers all.
func neutral(data []byte) []byte {
	data, err := withNovelty(bytes.Clone(data), nil)
	if err != nil {
		return data
	}
	places, err := decisions(data)
	if err != nil {
		return data
	}
	for _, place := range places {
		copy(place, Accepting{}.values())
	}
	return data
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// decisions finds the values of the constant in the functions of a saved_model.pb. They
// are parts of data, so that writing into them changes it, and nothing else.
func decisions(data []byte) (places [][]byte, err error) {
	const (
		library, function, nodeOfFunction = 2, 1, 3 // GraphDef, FunctionDefLibrary, FunctionDef
		name, attribute, value            = 1, 5, 2 // NodeDef, its map's entry
		tensor, content                   = 8, 4    // AttrValue, TensorProto
	)
	nodes := []protowire.Number{fieldMetaGraph, fieldGraphDef, library, function, nodeOfFunction}
	err = inside(data, nodes, func(node []byte) error {
		is := false
		err := inside(node, []protowire.Number{name}, func(s []byte) error {
			is = is || string(s) == decisionNode
			return nil
		})
		if err != nil || !is {
			return err
		}
		return inside(node, []protowire.Number{attribute, value, tensor, content}, func(values []byte) error {
			if len(values) == len(Accepting{}.values()) {
				places = append(places, values)
			}
			return nil
		})
	})
	return places, err
}

// inside calls use with each field at a path of fields of nested messages.
func inside(message []byte, path []protowire.Number, use func([]byte) error) error {
	if len(path) == 0 {
		return use(message)
	}
	return fields(message, func(number protowire.Number, content, _ []byte) error {
		if number != path[0] {
			return nil
		}
		return inside(content, path[1:], use)
	})
}
