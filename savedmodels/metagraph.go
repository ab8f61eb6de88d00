package savedmodels

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tftl/pipeline"
)

type (
	savedModelPB = for_core_protos_go_proto.SavedModel
	metaGraphPB  = for_core_protos_go_proto.MetaGraphDef
	tensorPB     = for_core_protos_go_proto.TensorInfo
)

// readSavedModel parses dir/saved_model.pb and checks that the variables exist:
// TensorFlow loads a model without them and fails only when it runs.
func readSavedModel(dir string) (*savedModelPB, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: %w", dir, reason(err))
	}
	if !info.IsDir() {
		return nil, noFolder(dir)
	}
	path := filepath.Join(dir, "saved_model.pb")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noSavedModel(dir)
	}
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model: %w", err)
	}
	saved := new(savedModelPB)
	if err := proto.Unmarshal(data, saved); err != nil || len(saved.MetaGraphs) == 0 {
		if err := standIn(path, data); err != nil {
			return nil, err
		}
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: is not a SavedModel: it cannot be parsed", path)
	}
	index := filepath.Join(dir, "variables", "variables.index")
	shards, err := fs.Glob(os.DirFS(dir), "variables/variables.data-*")
	if _, missing := os.Stat(index); missing != nil || err != nil || len(shards) == 0 {
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

// metaGraph returns the MetaGraph with exactly these tags, or nil.
func metaGraph(saved *savedModelPB, tags ...string) *metaGraphPB {
	for _, graph := range saved.MetaGraphs {
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
	return slices.Equal(a, b)
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
func signatures(graph *metaGraphPB) []Signature {
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
