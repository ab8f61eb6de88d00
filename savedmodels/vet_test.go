package savedmodels

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tftl/pipeline"
)

type (
	functionPB = function_go_proto.FunctionDef
	nodePB     = node_def_go_proto.NodeDef
	attrPB     = attr_value_go_proto.AttrValue
)

// changeFunctions changes the functions of a loaded model's training MetaGraph.
func changeFunctions(t *testing.T, m *Model, stage string, change func(*functionPB)) {
	t.Helper()
	g, err := metaGraph(m.saved, tagTrain, stage).graphDef()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range g.Library.Function {
		change(f)
	}
}

func replaceOperation(f *functionPB, from, to string) {
	for _, node := range f.NodeDef {
		if node.Op == from {
			node.Op = to
		}
	}
}

// calls is a node that calls a function.
func calls(name, function string, inputs ...string) *nodePB {
	f := &attrPB{Value: &attr_value_go_proto.AttrValue_Func{Func: &attr_value_go_proto.NameAttrList{Name: function}}}
	return &nodePB{Name: name, Op: "StatefulPartitionedCall", Input: inputs, Attr: map[string]*attrPB{"f": f}}
}

func text(name, value string) *nodePB {
	tensor := &tensor_go_proto.TensorProto{StringVal: [][]byte{[]byte(value)}}
	return &nodePB{Name: name, Op: "Const", Attr: map[string]*attrPB{"value": {Value: &attr_value_go_proto.AttrValue_Tensor{Tensor: tensor}}}}
}

func function(name string, arguments []string, nodes ...*nodePB) *functionPB {
	f := &functionPB{Signature: &op_def_go_proto.OpDef{Name: name}, NodeDef: nodes}
	for _, argument := range arguments {
		f.Signature.InputArg = append(f.Signature.InputArg, &op_def_go_proto.OpDef_ArgDef{Name: argument})
	}
	return f
}

func TestVet(t *testing.T) {
	placeholder := &nodePB{Name: "path", Op: "Placeholder"}
	other := &nodePB{Name: "images", Op: "Placeholder"}
	save := func(prefix string) *nodePB {
		return &nodePB{Name: "save", Op: "SaveV2", Input: []string{prefix, "names", "slices"}}
	}
	join := func(from, ending string) *nodePB {
		return &nodePB{Name: "join", Op: "StringJoin", Input: []string{from, ending}}
	}
	huge := func(dims ...int64) *nodePB {
		shape := &tensor_shape_go_proto.TensorShapeProto{}
		for _, dim := range dims {
			shape.Dim = append(shape.Dim, &tensor_shape_go_proto.TensorShapeProto_Dim{Size: dim})
		}
		tensor := &tensor_go_proto.TensorProto{TensorShape: shape, FloatVal: []float32{1}}
		return &nodePB{Name: "huge", Op: "Const", Attr: map[string]*attrPB{"value": {Value: &attr_value_go_proto.AttrValue_Tensor{Tensor: tensor}}}}
	}
	var chain, doubling []*functionPB
	for i := range 120 {
		name, next := string(rune('a'+i%26))+strings.Repeat("x", i), string(rune('a'+(i+1)%26))+strings.Repeat("x", i+1)
		chain = append(chain, function(name, nil, calls("call", next)))
		doubling = append(doubling, function(name, nil, calls("one", next), calls("two", next)))
	}
	for name, test := range map[string]struct {
		nodes     []*nodePB
		functions []*functionPB
		want      string // empty if the graph is fine
	}{
		"a saver": {[]*nodePB{placeholder, calls("call", "saver", "path")}, []*functionPB{
			function("saver", []string{"prefix"}, text("ending", "_temp/part"), join("prefix", "ending:output:0"), save("join:output:0")),
		}, ""},
		"through a function": {[]*nodePB{placeholder, calls("call", "outer", "path")}, []*functionPB{
			function("outer", []string{"p"}, calls("call", "inner", "p")), function("inner", []string{"prefix"}, save("prefix")),
		}, ""},

		"an operation":           {[]*nodePB{{Name: "w", Op: "WriteFile"}}, nil, `has the operation WriteFile (node "w"), which is not among`},
		"in a function":          {nil, []*functionPB{function("f", nil, &nodePB{Name: "r", Op: "ReadFile"})}, `has the operation ReadFile (node "r" of function "f")`},
		"an unknown one":         {[]*nodePB{{Name: "n", Op: "Frobnicate"}}, nil, "Frobnicate"},
		"a path of its own":      {[]*nodePB{text("here", "/etc/x"), save("here")}, nil, `has the operation SaveV2 (node "save") with a path of its own`},
		"no path":                {[]*nodePB{{Name: "save", Op: "SaveV2"}}, nil, "with a path of its own"},
		"from an image":          {[]*nodePB{other, save("images")}, nil, "with a path of its own"},
		"from a caller's":        {[]*nodePB{text("here", "/etc/x"), calls("call", "f", "here")}, []*functionPB{function("f", []string{"prefix"}, save("prefix"))}, "with a path of its own"},
		"from one of two":        {[]*nodePB{placeholder, text("here", "/etc/x"), calls("a", "f", "path"), calls("b", "f", "here")}, []*functionPB{function("f", []string{"prefix"}, save("prefix"))}, "with a path of its own"},
		"a path with an ending":  {[]*nodePB{placeholder, text("ending", "/../x"), join("path", "ending"), save("join")}, nil, "with a path of its own"},
		"restored from anywhere": {[]*nodePB{text("here", "/etc/x"), {Name: "restore", Op: "RestoreV2", Input: []string{"here", "n", "s"}}}, nil, "RestoreV2"},
		"merged to anywhere":     {[]*nodePB{placeholder, text("here", "/x"), {Name: "merge", Op: "MergeV2Checkpoints", Input: []string{"path", "here"}}}, nil, "MergeV2Checkpoints"},
		"in a branch": {
			[]*nodePB{placeholder, {Name: "if", Op: "If", Input: []string{"path", "path"}, Attr: calls("", "f").Attr}},
			[]*functionPB{function("f", []string{"prefix"}, save("prefix"))},
			"with a path of its own",
		},

		"calls itself":    {nil, []*functionPB{function("f", nil, calls("call", "f"))}, `function "f" calls itself`},
		"in a circle":     {nil, []*functionPB{function("f", nil, calls("call", "g")), function("g", nil, calls("call", "f"))}, "calls itself"},
		"by its name":     {nil, []*functionPB{function("f", nil, &nodePB{Name: "n", Op: "f"})}, `function "f" calls itself`},
		"nested":          {[]*nodePB{calls("call", "a")}, chain, "calls are nested more than 100 deep"},
		"doubling":        {[]*nodePB{calls("call", "a")}, doubling[:60], "has more than 5000000 nodes"},
		"a cycle":         {[]*nodePB{{Name: "a", Op: "Identity", Input: []string{"b"}}, {Name: "b", Op: "Identity", Input: []string{"a:0"}}}, nil, `node "a" needs its own output`},
		"control cycle":   {[]*nodePB{{Name: "a", Op: "NoOp", Input: []string{"^a"}}}, nil, `node "a" needs its own output`},
		"two of one name": {[]*nodePB{{Name: "a", Op: "NoOp"}, {Name: "a", Op: "NoOp"}}, nil, "two nodes with one name"},
		"two functions":   {nil, []*functionPB{function("f", nil), function("f", nil)}, `two functions named "f"`},
		"a huge constant": {[]*nodePB{huge(1<<31, 1<<31, 1<<31)}, nil, "constants need more than"},
		"less than none":  {[]*nodePB{huge(-5)}, nil, "a constant has the dimension -5"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &graph_go_proto.GraphDef{Node: test.nodes, Library: &function_go_proto.FunctionDefLibrary{Function: test.functions}}
			switch err := vet(proto.Clone(g).(*graph_go_proto.GraphDef), nil, "path:0", ""); {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("says %v, want %q", err, test.want)
			}
		})
	}
}

// Every kind of graph that is exported passes, and is refused with one more operation.
func TestModelsAreVetted(t *testing.T) {
	for _, name := range []string{"tiny", "tiny-gap", "tiny-two", "normalized", "older", "keras-softmax", "keras-sigmoid", "keras-linear", "keras-nan", "keras-vector"} {
		m := load(t, filepath.Join(fixtures, name))
		for _, def := range m.saved.metaGraphs {
			if _, err := def.vetted(m.Runtime); err != nil {
				t.Errorf("%s, %v: %v", name, def.GetMetaInfoDef().GetTags(), err)
			}
		}
	}
	for _, stage := range []string{"head", "all"} { // in parts, and whole
		m := load(t, filepath.Join(fixtures, "normalized"))
		changeFunctions(t, m, stage, func(f *functionPB) { f.NodeDef = append(f.NodeDef, &nodePB{Name: "print", Op: "PrintV2"}) })
		_, err := m.Open(t.Context(), stage)
		if pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), "has the operation PrintV2") || pipeline.HintOf(err).Empty() {
			t.Errorf("stage %s: %v", stage, err)
		}
		m.Runtime.trust = true
		if _, err := m.Open(t.Context(), stage); err != nil && strings.Contains(err.Error(), "which is not among") {
			t.Errorf("stage %s is trusted: %v", stage, err)
		}
	}
}

func rename(tensor *tensorPB, name string) {
	tensor.Encoding = &for_core_protos_go_proto.TensorInfo_Name{Name: name}
}

func TestNamesThatAreNotInTheGraph(t *testing.T) {
	for name, change := range map[string]func(*metaGraphDef){
		"signature":      func(d *metaGraphDef) { rename(d.SignatureDef["step"].Outputs["loss"], "nowhere:0") },
		"no index":       func(d *metaGraphDef) { rename(d.SignatureDef["step"].Inputs["lr"], "step_lr") },
		"below 0":        func(d *metaGraphDef) { rename(d.SignatureDef["step"].Inputs["lr"], "step_lr:-1") },
		"no saver":       func(d *metaGraphDef) { d.SaverDef = nil },
		"saver's tensor": func(d *metaGraphDef) { d.SaverDef.RestoreOpName = "nowhere" },
	} {
		m := load(t, filepath.Join(fixtures, "tiny"))
		change(metaGraph(m.saved, tagTrain, "head"))
		if _, err := m.Open(t.Context(), "head"); pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), "is not in the graph") {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := load(t, filepath.Join(fixtures, "tiny"))
	loss := metaGraph(m.saved, tagTrain, "head").SignatureDef["step"].Outputs["loss"]
	operation, _, _ := strings.Cut(loss.GetName(), ":")
	rename(loss, operation+":99")
	s := openStage(t, m, "head", 2)
	pixels := noise(4, 2)
	pixels.Shape, pixels.Data = []int64{4, 32}, pixels.Data[:4*32]
	if _, err := s.Step(t.Context(), pixels, pipeline.Hyperparameters{Optimizer: "adam"}); pipeline.KindOf(err) != pipeline.BadModel {
		t.Errorf("an output that the operation lacks: %v", err)
	}
}
