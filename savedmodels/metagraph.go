package savedmodels

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"tftl/internal/regular"
	"tftl/pipeline"
)

type (
	metaGraphPB = for_core_protos_go_proto.MetaGraphDef
	tensorPB    = for_core_protos_go_proto.TensorInfo
)

// savedModel is saved_model.pb.
type savedModel struct {
	version    uint64
	metaGraphs []*metaGraphDef
}

// metaGraphDef is a MetaGraph without its nodes, functions and objects, which take
// long to parse and of which few are needed.
type metaGraphDef struct {
	*metaGraphPB
	encoded []byte // all of it
	mu      sync.Mutex
	graph   *graph_go_proto.GraphDef // once it was needed
}

// graphDef parses the nodes and functions.
func (d *metaGraphDef) graphDef() (*graph_go_proto.GraphDef, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.graph != nil {
		return d.graph, nil
	}
	g := new(graph_go_proto.GraphDef)
	err := fields(d.encoded, func(number protowire.Number, content, _ []byte) error {
		if number != fieldGraphDef {
			return nil
		}
		return proto.UnmarshalOptions{Merge: true}.Unmarshal(content, g)
	})
	if err == nil {
		d.graph = g
	}
	return g, err
}

// vetted is graphDef for a graph that is about to be run.
func (d *metaGraphDef) vetted(r *Runtime) (*graph_go_proto.GraphDef, error) {
	g, err := d.graphDef()
	if err == nil {
		err = d.checkNames(g)
	}
	if err != nil || r != nil && r.trust {
		return g, err
	}
	return g, vet(g, d.quantized(), d.GetSaverDef().GetFilenameTensorName(), d.GetSignatureDef()[signatureSave].GetInputs()["prefix"].GetName())
}

// quantized are the operations that only the part in int8 may have.
func (d *metaGraphDef) quantized() map[string]bool {
	if sameTags(d.GetMetaInfoDef().GetTags(), []string{tagFeatures, tagInt8}) {
		return quantized()
	}
	return nil
}

// checkNames checks that the tensors of the signatures and, of a graph that is trained,
// of the saver come from nodes of the graph.
func (d *metaGraphDef) checkNames(g *graph_go_proto.GraphDef) error {
	nodes := map[string]bool{}
	for _, node := range g.GetNode() {
		nodes[node.GetName()] = true
	}
	missing := func(tensor string) bool {
		operation, index, err := parseTensor(tensor)
		return err != nil || index < 0 || !nodes[operation]
	}
	for name, signature := range d.GetSignatureDef() {
		if strings.HasPrefix(name, "__saved_model") {
			continue
		}
		for _, tensors := range []map[string]*tensorPB{signature.GetInputs(), signature.GetOutputs()} {
			for _, tensor := range tensors {
				if missing(tensor.GetName()) {
					return fmt.Errorf("signature %q: tensor %q is not in the graph", name, tensor.GetName())
				}
			}
		}
	}
	saver := d.GetSaverDef()
	if !slices.Contains(d.GetMetaInfoDef().GetTags(), tagTrain) {
		return nil
	}
	for _, tensor := range []string{saver.GetFilenameTensorName(), saver.GetSaveTensorName(), saver.GetRestoreOpName() + ":0"} {
		if missing(tensor) {
			return fmt.Errorf("its saver's tensor %q is not in the graph", tensor)
		}
	}
	return nil
}

// parseTensor splits the name of a tensor in a graph, "operation:index".
func parseTensor(name string) (operation string, index int, err error) {
	operation, digits, _ := strings.Cut(name, ":")
	if index, err = strconv.Atoi(digits); err != nil {
		err = fmt.Errorf("tensor name %q has no index", name)
	}
	return operation, index, err
}

// The numbers of fields in the messages SavedModel and MetaGraphDef.
const (
	fieldVersion     protowire.Number = 1
	fieldMetaGraph   protowire.Number = 2
	fieldGraphDef    protowire.Number = 2
	fieldObjectGraph protowire.Number = 7
)

// parse reads what saved_model.pb says of its graphs, but not the graphs.
func (s *savedModel) parse(data []byte) error {
	return fields(data, func(number protowire.Number, content, field []byte) error {
		if number == fieldVersion {
			s.version, _ = protowire.ConsumeVarint(content)
		}
		if number != fieldMetaGraph {
			return nil
		}
		var described []byte
		err := fields(content, func(number protowire.Number, _, field []byte) error {
			if number != fieldGraphDef && number != fieldObjectGraph {
				described = append(described, field...)
			}
			return nil
		})
		if err != nil {
			return err
		}
		def := &metaGraphDef{metaGraphPB: new(metaGraphPB), encoded: content}
		s.metaGraphs = append(s.metaGraphs, def)
		return proto.Unmarshal(described, def.metaGraphPB)
	})
}

// fields calls use with each field of an encoded message: its content, for a string
// or a message without its length, and the whole.
func fields(message []byte, use func(number protowire.Number, content, field []byte) error) error {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		size := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if size < 0 {
			return protowire.ParseError(size)
		}
		content := message[tag : tag+size]
		if kind == protowire.BytesType {
			content, _ = protowire.ConsumeBytes(content)
		}
		if err := use(number, content, message[:tag+size]); err != nil {
			return err
		}
		message = message[tag+size:]
	}
	return nil
}

// readSavedModel parses dir/saved_model.pb and checks that the variables exist:
// TensorFlow loads a model without them and fails only when it runs.
func readSavedModel(dir string) (*savedModel, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: %w", dir, reason(err))
	}
	if !info.IsDir() {
		return nil, noFolder(dir)
	}
	path := filepath.Join(dir, "saved_model.pb")
	data, err := regular.Read(path, math.MaxInt32) // as much as a protobuf may have
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noSavedModel(dir)
	}
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model: %w", err)
	}
	saved := new(savedModel)
	if err := saved.parse(data); err != nil || len(saved.metaGraphs) == 0 {
		if err := standIn(path, data); err != nil {
			return nil, err
		}
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: is not a SavedModel: it cannot be parsed", path)
	}
	index := filepath.Join(dir, "variables", "variables.index")
	shards, err := dataFiles(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, pipeline.Errorf(pipeline.BadModel, "model: %w", err)
	}
	if _, missing := os.Stat(index); missing != nil || len(shards) == 0 {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: its variables are missing (%s and variables.data-*)", dir, index)
	}
	for _, name := range append(shards, "variables/variables.index") {
		if err := standInFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return saved, nil
}

func reason(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// metaGraph returns the first MetaGraph with exactly these tags, or nil. That is the
// one that TensorFlow takes.
func metaGraph(saved *savedModel, tags ...string) *metaGraphDef {
	for _, graph := range saved.metaGraphs {
		if sameTags(graph.GetMetaInfoDef().GetTags(), tags) {
			return graph
		}
	}
	return nil
}

func sameTags(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// Signature is the signature of a SavedModel's function.
type Signature struct {
	Name    string
	Inputs  []Tensor
	Outputs []Tensor
}

// Tensor is a named input or output. An unknown dimension is -1. Shape is nil if
// the rank is unknown.
type Tensor struct {
	Name  string
	DType string // TensorFlow's name: float32, int32, string, bool …
	Shape []int64
}

func (t Tensor) String() string {
	if t.Shape == nil {
		return t.Name + " " + t.DType
	}
	dims := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		dims[i] = fmt.Sprint(d)
		if d < 0 {
			dims[i] = "?"
		}
	}
	return fmt.Sprintf("%s %s[%s]", t.Name, t.DType, strings.Join(dims, ","))
}

// signatures lists a MetaGraph's signatures, sorted by name, without those of
// TensorFlow's loader.
func signatures(graph *metaGraphDef) []Signature {
	var list []Signature
	for _, name := range slices.Sorted(maps.Keys(graph.GetSignatureDef())) {
		if strings.HasPrefix(name, "__saved_model") {
			continue
		}
		def := graph.SignatureDef[name]
		list = append(list, Signature{name, tensors(def.Inputs), tensors(def.Outputs)})
	}
	return list
}

func tensors(infos map[string]*tensorPB) []Tensor {
	var list []Tensor
	for _, name := range slices.Sorted(maps.Keys(infos)) {
		list = append(list, Tensor{Name: name, DType: dtypeName(infos[name].GetDtype()), Shape: shape(infos[name])})
	}
	return list
}

// shape returns the Shape of a Tensor.
func shape(info *tensorPB) []int64 {
	declared := info.GetTensorShape()
	if declared == nil || declared.UnknownRank {
		return nil
	}
	dims := []int64{}
	for _, d := range declared.Dim {
		dims = append(dims, d.Size)
	}
	return dims
}

func dtypeName(t types_go_proto.DataType) string {
	switch t {
	case types_go_proto.DataType_DT_FLOAT:
		return "float32"
	case types_go_proto.DataType_DT_DOUBLE:
		return "float64"
	}
	return strings.ToLower(strings.TrimPrefix(t.String(), "DT_"))
}
