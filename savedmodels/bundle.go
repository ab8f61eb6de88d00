package savedmodels

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/table"
	"google.golang.org/protobuf/proto"

	"tftl/internal/regular"
)

type (
	bundleHeaderPB = for_core_protos_go_proto.BundleHeaderProto
	bundleEntryPB  = for_core_protos_go_proto.BundleEntryProto
)

// bundle is a checkpoint in TensorFlow's format, opened for reading: an index,
// which is a LevelDB table with an entry per variable, and data files with their
// values. The open files stay what they are if others take their names.
type bundle struct {
	header  *bundleHeaderPB
	entries map[string]*bundleEntryPB // by the variable's key
	files   []*os.File
}

// maxIndex is the size in bytes of the largest index.
const maxIndex = 1 << 30

// openBundle opens the bundle at a path prefix. It reads only the index.
func openBundle(prefix string) (b *bundle, err error) {
	b = &bundle{header: new(bundleHeaderPB), entries: map[string]*bundleEntryPB{}}
	defer func() {
		if err != nil {
			b.close()
			b = nil
		}
	}()
	if err := b.readIndex(prefix + ".index"); err != nil {
		return b, err
	}
	shards := int(b.header.GetNumShards())
	for i := range shards {
		file, err := regular.Open(dataFile(prefix, i, shards))
		if err != nil {
			return b, err
		}
		b.files = append(b.files, file)
	}
	return b, nil
}

// dataFile is the name of a bundle's data file.
func dataFile(prefix string, i, shards int) string {
	return fmt.Sprintf("%s.data-%05d-of-%05d", prefix, i, shards)
}

func (b *bundle) readIndex(path string) error {
	data, err := regular.Read(path, maxIndex)
	if err != nil {
		return err
	}
	err = readTable(data, func(key, value []byte) error {
		if len(key) == 0 {
			return proto.Unmarshal(value, b.header)
		}
		entry := new(bundleEntryPB)
		b.entries[string(key)] = entry
		return proto.Unmarshal(value, entry)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if b.header.NumShards < 1 {
		return fmt.Errorf("%s: has no header", path)
	}
	for key, e := range b.entries {
		if e.ShardId < 0 || e.ShardId >= b.header.NumShards || e.Offset < 0 || e.Size < 0 {
			return fmt.Errorf("%s: entry %s is damaged", path, key)
		}
	}
	return nil
}

func (b *bundle) close() {
	for _, file := range b.files {
		file.Close()
	}
}

// keys are the variables' keys in order.
func (b *bundle) keys() []string { return slices.Sorted(maps.Keys(b.entries)) }

// value reads a variable as it is stored.
func (b *bundle) value(key string) ([]byte, error) {
	e := b.entries[key]
	file := b.files[e.ShardId]
	if info, err := file.Stat(); err != nil || e.Offset > info.Size()-e.Size {
		return nil, errors.Join(err, fmt.Errorf("%s: is cut off", file.Name()))
	}
	data := make([]byte, e.Size)
	if _, err := file.ReadAt(data, e.Offset); err != nil {
		return nil, err
	}
	// The checksum of strings is of another form than the one that is stored.
	if e.Dtype != types_go_proto.DataType_DT_STRING && masked(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))) != e.Crc32C {
		return nil, fmt.Errorf("%s: the value of %s is damaged", file.Name(), key)
	}
	return data, nil
}

// masked is a checksum as LevelDB and TensorFlow store it.
func masked(crc uint32) uint32 { return (crc>>15 | crc<<17) + 0xa282ead8 }

// sameValue reports whether a variable has the same value in two bundles.
func sameValue(a, b *bundle, key string) (bool, error) {
	one, other := a.entries[key], b.entries[key]
	if one == nil || other == nil || one.Crc32C != other.Crc32C || one.Dtype != other.Dtype || !proto.Equal(one.Shape, other.Shape) {
		return false, nil
	}
	x, err := a.value(key)
	if err != nil {
		return false, err
	}
	y, err := b.value(key)
	return bytes.Equal(x, y), err
}

// values are variables of a bundle, by their keys.
type values struct {
	from *bundle
	keys []string
}

func (v values) size() (bytes int64) {
	for _, key := range v.keys {
		bytes += v.from.entries[key].Size
	}
	return bytes
}

// shard is a data file of a bundle to be written. It has these values, or with
// whole all that is in the data file of the first, which whole puts in its place.
type shard struct {
	values []values
	whole  func(file *os.File, path string) error
}

// writeBundle writes a bundle at a path prefix. It replaces no file.
func writeBundle(prefix string, shards ...shard) error {
	entries := map[string]*bundleEntryPB{}
	var header *bundleHeaderPB
	for i, s := range shards {
		header = proto.Clone(s.values[0].from.header).(*bundleHeaderPB)
		moved, err := s.write(dataFile(prefix, i, len(shards)))
		if err != nil {
			return err
		}
		for key, e := range moved {
			e.ShardId, entries[key] = int32(i), e
		}
	}
	header.NumShards = int32(len(shards))
	return writeIndex(prefix+".index", header, entries)
}

// write writes the data file, and returns where the values are in it.
func (s shard) write(path string) (entries map[string]*bundleEntryPB, err error) {
	var file *os.File
	if s.whole != nil {
		err = s.whole(s.values[0].from.files[0], path)
	} else {
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		return nil, err
	}
	entries = map[string]*bundleEntryPB{}
	end := int64(0)
	for _, v := range s.values {
		for _, key := range v.keys {
			e := proto.Clone(v.from.entries[key]).(*bundleEntryPB)
			entries[key] = e
			if s.whole != nil {
				continue
			}
			data, err := v.from.value(key)
			if err == nil {
				_, err = file.Write(data)
			}
			if err != nil {
				return nil, errors.Join(err, file.Close())
			}
			e.Offset = end
			end += e.Size
		}
	}
	if file != nil {
		err = file.Close()
	}
	return entries, err
}

func writeIndex(path string, header *bundleHeaderPB, entries map[string]*bundleEntryPB) error {
	var data bytes.Buffer
	index := table.NewWriter(&data, &opt.Options{Compression: opt.NoCompression})
	add := func(key string, m proto.Message) error {
		value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		return errors.Join(err, index.Append([]byte(key), value))
	}
	err := add("", header)
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		err = errors.Join(err, add(key, entries[key]))
	}
	if err := errors.Join(err, index.Close()); err != nil {
		return err
	}
	return os.WriteFile(path, data.Bytes(), 0o666)
}

// link gives an open file another name. Where the file system cannot, it copies
// the file.
func link(file *os.File, path string) error {
	if name, err := filepath.EvalSymlinks(file.Name()); err == nil && os.Link(name, path) == nil {
		linked, err := os.Stat(path)
		open, statErr := file.Stat()
		if err == nil && statErr == nil && os.SameFile(linked, open) {
			return nil
		}
		if err := os.Remove(path); err != nil { // another file has taken the name
			return err
		}
	}
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(to, file)
	}
	return errors.Join(err, to.Close())
}

// symlink puts a symbolic link in the place of an open file.
func symlink(file *os.File, path string) error {
	target, err := filepath.Abs(file.Name())
	if err != nil {
		return err
	}
	return os.Symlink(target, path)
}
