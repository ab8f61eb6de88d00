package savedmodels

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"tftl/internal/tensor"
)

// assigner gives the variables of a part of a graph their values.
type assigner struct {
	session   *tf.Session
	variables []assigned
}

// assigned is a variable with the operation that assigns it.
type assigned struct {
	key    string // in checkpoints
	value  tf.Output
	assign *tf.Operation
}

// newAssigner adds an operation to the part for each of its variables. The whole
// graph's saver says what they are called in checkpoints.
func newAssigner(part *graph, whole *graph_go_proto.GraphDef) (*assigner, error) {
	session, ok := part.model.(*imported)
	if !ok {
		return nil, errors.New("only a part of a graph is assigned")
	}
	keys, err := checkpointKeys(whole, part.def.GetSaverDef().GetRestoreOpName())
	if err != nil {
		return nil, err
	}
	a := &assigner{session: session.session}
	for _, variable := range session.graph.Operations() {
		if variable.Type() != "VarHandleOp" {
			continue
		}
		name := variable.Name()
		if keys[name] == "" {
			return nil, fmt.Errorf("its saver does not restore the variable %s", name)
		}
		dtype, err := variable.Attr("dtype")
		if err != nil {
			return nil, err
		}
		attributes := map[string]any{"dtype": dtype}
		value, err := session.graph.AddOperation(tf.OpSpec{Type: "Placeholder", Name: "tftl/value/" + name, Attrs: attributes})
		if err != nil {
			return nil, err
		}
		assign, err := session.graph.AddOperation(tf.OpSpec{
			Type: "AssignVariableOp", Name: "tftl/assign/" + name, Attrs: attributes,
			Input: []tf.Input{variable.Output(0), value.Output(0)},
		})
		if err != nil {
			return nil, err
		}
		a.variables = append(a.variables, assigned{keys[name], value.Output(0), assign})
	}
	return a, nil
}

// assign takes each value from the first of the bundles that has it.
func (a *assigner) assign(bundles ...*bundle) error {
	feed := map[tf.Output]*tf.Tensor{}
	defer func() {
		for _, t := range feed {
			tensor.Free(t)
		}
	}()
	var targets []*tf.Operation
	for _, v := range a.variables {
		i := slices.IndexFunc(bundles, func(b *bundle) bool { return b.entries[v.key] != nil })
		if i < 0 {
			return fmt.Errorf("the variable %s is missing", v.key)
		}
		value, err := bundles[i].tensor(v.key)
		if err != nil {
			return err
		}
		feed[v.value] = value
		targets = append(targets, v.assign)
	}
	if len(targets) == 0 {
		return nil
	}
	_, err := a.session.Run(feed, nil, targets)
	return err
}

// tensor reads a variable.
func (b *bundle) tensor(key string) (*tf.Tensor, error) {
	data, err := b.value(key)
	if err != nil {
		return nil, err
	}
	e := b.entries[key]
	dims := []int64{}
	for _, dim := range e.Shape.GetDim() {
		dims = append(dims, dim.Size)
	}
	t, err := tf.ReadTensor(tf.DataType(e.Dtype), dims, bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return t, nil
}

// checkpointKeys returns the key in checkpoints of each variable that an operation
// restores. The operation calls a function with the variables as arguments, in
// which RestoreV2 reads a list of keys and each result is assigned to an argument.
func checkpointKeys(whole *graph_go_proto.GraphDef, restore string) (map[string]string, error) {
	i := slices.IndexFunc(whole.GetNode(), func(n *node_def_go_proto.NodeDef) bool { return n.GetName() == restore })
	if i < 0 {
		return nil, fmt.Errorf("the operation %q that restores its variables is missing", restore)
	}
	call := whole.GetNode()[i]
	arguments, nodes := map[string]string{}, map[string]*node_def_go_proto.NodeDef{}
	for _, f := range whole.GetLibrary().GetFunction() {
		if f.GetSignature().GetName() != call.GetAttr()["f"].GetFunc().GetName() {
			continue
		}
		for i, argument := range f.GetSignature().GetInputArg() {
			if i < len(call.GetInput()) {
				arguments[argument.GetName()] = source(call.GetInput()[i])
			}
		}
		for _, node := range f.GetNodeDef() {
			nodes[node.GetName()] = node
		}
	}
	keys := map[string]string{}
	for _, node := range nodes {
		if node.GetOp() != "AssignVariableOp" || len(node.GetInput()) < 2 {
			continue
		}
		if key := restoredKey(nodes, node.GetInput()[1]); key != "" {
			keys[arguments[node.GetInput()[0]]] = key
		}
	}
	return keys, nil
}

// restoredKey returns the key of a result of RestoreV2, or an empty string if the
// tensor is something else.
func restoredKey(nodes map[string]*node_def_go_proto.NodeDef, name string) string {
	// Within a function a tensor is called operation:output:index.
	parts := strings.Split(name, ":")
	node := nodes[parts[0]]
	if node.GetOp() == "Identity" && len(node.GetInput()) > 0 {
		parts = strings.Split(node.GetInput()[0], ":")
		node = nodes[parts[0]]
	}
	if node.GetOp() != "RestoreV2" || len(node.GetInput()) < 2 {
		return ""
	}
	keys := nodes[source(node.GetInput()[1])].GetAttr()["value"].GetTensor().GetStringVal()
	i, err := strconv.Atoi(parts[len(parts)-1])
	if err != nil || i < 0 || i >= len(keys) {
		return ""
	}
	return string(keys[i])
}
