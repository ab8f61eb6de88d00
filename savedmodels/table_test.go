package savedmodels

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/table"
)

// entriesOf lists the entries of a table in order.
func entriesOf(data []byte) (list []string, err error) {
	err = readTable(data, func(key, value []byte) error {
		list = append(list, fmt.Sprintf("%q %q", key, value))
		return nil
	})
	return list, err
}

func TestTablesAreReadAsLevelDBReadsThem(t *testing.T) {
	tables := map[string][]byte{}
	for _, model := range []string{"tiny", "normalized", "keras-softmax"} {
		data, err := os.ReadFile(filepath.Join(fixtures, model, "variables", "variables.index"))
		if err != nil {
			t.Fatal(err)
		}
		tables[model] = data
	}
	var many bytes.Buffer
	w := table.NewWriter(&many, &opt.Options{Compression: opt.NoCompression})
	for i := range 3000 {
		if err := w.Append(fmt.Appendf(nil, "layer/%05d/kernel", i), bytes.Repeat([]byte{byte(i)}, i%50)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tables["many"] = many.Bytes()
	for name, data := range tables {
		reader, err := table.NewReader(bytes.NewReader(data), int64(len(data)), storage.FileDesc{}, nil, nil, &opt.Options{Strict: opt.StrictAll})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for entries := reader.NewIterator(nil, nil); entries.Next(); {
			want = append(want, fmt.Sprintf("%q %q", entries.Key(), entries.Value()))
		}
		if got, err := entriesOf(data); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d entries, %v; want %d", name, len(got), err, len(want))
		}
		for size := range min(len(data), 3000) { // cut off anywhere
			if _, err := entriesOf(data[:size]); err == nil {
				t.Errorf("%s: %d of %d bytes are a table", name, size, len(data))
			}
		}
	}
	var packed bytes.Buffer
	w = table.NewWriter(&packed, &opt.Options{Compression: opt.SnappyCompression})
	if err := errors.Join(w.Append([]byte("key"), make([]byte, 1000)), w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := entriesOf(packed.Bytes()); err == nil || err.Error() != "is compressed" {
		t.Errorf("a compressed table: %v", err)
	}
}
