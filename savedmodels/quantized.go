package savedmodels

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// checkQuantized checks the shapes of what the quantised convolutions of a part are
// given, because their kernels do not, and crash.
func checkQuantized(g *graph) error {
	whole, err := g.def.graphDef()
	if err != nil {
		return err
	}
	part := g.model.(*imported).graph
	for _, node := range whole.GetNode() {
		op := node.GetOp()
		if part.Operation(node.GetName()) == nil || !strings.HasPrefix(op, "QuantizedConv2D") && !strings.HasPrefix(op, "QuantizedDepthwise") {
			continue
		}
		if op == quantizedSum {
			return untrusted("has the operation %s, which does not check the shape of what it adds", op)
		}
		if err := checkConvolution(part, node); err != nil {
			return fmt.Errorf("%s: %w", node.GetName(), err)
		}
	}
	return nil
}

// checkConvolution checks the inputs of a quantised convolution: values, filter and
// bias, and the least and the largest of the values, of the filter's, and of the result's.
func checkConvolution(part *tf.Graph, node *node_def_go_proto.NodeDef) error {
	shapes := make([][]int64, 9)
	for i := range shapes {
		name, digits, _ := strings.Cut(node.GetInput()[i], ":")
		index, _ := strconv.Atoi(digits) // none is 0
		shape := part.Operation(name).Output(index).Shape()
		if shapes[i], _ = shape.ToSlice(); shape.NumDimensions() < 0 {
			return fmt.Errorf("the shape of input %d is unknown", i)
		}
	}
	filter := shapes[1]
	if len(filter) != 4 {
		return fmt.Errorf("has a filter of shape %v", filter)
	}
	channels := []int64{filter[3]}
	if strings.Contains(node.GetOp(), "Depthwise") {
		channels[0] *= filter[2]
	}
	scalar := []int64{}
	for i, want := range [][]int64{{-1, anySize, anySize, anySize}, filter, channels, scalar, scalar, channels, channels, scalar, scalar} {
		if !slices.EqualFunc(shapes[i], want, func(h, w int64) bool { return h == w && (h > 0 || i == 0) || w == anySize }) {
			return fmt.Errorf("input %d has shape %v, not %v", i, shapes[i], want)
		}
	}
	return nil
}
