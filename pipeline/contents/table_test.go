package contents

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// later is a clock by which no file has just been changed.
func later() time.Time { return time.Now().Add(time.Minute) }

func open(dir string) *Table { return Open(Options{Dir: dir, Now: later}) }

// keyOf writes a file and returns its key.
func keyOf(t *testing.T, table *Table, path, text string) Key {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k := table.KeyOf(path)
	if k == (Key{}) {
		t.Fatalf("%s has no key", path)
	}
	return k
}

func save(t *testing.T, table *Table) {
	t.Helper()
	if err := table.Save(); err != nil {
		t.Fatal(err)
	}
}

func TestKeyChangesWithTheFile(t *testing.T) {
	table, path := open(t.TempDir()), filepath.Join(t.TempDir(), "image")
	k := keyOf(t, table, path, "1")
	if table.KeyOf(path) != k {
		t.Error("the key of an unchanged file changes")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	changes := []struct {
		name   string
		change func() error
	}{
		{"size", func() error { return os.WriteFile(path, []byte("12"), 0o600) }},
		{"time of modification", func() error { return os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Hour)) }},
		{"time of change", func() error {
			return errors.Join(os.WriteFile(path, []byte("3"), 0o600), os.Chtimes(path, info.ModTime(), info.ModTime()))
		}},
		{"inode", func() error {
			return errors.Join(os.WriteFile(path+"2", []byte("3"), 0o600), os.Chtimes(path+"2", info.ModTime(), info.ModTime()), os.Rename(path+"2", path))
		}},
	}
	for _, c := range changes {
		before := table.KeyOf(path)
		for table.KeyOf(path) == before { // the clock of the file system may be coarse
			if err := c.change(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Rename(path, path+"3"); err != nil {
		t.Fatal(err)
	}
	if table.KeyOf(path) != (Key{}) || table.KeyOf(path+"3") == (Key{}) || table.KeyOf(filepath.Dir(path)) != (Key{}) {
		t.Error("a key is of a regular file that exists")
	}
	if young := Open(Options{Dir: t.TempDir()}); young.KeyOf(path+"3") != (Key{}) {
		t.Error("a file that has just been changed has a key")
	}
}

func TestTableRemembers(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	table := open(filepath.Join(dir, "cache"))
	want := map[Key]Known{}
	for i := range 100 {
		k := keyOf(t, table, filepath.Join(files, fmt.Sprint(i)), fmt.Sprint(i))
		want[k] = Known{Digest: [32]byte{byte(i), 1}, Decodes: uint32(i % 2)}
		if _, ok := table.Find(k); ok {
			t.Error("an unknown file is known")
		}
		table.Learn(k, want[k])
	}
	save(t, table)
	again := open(table.Dir)
	for k, known := range want {
		for _, table := range []*Table{table, again} {
			if got, ok := table.Find(k); !ok || got != known {
				t.Fatalf("%v, %t, want %v", got, ok, known)
			}
		}
	}
	for k := range want { // whether it decodes is known later
		known := want[k]
		known.Decodes = 0
		again.Learn(k, known) // nothing new
		if len(again.learned) != 0 {
			t.Error("what is known is learnt again")
		}
		again.Learn(k, Known{known.Digest, 7})
		save(t, again)
		if got, _ := open(table.Dir).Find(k); got.Decodes != 7 || got.Digest != known.Digest {
			t.Errorf("got %v", got)
		}
		break
	}
	again.Learn(Key{}, Known{})
	if _, ok := again.Find(Key{}); ok || len(again.learned) != 0 {
		t.Error("a zero key is known")
	}
}

func TestDistrustedTableFindsOnlyWhatIsNew(t *testing.T) {
	table, path := open(t.TempDir()), filepath.Join(t.TempDir(), "image")
	k := keyOf(t, table, path, "1")
	table.Learn(k, Known{Digest: [32]byte{1}})
	save(t, table)
	doubt := Open(Options{Dir: table.Dir, Distrust: true, Now: later})
	if _, ok := doubt.Find(k); ok {
		t.Error("it is trusted")
	}
	doubt.Learn(k, Known{Digest: [32]byte{2}})
	if got, ok := doubt.Find(k); !ok || got.Digest[0] != 2 {
		t.Error("what this command learnt is not found")
	}
	save(t, doubt)
	if got, ok := open(table.Dir).Find(k); !ok || got.Digest[0] != 2 {
		t.Errorf("%v, %t: what was learnt with Distrust is not kept", got, ok)
	}
}

func TestDamageLosesOnlyWhatItHits(t *testing.T) {
	table := open(t.TempDir())
	var keys []Key
	for i := range 10 {
		k := Key{byte(i + 1)}
		keys = append(keys, k)
		table.Learn(k, Known{Digest: [32]byte{9}})
	}
	save(t, table)
	path := filepath.Join(table.Dir, fileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	damaged[headerSize+3*recordSize+20]++
	for _, c := range []struct {
		name string
		data []byte
		left int
	}{
		{"none", whole, 10},
		{"a bit", damaged, 9},
		{"cut off", whole[:len(whole)-1], 9},
		{"other header", bytes.Repeat([]byte{1}, 200), 0},
		{"empty", nil, 0},
		{"version", append(append(bytes.Clone(whole[:8]), 2), whole[9:]...), 0},
	} {
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		left, now := 0, open(table.Dir)
		for _, k := range keys {
			if _, ok := now.Find(k); ok {
				left++
			}
		}
		if left != c.left {
			t.Errorf("%s: %d of 10 are left, want %d", c.name, left, c.left)
		}
		now.Learn(Key{99}, Known{Digest: [32]byte{9}})
		save(t, now)
		if data, err := os.ReadFile(path); err != nil || len(data) != headerSize+(c.left+1)*recordSize {
			t.Errorf("%s: %d bytes afterwards, %v", c.name, len(data), err)
		}
	}
}

// Each of several processes keeps what the others have learnt.
func TestTablesAreMerged(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for p := range 8 {
		table := open(dir)
		wg.Go(func() {
			for i := range 5 {
				table.Learn(Key{byte(p + 1), byte(i)}, Known{Digest: [32]byte{byte(p)}})
				if err := table.Save(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(open(dir).old) / recordSize; n != 40 {
		t.Errorf("%d files are known, want 40", n)
	}
}

func TestFullTableDropsWhatWasUsedLongestAgo(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	at := func(days int) *Table {
		return Open(Options{Dir: dir, Now: func() time.Time { return now.AddDate(0, 0, days) }})
	}
	for day := range 4 {
		table := at(10 * day)
		table.Learn(Key{byte(day + 1)}, Known{Digest: [32]byte{1}})
		if day == 3 {
			table.Find(Key{1})
		}
		save(t, table)
	}
	table := at(31)
	kept := table.merge(table.old, 2)
	for i, want := range []byte{1, 4} {
		if r, ok := parse(kept[i*recordSize:][:recordSize]); !ok || r.Key != (Key{want}) {
			t.Errorf("record %d is %v", i, r.Key)
		}
	}
	if len(kept) != 2*recordSize {
		t.Errorf("%d bytes are kept", len(kept))
	}
}

func TestLearnSavesAtTimes(t *testing.T) {
	dir := t.TempDir()
	learn := func(dir string, n int) *Table {
		table := open(dir)
		for i := range n {
			table.Learn(Key{1, byte(i), byte(i >> 8), byte(i >> 16)}, Known{})
		}
		return table
	}
	if table := learn(dir, pending+10); len(table.learned) != 10 || len(open(dir).old)/recordSize != pending {
		t.Errorf("%d files wait, %d are in the table", len(table.learned), len(open(dir).old)/recordSize)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if table := learn(file, 2*pending); len(table.learned) != 2*pending || table.Save() == nil {
		t.Errorf("%d files wait for a table that cannot be written", len(table.learned))
	}
}

func TestTableThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	table := open(file)
	save(t, table) // nothing to save
	table.Learn(Key{1}, Known{})
	if table.Save() == nil {
		t.Error("no error")
	}
	if _, ok := table.Find(Key{1}); !ok {
		t.Error("it is forgotten within the command")
	}
	var none *Table
	none.Learn(Key{1}, Known{})
	if _, ok := none.Find(Key{1}); ok || none.Save() != nil || none.KeyOf(file) != (Key{}) {
		t.Error("no table knows something")
	}
}

func FuzzRead(f *testing.F) {
	table := open(f.TempDir())
	f.Add(append(header(), record{Key: Key{1}}.append(nil)...))
	f.Add([]byte("TFTLCONT"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "table")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		all := table.merge(read(path), most)
		if again := table.merge(all, most); !bytes.Equal(all, again) {
			t.Error("a table that is written again is another one")
		}
	})
}
