package tfrecord

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Example is a tf.train.Example: its features by name.
type Example map[string]Feature

// Feature is an encoded feature. It shares the record's memory.
type Feature []byte

// The field numbers of the nested messages: Example.features, Features.feature, a
// map entry's key and value, Feature's bytes_list and int64_list, and each list's
// value.
const (
	exampleFeatures = 1
	featuresFeature = 1
	entryKey        = 1
	entryValue      = 2
	featureBytes    = 1
	featureInts     = 3
	listValue       = 1
)

// maxValues is the most features of an example, and the most values of one. They take
// more memory than their bytes.
const maxValues = 1 << 20

func many() error { return fmt.Errorf("has more than the limit of %d values", maxValues) }

// ParseExample reads an example. It does not decode the features yet.
func ParseExample(record []byte) (Example, error) {
	e := Example{}
	err := each(record, exampleFeatures, func(features field) error {
		return each(features.bytes, featuresFeature, func(entry field) error {
			var name string
			var value Feature
			err := each(entry.bytes, entryKey, func(f field) error { name = string(f.bytes); return nil })
			if err == nil {
				err = each(entry.bytes, entryValue, func(f field) error { value = f.bytes; return nil })
			}
			if e[name] = value; len(e) > maxValues {
				return many()
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("not a tf.train.Example: %w", err)
	}
	return e, nil
}

// Bytes are the values of a bytes feature, or none if it has another type. They
// share the feature's memory.
func (f Feature) Bytes() (values [][]byte, err error) {
	err = each(f, featureBytes, func(list field) error {
		return each(list.bytes, listValue, func(value field) error {
			if values = append(values, value.bytes); len(values) > maxValues {
				return many()
			}
			return nil
		})
	})
	return values, err
}

// Ints are the values of an int64 feature, or none if it has another type.
func (f Feature) Ints() (values []int64, err error) {
	err = each(f, featureInts, func(list field) error {
		return each(list.bytes, listValue, func(value field) error {
			if len(values) > maxValues {
				return many()
			}
			if value.kind == protowire.VarintType {
				values = append(values, int64(value.number))
				return nil
			}
			for packed := value.bytes; len(packed) > 0; {
				v, n := protowire.ConsumeVarint(packed)
				if n < 0 {
					return protowire.ParseError(n)
				}
				if values = append(values, int64(v)); len(values) > maxValues {
					return many()
				}
				packed = packed[n:]
			}
			return nil
		})
	})
	return values, err
}

// field is one field of a message: bytes if it has a length, a number if it is a
// varint.
type field struct {
	kind   protowire.Type
	bytes  []byte
	number uint64
}

// each calls f with the fields of a message that have this number, in order. It
// ignores all others, as the format requires.
func each(message []byte, number protowire.Number, f func(field) error) error {
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		size = protowire.ConsumeFieldValue(n, kind, message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		if n == number {
			v := field{kind: kind}
			switch kind {
			case protowire.BytesType:
				v.bytes, _ = protowire.ConsumeBytes(message[:size])
			case protowire.VarintType:
				v.number, _ = protowire.ConsumeVarint(message[:size])
			default:
				return fmt.Errorf("field %d has wire type %d", n, kind)
			}
			if err := f(v); err != nil {
				return err
			}
		}
		message = message[size:]
	}
	return nil
}
