package savedmodels

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"

	"tftl/pipeline"
)

// Bounds of a graph, several times what the largest of Keras' networks needs. TensorFlow
// crashes or never ends on graphs without any.
const (
	maxNesting   = 100       // functions that call functions
	maxNodes     = 5_000_000 // once every call is replaced by what it calls
	maxConstants = 8 << 30   // bytes
)

// vet checks, before TensorFlow sees a graph, that it does nothing but compute: every
// operation is allowed, files are read and written only where the caller says, and
// nothing calls or needs itself. more operations are allowed outside of functions. roots
// are the placeholders to which the caller gives paths.
func vet(whole *graph_go_proto.GraphDef, more map[string]bool, roots ...string) error {
	v := vetter{allowed: allowed(), more: more, paths: pathInputs(), bodies: map[string]*body{}, extents: map[string]extent{}}
	for _, f := range whole.GetLibrary().GetFunction() {
		name := f.GetSignature().GetName()
		if v.bodies[name] != nil || name == "" {
			return fmt.Errorf("has two functions named %q", name)
		}
		v.bodies[name] = newBody(name, f.GetNodeDef(), f)
	}
	top := newBody("", whole.GetNode(), nil)
	for _, root := range roots {
		top.paths[source(root)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(v.bodies)) {
		if err := v.body(v.bodies[name]); err != nil {
			return err
		}
	}
	if err := v.body(top); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(v.bodies)) {
		if _, err := v.extent(v.bodies[name], 0); err != nil {
			return err
		}
	}
	if _, err := v.extent(top, 0); err != nil {
		return err
	}
	return v.rooted(top)
}

// Operation is a kind of operation of a model.
type Operation struct {
	Name    string `json:"name"`
	Allowed bool   `json:"allowed"` // a model may have it without being trusted
}

// Operations lists the operations in the model's graphs, sorted by name.
func (m *Model) Operations() ([]Operation, error) {
	allowed, found := allowed(), map[string]bool{}
	for _, def := range m.saved.metaGraphs {
		g, err := def.graphDef()
		if err != nil {
			return nil, def.refused(m.Dir, err)
		}
		nodes := [][]*node_def_go_proto.NodeDef{g.GetNode()}
		functions := map[string]bool{}
		for _, f := range g.GetLibrary().GetFunction() {
			functions[f.GetSignature().GetName()] = true
			nodes = append(nodes, f.GetNodeDef())
		}
		for _, node := range slices.Concat(nodes...) {
			if op := node.GetOp(); !functions[op] {
				found[op] = true
				allowed[op] = allowed[op] || def.quantized()[op]
			}
		}
	}
	var list []Operation
	for _, name := range slices.Sorted(maps.Keys(found)) {
		list = append(list, Operation{name, allowed[name]})
	}
	return list, nil
}

// Vet returns an error of kind pipeline.BadModel, with a hint, if one of the model's
// graphs does more than compute. Opening a graph does the same before TensorFlow sees
// it.
func (m *Model) Vet() error {
	for _, def := range m.saved.metaGraphs {
		if _, err := def.vetted(nil); err != nil {
			return def.refused(m.Dir, err)
		}
	}
	return nil
}

// vetter checks a graph.
type vetter struct {
	allowed   map[string]bool
	more      map[string]bool // allowed in the graph itself
	paths     map[string][]int
	bodies    map[string]*body // of the functions, by name
	extents   map[string]extent
	constants float64 // bytes of all constants
}

// body is the graph of a function, or the graph itself.
type body struct {
	name      string
	list      []*node_def_go_proto.NodeDef
	nodes     map[string]*node_def_go_proto.NodeDef
	arguments []string        // names of a function's arguments
	paths     map[string]bool // arguments, or placeholders, that are paths from the caller
}

func newBody(name string, list []*node_def_go_proto.NodeDef, f *function_go_proto.FunctionDef) *body {
	b := &body{name: name, list: list, nodes: map[string]*node_def_go_proto.NodeDef{}, paths: map[string]bool{}}
	for _, node := range list {
		b.nodes[node.GetName()] = node
	}
	for _, argument := range f.GetSignature().GetInputArg() {
		b.arguments = append(b.arguments, argument.GetName())
		b.paths[argument.GetName()] = true
	}
	return b
}

// where names a node.
func (b *body) where(node *node_def_go_proto.NodeDef) string {
	if b.name == "" {
		return fmt.Sprintf("node %q", node.GetName())
	}
	return fmt.Sprintf("node %q of function %q", node.GetName(), b.name)
}

// body checks the operations and constants of a body, and that no node needs itself.
func (v *vetter) body(b *body) error {
	if len(b.nodes) != len(b.list) {
		return fmt.Errorf("has two nodes with one name in function %q", b.name)
	}
	for _, node := range b.list {
		if op := node.GetOp(); !v.allowed[op] && !(v.more[op] && b.name == "") && v.bodies[op] == nil {
			return untrusted("has the operation %s (%s), which is not among those that a model may have", op, b.where(node))
		}
		if node.GetOp() == "Const" {
			size, err := constantSize(node.GetAttr()["value"].GetTensor())
			if v.constants += size; err != nil || v.constants > maxConstants {
				return errors.Join(err, fmt.Errorf("%s: constants need more than %d bytes", b.where(node), int64(maxConstants)))
			}
		}
	}
	return b.acyclic()
}

// constantSize is the memory in bytes that a constant needs, 8 for each element.
func constantSize(t *tensor_go_proto.TensorProto) (float64, error) {
	size := 8.0
	for _, dim := range t.GetTensorShape().GetDim() {
		if dim.GetSize() < 0 {
			return 0, fmt.Errorf("a constant has the dimension %d", dim.GetSize())
		}
		size *= float64(dim.GetSize())
	}
	return size, nil
}

// acyclic checks that no node needs its own output.
func (b *body) acyclic() error {
	missing := map[string]int{} // inputs that are not ready
	users := map[string][]string{}
	var ready []string
	for _, node := range b.list {
		name := node.GetName()
		for _, input := range node.GetInput() {
			if from := source(input); b.nodes[from] != nil {
				users[from] = append(users[from], name)
				missing[name]++
			}
		}
		if missing[name] == 0 {
			ready = append(ready, name)
		}
	}
	done := 0
	for ; len(ready) > 0; done++ {
		name := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, user := range users[name] {
			if missing[user]--; missing[user] == 0 {
				ready = append(ready, user)
			}
		}
	}
	if done == len(b.list) {
		return nil
	}
	for _, node := range b.list {
		if missing[node.GetName()] > 0 {
			return fmt.Errorf("%s needs its own output", b.where(node))
		}
	}
	return nil
}

// source is the node or argument that an input comes from.
func source(input string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(input, "^"), ":")
	return name
}

// called lists the functions that a node calls.
func (v *vetter) called(node *node_def_go_proto.NodeDef) (names []string) {
	if v.bodies[node.GetOp()] != nil {
		names = append(names, node.GetOp())
	}
	functions(node.GetAttr(), func(name string) {
		if v.bodies[name] != nil || name == "" {
			names = append(names, name)
		}
	})
	return names
}

// functions calls use with the functions that attributes name.
func functions(attributes map[string]*attr_value_go_proto.AttrValue, use func(name string)) {
	for _, value := range attributes {
		for _, f := range append([]*attr_value_go_proto.NameAttrList{value.GetFunc()}, value.GetList().GetFunc()...) {
			if f != nil {
				use(f.GetName())
				functions(f.GetAttr(), use)
			}
		}
	}
}

// extent is what a body becomes if every call is replaced by what it calls.
type extent struct {
	nodes  int
	height int // of calls within calls; -1 while it is computed
}

func (v *vetter) extent(b *body, depth int) (extent, error) {
	whole, known := v.extents[b.name]
	switch {
	case known && whole.height < 0:
		return whole, fmt.Errorf("function %q calls itself", b.name)
	case known:
		return whole, nil
	case depth > maxNesting:
		return whole, fmt.Errorf("function %q: calls are nested more than %d deep", b.name, maxNesting)
	}
	v.extents[b.name] = extent{height: -1}
	whole.nodes = len(b.list)
	for _, node := range b.list {
		for _, name := range v.called(node) {
			part, err := v.extent(v.bodies[name], depth+1)
			if err != nil {
				return part, err
			}
			whole.nodes += part.nodes
			whole.height = max(whole.height, part.height+1)
			if whole.nodes > maxNodes {
				return whole, fmt.Errorf("function %q has more than %d nodes with all that it calls", b.name, maxNodes)
			}
		}
	}
	if whole.height > maxNesting {
		return whole, fmt.Errorf("function %q: calls are nested more than %d deep", b.name, maxNesting)
	}
	v.extents[b.name] = whole
	return whole, nil
}

// rooted checks that every path at which files are read or written comes from the
// caller of the model.
func (v *vetter) rooted(top *body) error {
	all := append(slices.Collect(maps.Values(v.bodies)), top)
	// An argument counts as a path until a caller passes something else. That may make
	// an argument of another function something else too.
	for changed := true; changed; {
		changed = false
		for _, b := range all {
			for _, node := range b.list {
				for _, name := range v.called(node) {
					changed = v.bodies[name].passed(b, node) || changed
				}
			}
		}
	}
	for _, b := range all {
		for _, node := range b.list {
			for _, i := range v.paths[node.GetOp()] {
				if i >= len(node.GetInput()) || !b.path(node.GetInput()[i]) {
					return untrusted("has the operation %s (%s) with a path of its own", node.GetOp(), b.where(node))
				}
			}
		}
	}
	return nil
}

// passed notes which arguments are no paths when a node of another body calls b, and
// reports whether that changed. Of a call that is not a plain one it knows nothing.
func (b *body) passed(from *body, node *node_def_go_proto.NodeDef) (changed bool) {
	plain := node.GetOp() == "PartitionedCall" || node.GetOp() == "StatefulPartitionedCall"
	for i, argument := range b.arguments {
		if b.paths[argument] && (!plain || i >= len(node.GetInput()) || !from.path(node.GetInput()[i])) {
			delete(b.paths, argument)
			changed = true
		}
	}
	return changed
}

// path reports whether a tensor is a path that the caller gave, or one with an ending
// that TensorFlow's own saver adds.
func (b *body) path(tensor string) bool {
	node := b.nodes[source(tensor)]
	if node == nil || node.GetOp() == "Placeholder" {
		return b.paths[source(tensor)]
	}
	inputs := slices.DeleteFunc(slices.Clone(node.GetInput()), func(input string) bool { return strings.HasPrefix(input, "^") })
	all := func(inputs []string, is func(string) bool) bool {
		return !slices.ContainsFunc(inputs, func(input string) bool { return !is(input) })
	}
	switch node.GetOp() {
	case "Identity", "Pack":
		return len(inputs) > 0 && all(inputs, b.path)
	case "ShardedFilename":
		return len(inputs) > 0 && b.path(inputs[0])
	case "Select", "SelectV2":
		return len(inputs) == 3 && all(inputs[1:], b.path)
	case "StringJoin":
		return len(inputs) == 2 && len(node.GetAttr()["separator"].GetS()) == 0 && b.path(inputs[0]) && b.ending(inputs[1])
	}
	return false
}

// ending reports whether a tensor is an ending that TensorFlow's saver adds to a path.
func (b *body) ending(tensor string) bool {
	node := b.nodes[source(tensor)]
	switch {
	case node.GetOp() == "Const":
		values := node.GetAttr()["value"].GetTensor().GetStringVal()
		return len(values) == 1 && (string(values[0]) == ".part" || string(values[0]) == "_temp/part")
	case (node.GetOp() == "Select" || node.GetOp() == "SelectV2") && len(node.GetInput()) >= 3:
		return b.ending(node.GetInput()[1]) && b.ending(node.GetInput()[2])
	}
	return false
}

// untrusted is the error for a graph that does more than compute.
func untrusted(format string, args ...any) error {
	return pipeline.WithHint(fmt.Errorf(format, args...),
		"%s runs it all the same; do that only if you would run a program of its author", pipeline.Option("trust-model"))
}
