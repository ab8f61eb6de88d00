package savedmodels

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// A signature computes the same to the bit without its functions.
func TestAFrozenPartIsInlined(t *testing.T) {
	m := load(t, filepath.Join(fixtures, "normalized"))
	head := openStage(t, m, "head", 3).(*stage)
	constant := func(signature string) bool { return signature == signatureConstant }
	whole, err := head.def.graphDef()
	if err != nil {
		t.Fatal(err)
	}
	calling := part(head.def, whole, constant)
	if len(calling.Library.Function) == 0 {
		t.Fatal("the fixture calls no function")
	}
	flat, err := inlined(calling)
	if err != nil || len(flat.Library.Function) != 0 || len(flat.Node) < 20 {
		t.Fatalf("%d nodes, %d functions, %v", len(flat.Node), len(flat.Library.Function), err)
	}
	var results [2][]float32
	for i, inline := range []bool{false, true} {
		g, err := openPart(m.Dir, head.def, m.Runtime, constant, inline)
		if err != nil {
			t.Fatal(err)
		}
		defer g.close()
		out, err := g.transform(t.Context(), signatureConstant, "images", noise(6, 3), "features")
		if err != nil {
			t.Fatal(err)
		}
		results[i] = out[0].Data
	}
	if !slices.Equal(results[0], results[1]) {
		t.Errorf("inlined\n%v, else\n%v", results[1], results[0])
	}
}

// callsOfCalls has functions that call functions, outputs that are lists, results that
// are arguments, nodes that wait for others, and a loop, whose function must stay.
const callsOfCalls = `
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "first" op: "NoOp" }
node {
	name: "y" op: "StatefulPartitionedCall" input: "x" input: "^first"
	attr { key: "f" value { func { name: "outer" } } }
	attr { key: "Tin" value { list { type: DT_FLOAT } } }
	attr { key: "Tout" value { list { type: DT_FLOAT type: DT_FLOAT } } }
}
node {
	name: "nothing" op: "PartitionedCall" input: "^y"
	attr { key: "f" value { func { name: "nothing" } } }
	attr { key: "Tin" value { list { } } } attr { key: "Tout" value { list { } } }
}
node {
	name: "z" op: "StatelessWhile" input: "y:1" input: "^nothing"
	attr { key: "cond" value { func { name: "small" } } } attr { key: "body" value { func { name: "double" } } }
	attr { key: "T" value { list { type: DT_FLOAT } } }
}
library {
	function {
		signature { name: "outer" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "o" type: DT_FLOAT } output_arg { name: "p" type: DT_FLOAT } control_output: "done" }
		node_def { name: "zero" op: "Const" attr { key: "dtype" value { type: DT_INT32 } } attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 0 } } } }
		node_def { name: "halves" op: "Split" input: "zero:output:0" input: "a" attr { key: "T" value { type: DT_FLOAT } } attr { key: "num_split" value { i: 2 } } }
		node_def {
			name: "swapped" op: "PartitionedCall" input: "halves:output:0" input: "halves:output:1" input: "^a" input: "^zero"
			attr { key: "f" value { func { name: "swap" } } }
			attr { key: "Tin" value { list { type: DT_FLOAT type: DT_FLOAT } } }
			attr { key: "Tout" value { list { type: DT_FLOAT type: DT_FLOAT } } }
		}
		node_def { name: "difference" op: "Sub" input: "swapped:output:0" input: "swapped:output:1" attr { key: "T" value { type: DT_FLOAT } } attr { key: "_class" value { list { s: "loc:@zero" } } } }
		node_def { name: "done" op: "NoOp" input: "^difference" }
		ret { key: "o" value: "difference:z:0" } ret { key: "p" value: "a" }
		control_ret { key: "done" value: "done" }
	}
	function {
		signature { name: "swap" input_arg { name: "a" type: DT_FLOAT } input_arg { name: "b" type: DT_FLOAT } output_arg { name: "c" type: DT_FLOAT } output_arg { name: "d" type: DT_FLOAT } }
		ret { key: "c" value: "b" } ret { key: "d" value: "a" }
	}
	function { signature { name: "nothing" } }
	function {
		signature { name: "small" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "b" type: DT_BOOL } }
		node_def { name: "all" op: "Const" attr { key: "dtype" value { type: DT_INT32 } } attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape { dim { size: 1 } } int_val: 0 } } } }
		node_def { name: "sum" op: "Sum" input: "a" input: "all:output:0" attr { key: "T" value { type: DT_FLOAT } } attr { key: "Tidx" value { type: DT_INT32 } } attr { key: "keep_dims" value { b: false } } }
		node_def { name: "limit" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 100 } } } }
		node_def { name: "less" op: "Less" input: "sum:output:0" input: "limit:output:0" attr { key: "T" value { type: DT_FLOAT } } }
		ret { key: "b" value: "less:z:0" }
	}
	function {
		signature { name: "double" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "b" type: DT_FLOAT } }
		node_def { name: "twice" op: "AddV2" input: "a" input: "a" attr { key: "T" value { type: DT_FLOAT } } }
		ret { key: "b" value: "twice:z:0" }
	}
}
versions { producer: 1882 }`

func graphOf(t *testing.T, text string) *graph_go_proto.GraphDef {
	t.Helper()
	g := new(graph_go_proto.GraphDef)
	if err := prototext.Unmarshal([]byte(text), g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestCallsOfCallsAreInlined(t *testing.T) {
	calling := graphOf(t, callsOfCalls)
	flat, err := inlined(calling)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range flat.Node {
		if strings.HasSuffix(node.Op, "PartitionedCall") || node.Attr["_class"] != nil {
			t.Errorf("%v is left", node)
		}
	}
	if len(flat.Library.Function) != 2 {
		t.Errorf("%d functions, want the two of the loop", len(flat.Library.Function))
	}
	if !proto.Equal(calling, graphOf(t, callsOfCalls)) {
		t.Error("the graph itself has changed")
	}
	for name, g := range map[string]*graph_go_proto.GraphDef{"calling": calling, "inlined": flat} {
		encoded, err := proto.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		session, err := importGraph(encoded, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		x, err := tf.NewTensor([]float32{1, 2, 10, 20})
		if err != nil {
			t.Fatal(err)
		}
		out := session.exec([]tf.Output{session.op("y", 0), session.op("y", 1), session.op("z", 0)}, map[tf.Output]*tf.Tensor{session.op("x", 0): x})
		for i, want := range [][]float32{{9, 18}, {1, 2, 10, 20}, {4, 8, 40, 80}} {
			if got := out[i].Value().([]float32); !slices.Equal(got, want) {
				t.Errorf("%s: output %d is %v, want %v", name, i, got, want)
			}
		}
		if err := session.session.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatCannotBeInlined(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"a call of itself":  {`func { name: "swap" }`, `func { name: "outer" }`, "is too large without its functions"},
		"too few inputs":    {`input: "halves:output:1" input: "^a" input: "^zero"`, ``, `gives function "swap" too few inputs`},
		"an endless call":   {`ret { key: "c" value: "b" }`, `node_def { name: "again" op: "PartitionedCall" input: "a" input: "b" attr { key: "f" value { func { name: "swap" } } } }`, "is too large without its functions"},
		"an unknown node":   {`"difference:z:0"`, `"sum:z:0"`, `function "outer": tensor "sum:z:0" is not in it`},
		"an unknown output": {`"difference:z:0"`, `"difference:y:0"`, `operation Sub has no output "y"`},
		"no index":          {`"difference:z:0"`, `"difference:z"`, `has no index`},
		"an unknown op":     {`op: "Sub"`, `op: "Subtract"`, "Subtract"},
	} {
		if !strings.Contains(callsOfCalls, c.from) {
			t.Fatalf("%s: %s is not in the graph", name, c.from)
		}
		if _, err := inlined(graphOf(t, strings.Replace(callsOfCalls, c.from, c.to, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
