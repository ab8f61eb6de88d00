package savedmodels

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/proto"
)

// graphDigest identifies what a signature computes: its operations, their
// attributes, constants and order, with the variables' keys in checkpoints instead
// of their values. The names of nodes and functions, which differ from one export of
// a network to the next, do not count.
func (d *metaGraphDef) graphDigest(signature string) (string, error) {
	whole, err := d.graphDef()
	if err != nil {
		return "", err
	}
	var keys map[string]string // none without variables
	if restore := d.GetSaverDef().GetRestoreOpName(); restore != "" {
		if keys, err = checkpointKeys(whole, restore); err != nil {
			return "", err
		}
	}
	def := d.GetSignatureDef()[signature]
	g := digester{keys: keys, functions: map[string]*function_go_proto.FunctionDef{}, done: map[string]string{}}
	for _, f := range whole.GetLibrary().GetFunction() {
		g.functions[f.GetSignature().GetName()] = f
	}
	top := g.scope(whole.GetNode())
	for name, input := range def.GetInputs() {
		top.done[source(input.GetName())] = "input " + name
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(def.GetOutputs())) {
		fmt.Fprintf(h, "%s %s\n", name, top.tensor(def.GetOutputs()[name].GetName()))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digester computes digests of functions.
type digester struct {
	keys      map[string]string // of variables, by node
	functions map[string]*function_go_proto.FunctionDef
	done      map[string]string // digests of functions
}

// scope is a graph, or the graph of a function, with the digests of its nodes.
type scope struct {
	*digester
	nodes map[string]*node_def_go_proto.NodeDef
	done  map[string]string
}

func (g *digester) scope(list []*node_def_go_proto.NodeDef) *scope {
	s := &scope{g, map[string]*node_def_go_proto.NodeDef{}, map[string]string{}}
	for _, node := range list {
		s.nodes[node.GetName()] = node
	}
	return s
}

// tensor is the digest of an input of a node: an output of another one.
func (s *scope) tensor(name string) string {
	from := source(name)
	return s.node(from) + strings.TrimPrefix(strings.TrimPrefix(name, "^"), from)
}

// node is the digest of a node and of all that it needs.
func (s *scope) node(name string) string {
	if digest, known := s.done[name]; known {
		return digest
	}
	s.done[name] = "itself" // a graph that is vetted has no such node
	node := s.nodes[name]
	h := sha256.New()
	op := node.GetOp()
	if f := s.functions[op]; f != nil {
		op = s.function(op)
	}
	fmt.Fprintf(h, "%q %q %s\n", op, node.GetDevice(), s.attributes(node.GetAttr()))
	if op == "VarHandleOp" {
		fmt.Fprintf(h, "%q\n", s.keys[name])
	}
	var controls []string
	for _, input := range node.GetInput() {
		if strings.HasPrefix(input, "^") {
			controls = append(controls, s.tensor(input))
		} else {
			fmt.Fprintln(h, s.tensor(input))
		}
	}
	slices.Sort(controls)
	fmt.Fprintln(h, controls)
	s.done[name] = hex.EncodeToString(h.Sum(nil))
	return s.done[name]
}

// function is the digest of a function.
func (g *digester) function(name string) string {
	if digest, known := g.done[name]; known {
		return digest
	}
	g.done[name] = "itself"
	f := g.functions[name]
	s := g.scope(f.GetNodeDef())
	for i, argument := range f.GetSignature().GetInputArg() {
		s.done[argument.GetName()] = fmt.Sprintf("argument %d", i)
	}
	h := sha256.New()
	for _, result := range f.GetSignature().GetOutputArg() {
		fmt.Fprintln(h, s.tensor(f.GetRet()[result.GetName()]))
	}
	var effects []string // of operations that are run for no output
	for _, node := range f.GetControlRet() {
		effects = append(effects, s.node(node))
	}
	slices.Sort(effects)
	fmt.Fprintln(h, effects)
	g.done[name] = hex.EncodeToString(h.Sum(nil))
	return g.done[name]
}

// attributes is the digest of attributes, without those that name something or say
// only what is known from the rest.
func (g *digester) attributes(all map[string]*attr_value_go_proto.AttrValue) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch name {
		case "_output_shapes", "_user_specified_name", "_gradient_op_type", "_class", "_collective_manager_ids", "_read_only_resource_inputs",
			"shared_name", "container", "debug_name", "config_proto", "config":
			continue
		}
		fmt.Fprintf(h, "%q ", name)
		calls := false
		functions(map[string]*attr_value_go_proto.AttrValue{name: all[name]}, func(function string) {
			calls = true
			if g.functions[function] != nil {
				function = g.function(function)
			}
			fmt.Fprintf(h, "calls %q ", function)
		})
		if !calls {
			data, err := proto.MarshalOptions{Deterministic: true}.Marshal(all[name])
			fmt.Fprintf(h, "%d %v ", len(data), err)
			h.Write(data)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
