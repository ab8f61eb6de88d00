package savedmodels

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"

	"tftl/internal/tensor"
)

// inlined returns a graph that has the nodes of functions in place of their calls.
// TensorFlow does the same when a signature is called first, but copies the functions,
// constants included, several times on the way. A call becomes a node that hands on the
// results, so that every tensor of the graph keeps its name. Functions stay if
// something else needs them, such as a loop. The order of side effects may change, so
// there must be none.
func inlined(g *graph_go_proto.GraphDef) (*graph_go_proto.GraphDef, error) {
	in := &inliner{
		functions: map[string]*function_go_proto.FunctionDef{},
		defs:      map[string]*op_def_go_proto.OpDef{},
		out:       &graph_go_proto.GraphDef{Versions: g.GetVersions(), Library: g.GetLibrary()},
	}
	for _, f := range g.GetLibrary().GetFunction() {
		in.functions[f.GetSignature().GetName()] = f
	}
	for _, node := range g.GetNode() {
		if err := in.add(invocation{}, node); err != nil {
			return nil, err
		}
	}
	p := newPruner(in.out)
	for _, node := range in.out.GetNode() {
		p.keep(node.GetName())
	}
	return p.graph(in.out), nil
}

// inliner builds a graph without calls.
type inliner struct {
	functions map[string]*function_go_proto.FunctionDef
	defs      map[string]*op_def_go_proto.OpDef
	out       *graph_go_proto.GraphDef
	calls     int
}

// invocation is a call of a function, or the graph itself.
type invocation struct {
	body      *function_go_proto.FunctionDef // nil for the graph
	prefix    string                         // of the names of its nodes
	arguments map[string]string              // the caller's tensors, by name
	nodes     map[string]*node_def_go_proto.NodeDef
	depth     int
}

// add adds a node of an invocation, or what it calls.
func (in *inliner) add(at invocation, node *node_def_go_proto.NodeDef) error {
	if len(in.out.Node) >= maxNodes || at.depth >= maxNesting {
		return errors.New("is too large without its functions")
	}
	added := &node_def_go_proto.NodeDef{Name: at.prefix + node.GetName(), Op: node.GetOp(), Device: node.GetDevice(), Attr: node.GetAttr()}
	for _, input := range node.GetInput() {
		name, err := in.nameOf(at, input)
		if err != nil {
			return err
		}
		added.Input = append(added.Input, name)
	}
	if added.Attr["_class"] != nil { // names of nodes that it is to be placed with
		added.Attr = maps.Clone(added.Attr)
		delete(added.Attr, "_class")
	}
	if f := in.called(node); f != nil {
		if err := in.call(at, added, f); err != nil {
			return err
		}
	}
	in.out.Node = append(in.out.Node, added)
	return nil
}

// called is the function that a node calls and does nothing else, or nil.
func (in *inliner) called(node *node_def_go_proto.NodeDef) *function_go_proto.FunctionDef {
	if op := node.GetOp(); op != "PartitionedCall" && op != "StatefulPartitionedCall" {
		return nil
	}
	f := in.functions[node.GetAttr()["f"].GetFunc().GetName()]
	if len(f.GetSignature().GetAttr()) > 0 { // its types depend on the call
		return nil
	}
	return f
}

// call adds the nodes of a function, and turns the node that calls it into one that
// hands on the results.
func (in *inliner) call(at invocation, node *node_def_go_proto.NodeDef, f *function_go_proto.FunctionDef) error {
	inner := invocation{body: f, prefix: fmt.Sprintf("call%d/", in.calls), arguments: map[string]string{}, nodes: map[string]*node_def_go_proto.NodeDef{}, depth: at.depth + 1}
	in.calls++
	parameters := f.GetSignature().GetInputArg()
	if len(node.Input) < len(parameters) {
		return fmt.Errorf("node %q gives function %q too few inputs", node.Name, f.GetSignature().GetName())
	}
	for i, parameter := range parameters {
		inner.arguments[parameter.GetName()] = node.Input[i]
	}
	for _, n := range f.GetNodeDef() {
		inner.nodes[n.GetName()] = n
	}
	for _, n := range f.GetNodeDef() {
		if err := in.add(inner, n); err != nil {
			return err
		}
	}
	types := &attr_value_go_proto.AttrValue_ListValue{}
	var results []string
	for _, result := range f.GetSignature().GetOutputArg() {
		name, err := in.nameOf(inner, f.GetRet()[result.GetName()])
		if err != nil {
			return err
		}
		results, types.Type = append(results, name), append(types.Type, result.GetType())
	}
	for _, after := range f.GetControlRet() {
		results = append(results, "^"+inner.prefix+after)
	}
	node.Input = append(results, node.Input[len(parameters):]...) // the latter are nodes to wait for
	node.Op = "IdentityN"
	node.Attr = map[string]*attr_value_go_proto.AttrValue{"T": {Value: &attr_value_go_proto.AttrValue_List{List: types}}}
	if len(types.Type) == 0 {
		node.Op, node.Attr = "NoOp", nil
	}
	return nil
}

// nameOf is what an input is called in the graph. Functions say node:output:index
// instead of node:index.
func (in *inliner) nameOf(at invocation, input string) (string, error) {
	if at.body == nil {
		return input, nil
	}
	if after, ok := strings.CutPrefix(input, "^"); ok {
		if argument, ok := at.arguments[after]; ok {
			return "^" + source(argument), nil
		}
		return "^" + at.prefix + after, nil
	}
	if argument, ok := at.arguments[input]; ok {
		return argument, nil
	}
	name, output, _ := strings.Cut(input, ":")
	output, digits, _ := strings.Cut(output, ":")
	node := at.nodes[name]
	if node == nil {
		return "", fmt.Errorf("function %q: tensor %q is not in it", at.body.GetSignature().GetName(), input)
	}
	_, index, err := parseTensor(":" + digits)
	if err != nil {
		return "", err
	}
	first, err := in.first(node, output)
	return fmt.Sprintf("%s%s:%d", at.prefix, name, first+index), err
}

// first is the index of the first tensor of one of a node's outputs.
func (in *inliner) first(node *node_def_go_proto.NodeDef, output string) (int, error) {
	def := in.defs[node.GetOp()]
	if def == nil {
		var err error
		if def, err = tensor.OpDef(node.GetOp()); err != nil {
			return 0, err
		}
		in.defs[node.GetOp()] = def
	}
	first := 0
	for _, o := range def.GetOutputArg() {
		switch {
		case o.GetName() == output:
			return first, nil
		case o.GetNumberAttr() != "":
			first += int(node.GetAttr()[o.GetNumberAttr()].GetI())
		case o.GetTypeListAttr() != "":
			first += len(node.GetAttr()[o.GetTypeListAttr()].GetList().GetType())
		default:
			first++
		}
	}
	return 0, fmt.Errorf("operation %s has no output %q", node.GetOp(), output)
}
