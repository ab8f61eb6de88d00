package savedmodels

import (
	"fmt"
	"slices"
	"sync"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/proto"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// TensorFlow copies the functions of a graph several times when a signature is
// called first, constants included: with 90 MB of them each signature takes half a
// second. So the frozen part with constants has a session of its own, which is
// opened when an image first needs it. The other signatures have one with neither
// the frozen part nor its variables, which tftl gives their values itself.

// openConstant opens the frozen part with constant weights. It has no variables.
func (s *stage) openConstant() (*graph, error) {
	constant := func(signature string) bool { return signature == signatureConstant }
	return openPart(s.network.Dir, s.def, s.network.Runtime.inferring(), constant, true)
}

// openAbove opens what is above the frozen part, and gives it the values of the
// exported network while it is in use already. Only exports of contract 4 can save
// such a part.
func openAbove(m *Model, def *metaGraphDef) (*graph, error) {
	unused := []string{signatureConstant, signatureConstants, signatureFeatures, signatureShared}
	if m.Runtime.server != nil {
		unused[len(unused)-1] = signatureStep
	}
	used := func(signature string) bool { return !slices.Contains(unused, signature) }
	g, err := openPart(m.Dir, def, m.Runtime, used, false)
	if err != nil {
		return nil, err
	}
	whole, err := def.graphDef() // which is parsed already
	if err != nil {
		return nil, def.refused(m.Dir, err)
	}
	if g.assigned, err = newAssigner(g, whole); err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: %w", m.Dir, err)
	}
	g.ready = sync.OnceValue(func() error {
		network, _, err := m.variables()
		if err != nil {
			return err
		}
		defer network.close()
		return g.assigned.assign(network)
	})
	go func() { _ = g.ready() }() // the first call returns the error
	return g, nil
}

// openPart opens those signatures of a MetaGraph that keep accepts. The variables
// have no values. If the signatures only compute, their functions can be inlined.
func openPart(dir string, def *metaGraphDef, r *Runtime, keep func(signature string) bool, inline bool) (*graph, error) {
	fail := func(err error) (*graph, error) {
		return nil, def.refused(dir, err)
	}
	whole, err := def.vetted(r)
	if err != nil {
		return fail(err)
	}
	kept := part(def, whole, keep)
	if inline {
		if kept, err = inlined(kept); err != nil {
			return fail(err)
		}
	}
	encoded, err := proto.Marshal(kept)
	if err != nil {
		return fail(err)
	}
	session, err := importGraph(encoded, r.config)
	if err != nil {
		return fail(firstLine(err))
	}
	return &graph{model: session, def: def, ready: func() error { return nil }}, nil
}

// part returns the nodes and functions that some signatures of a MetaGraph need.
func part(def *metaGraphDef, whole *graph_go_proto.GraphDef, keep func(signature string) bool) *graph_go_proto.GraphDef {
	p := newPruner(whole)
	for name, signature := range def.GetSignatureDef() {
		if !keep(name) {
			continue
		}
		for _, tensors := range []map[string]*tensorPB{signature.GetInputs(), signature.GetOutputs()} {
			for _, tensor := range tensors {
				p.keep(tensor.GetName())
			}
		}
	}
	return p.graph(whole)
}

// pruner finds out what is needed of a graph.
type pruner struct {
	nodes        map[string]*node_def_go_proto.NodeDef
	functions    map[string]*function_go_proto.FunctionDef
	kept, called map[string]bool
}

func newPruner(whole *graph_go_proto.GraphDef) *pruner {
	p := &pruner{
		nodes: map[string]*node_def_go_proto.NodeDef{}, functions: map[string]*function_go_proto.FunctionDef{},
		kept: map[string]bool{}, called: map[string]bool{},
	}
	for _, n := range whole.GetNode() {
		p.nodes[n.GetName()] = n
	}
	for _, f := range whole.GetLibrary().GetFunction() {
		p.functions[f.GetSignature().GetName()] = f
	}
	return p
}

// keep keeps the node that a tensor or a control input comes from, and all that it
// needs.
func (p *pruner) keep(tensor string) {
	name := source(tensor)
	node := p.nodes[name]
	if node == nil || p.kept[name] {
		return
	}
	p.kept[name] = true
	p.calls(node)
	for _, input := range node.GetInput() {
		p.keep(input)
	}
}

// calls keeps the functions that a node calls.
func (p *pruner) calls(node *node_def_go_proto.NodeDef) {
	p.call(node.GetOp())
	functions(node.GetAttr(), p.call)
}

func (p *pruner) call(name string) {
	f := p.functions[name]
	if f == nil || p.called[name] {
		return
	}
	p.called[name] = true
	for _, node := range f.GetNodeDef() {
		p.calls(node)
	}
	functions(f.GetAttr(), p.call)
}

// graph returns what is kept of the whole graph, in its order.
func (p *pruner) graph(whole *graph_go_proto.GraphDef) *graph_go_proto.GraphDef {
	g := &graph_go_proto.GraphDef{Versions: whole.GetVersions(), Library: &function_go_proto.FunctionDefLibrary{}}
	for _, node := range whole.GetNode() {
		if p.kept[node.GetName()] {
			g.Node = append(g.Node, node)
		}
	}
	for _, f := range whole.GetLibrary().GetFunction() {
		if p.called[f.GetSignature().GetName()] {
			g.Library.Function = append(g.Library.Function, f)
		}
	}
	for _, gradient := range whole.GetLibrary().GetGradient() {
		if p.called[gradient.GetFunctionName()] && p.called[gradient.GetGradientFunc()] {
			g.Library.Gradient = append(g.Library.Gradient, gradient)
		}
	}
	return g
}

// imported is a session of a graph that has no folder.
type imported struct {
	graph   *tf.Graph
	session *tf.Session
}

func importGraph(encoded []byte, options *tf.SessionOptions) (*imported, error) {
	m := &imported{graph: tf.NewGraph()}
	if err := m.graph.Import(encoded, ""); err != nil {
		return nil, err
	}
	var err error
	m.session, err = tensor.NewSession(m.graph, options)
	return m, err
}

func (m *imported) exec(fetch []tf.Output, feed map[tf.Output]*tf.Tensor) []*tf.Tensor {
	results, err := m.session.Run(feed, fetch, nil)
	if err != nil {
		panic(err)
	}
	return results
}

func (m *imported) op(name string, index int) tf.Output {
	op := m.graph.Operation(name)
	if op == nil || index >= op.NumOutputs() {
		panic(fmt.Errorf("tensor %s:%d is missing", name, index))
	}
	return op.Output(index)
}
