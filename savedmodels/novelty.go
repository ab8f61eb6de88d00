package savedmodels

import (
	"bytes"
	"encoding/binary"
	"math"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"

	"tftl/internal/regular"
	"tftl/pipeline"
)

// noveltyNode is the constant of the output `novelty` in the functions of the serving
// signatures: [classes,features+1]. A row has the direction of a class, and the distance
// that most familiar images keep. An export has no rows.
const noveltyNode = "tftl_novelty"

// outputNovelty is an output of the serving signatures. Older exports lack it.
const outputNovelty = "novelty"

// Novelty returns how the model says how unlike the training images an image is. It has
// no Centers if the model does not, and is nil if its graph has no output for it.
func (m *Model) Novelty() (*pipeline.Novelty, error) {
	if m.Description == nil {
		return nil, nil
	}
	data, err := regular.Read(filepath.Join(m.Dir, graphFile), math.MaxInt32)
	if err != nil {
		return nil, err
	}
	var found *pipeline.Novelty
	_, err = rewritten(data, noveltyPath(), func(node []byte) ([]byte, error) {
		if !named(node, noveltyNode) || found != nil {
			return node, nil
		}
		_, err := rewritten(node, tensorPath(), func(tensor []byte) ([]byte, error) {
			var err error
			found, err = m.readNovelty(tensor)
			return tensor, err
		})
		return node, err
	})
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: the constant %s: %w", m.Dir, noveltyNode, err)
	}
	return found, nil
}

// readNovelty reads the constant.
func (m *Model) readNovelty(tensor []byte) (*pipeline.Novelty, error) {
	shape, values, err := readTensor(tensor)
	if err != nil {
		return nil, err
	}
	bad := func(what string) error { return pipeline.Errorf(pipeline.BadModel, "%s", what) }
	if len(shape) != 2 || shape[1] < 2 || shape[0] < 0 || int64(len(values)) != shape[0]*shape[1] {
		return nil, bad("has another shape")
	}
	width := int(shape[1]) - 1
	n := &pipeline.Novelty{Width: width, Positions: m.Description.Head.Inputs / width}
	if n.Positions*width != m.Description.Head.Inputs {
		return nil, bad("does not fit the head")
	}
	for at := 0; at < len(values); at += width + 1 {
		row := values[at : at+width]
		if n.Limit = values[at+width]; !(n.Limit > 0) || math.IsInf(float64(n.Limit), 0) {
			return nil, bad("has no limit")
		}
		n.Centers = append(n.Centers, row...)
	}
	return n, nil
}

// noveltyValues are those of the constant.
func noveltyValues(n *pipeline.Novelty) (values []float32) {
	for at := 0; at < len(n.Centers); at += n.Width {
		values = append(append(values, n.Centers[at:at+n.Width]...), n.Limit)
	}
	return values
}

// withNovelty is saved_model.pb with another novelty; nil is that of an export. Where the
// graph is of an older version nothing changes.
func withNovelty(data []byte, n *pipeline.Novelty) ([]byte, error) {
	return rewritten(data, noveltyPath(), func(node []byte) ([]byte, error) {
		if !named(node, noveltyNode) {
			return node, nil
		}
		width := int64(0)
		if _, err := rewritten(node, tensorPath(), func(tensor []byte) ([]byte, error) {
			shape, _, err := readTensor(tensor)
			if len(shape) == 2 {
				width = shape[1]
			}
			return tensor, err
		}); err != nil {
			return nil, err
		}
		shape, values := []int64{0, width}, []float32(nil)
		if n != nil {
			if int64(n.Width)+1 != width {
				return nil, pipeline.Errorf(pipeline.BadModel, "the constant %s has the width %d, but there are %d features", noveltyNode, width, n.Width)
			}
			values = noveltyValues(n)
			shape[0] = int64(len(values)) / width
		}
		// The value, and the shape that the exporter noted beside it.
		node, err := rewritten(node, tensorPath(), func([]byte) ([]byte, error) { return tensorProto(shape, values), nil })
		if err != nil {
			return nil, err
		}
		return rewritten(node, []protowire.Number{5, 2, 1, 7}, func([]byte) ([]byte, error) { return shapeProto(shape), nil })
	})
}

// noveltyPath leads to the nodes of the functions in a saved_model.pb, and tensorPath
// from a node to its value.
func noveltyPath() []protowire.Number {
	return []protowire.Number{fieldMetaGraph, fieldGraphDef, 2, 1, 3} // FunctionDefLibrary, FunctionDef, NodeDef
}
func tensorPath() []protowire.Number { return []protowire.Number{5, 2, 8} }

// named says whether a node has a name.
func named(node []byte, name string) (is bool) {
	_ = inside(node, []protowire.Number{1}, func(s []byte) error {
		is = is || string(s) == name
		return nil
	})
	return is
}

// rewritten returns a message with what use makes of each field at a path of fields of
// nested messages. All else stays as it is, to the bit.
func rewritten(message []byte, path []protowire.Number, use func([]byte) ([]byte, error)) ([]byte, error) {
	if len(path) == 0 {
		return use(message)
	}
	all, changed := make([]byte, 0, len(message)), false
	err := fields(message, func(number protowire.Number, content, field []byte) error {
		if number != path[0] {
			all = append(all, field...)
			return nil
		}
		inner, err := rewritten(content, path[1:], use)
		if err != nil || bytes.Equal(inner, content) {
			all = append(all, field...)
			return err
		}
		changed = true
		all = protowire.AppendBytes(protowire.AppendTag(all, number, protowire.BytesType), inner)
		return nil
	})
	if !changed || err != nil {
		return message, err
	}
	return all, nil
}

// tensorProto is a float32 tensor as TensorFlow writes it.
func tensorProto(shape []int64, values []float32) []byte {
	t := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1) // DT_FLOAT
	t = protowire.AppendBytes(protowire.AppendTag(t, 2, protowire.BytesType), shapeProto(shape))
	if len(values) == 0 {
		return t
	}
	content := make([]byte, 0, 4*len(values))
	for _, v := range values {
		content = binary.LittleEndian.AppendUint32(content, math.Float32bits(v))
	}
	return protowire.AppendBytes(protowire.AppendTag(t, 4, protowire.BytesType), content)
}

func shapeProto(shape []int64) (s []byte) {
	for _, size := range shape {
		var dim []byte
		if size != 0 {
			dim = protowire.AppendVarint(protowire.AppendTag(dim, 1, protowire.VarintType), uint64(size))
		}
		s = protowire.AppendBytes(protowire.AppendTag(s, 2, protowire.BytesType), dim)
	}
	return s
}

// readTensor reads what tensorProto writes.
func readTensor(t []byte) (shape []int64, values []float32, err error) {
	err = inside(t, []protowire.Number{2, 2}, func(dim []byte) error {
		size := int64(0)
		err := fields(dim, func(number protowire.Number, content, _ []byte) error {
			if v, n := protowire.ConsumeVarint(content); number == 1 && n > 0 {
				size = int64(v)
			}
			return nil
		})
		shape = append(shape, size)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = inside(t, []protowire.Number{4}, func(content []byte) error {
		for ; len(content) >= 4; content = content[4:] {
			values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(content)))
		}
		return nil
	})
	return shape, values, err
}
