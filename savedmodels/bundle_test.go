package savedmodels

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// saved is a checkpoint of a stage after a few steps.
func saved(t *testing.T, m *Model, stage string, classes int) (prefix string) {
	t.Helper()
	s := openStage(t, m, stage, classes)
	f := features(t, s, noise(6, classes))
	for range 2 {
		step(t, s, f)
	}
	prefix = filepath.Join(t.TempDir(), "ckpt")
	if err := s.Save(t.Context(), prefix); err != nil {
		t.Fatal(err)
	}
	return prefix
}

func opened(t *testing.T, prefix string) *bundle {
	t.Helper()
	b, err := openBundle(prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// names are the keys of a bundle without what all of them end in.
func names(b *bundle) (list []string) {
	for _, key := range b.keys() {
		list = append(list, strings.TrimSuffix(key, "/.ATTRIBUTES/VARIABLE_VALUE"))
	}
	return list
}

func TestACheckpointHasWhatItsStageTrains(t *testing.T) {
	m := load(t, filepath.Join(fixtures, "tiny-gap"))
	head := names(opened(t, saved(t, m, "head", 3)))
	want := []string{
		"head/feature_scale", "head/output_bias", "head/output_kernel", "iterations", "seed",
		"slots/first/output_bias", "slots/first/output_kernel", "slots/second/output_bias", "slots/second/output_kernel", "step",
	}
	if !slices.Equal(head, want) {
		t.Errorf("of stage head it has\n%q, want\n%q", head, want)
	}
	deeper := names(opened(t, saved(t, m, "block2", 3)))
	for _, name := range []string{"network/block2_conv1_kernel", "slots/first/block2_conv1_kernel"} {
		if !slices.Contains(deeper, name) {
			t.Errorf("of stage block2 it has %q, without %s", deeper, name)
		}
	}
	if slices.Contains(deeper, "network/block1_conv1_kernel") {
		t.Errorf("of stage block2 it has %q", deeper)
	}
}

// A stage that does not train what an earlier one has trained passes it on.
func TestACheckpointHasWhatEarlierStagesTrained(t *testing.T) {
	m := load(t, filepath.Join(fixtures, "tiny-gap"))
	deep := saved(t, m, "block2", 3)
	head := openStage(t, m, "head", 2)
	if err := head.Restore(t.Context(), deep); err != nil {
		t.Fatal(err)
	}
	if err := head.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	images := noise(6, 3)
	f := features(t, head, images)
	dir := t.TempDir()
	var content [][]byte
	for _, name := range []string{"one", "two"} { // the second one is not sifted again
		prefix := filepath.Join(dir, name)
		if err := head.Save(t.Context(), prefix); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"network/block2_conv1_kernel", "network/block2_conv1_bias"} {
			key += "/.ATTRIBUTES/VARIABLE_VALUE"
			if same, err := sameValue(opened(t, prefix), opened(t, deep), key); err != nil || !same {
				t.Errorf("%s has another %s (%v)", name, key, err)
			}
		}
		data, err := os.ReadFile(dataFile(prefix, 0, 1))
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, data)
	}
	if !bytes.Equal(content[0], content[1]) {
		t.Error("the same state gives two checkpoints that differ")
	}
	want := logits(t, head, f)

	again := openStage(t, m, "head", 2)
	if err := again.Restore(t.Context(), filepath.Join(dir, "two")); err != nil {
		t.Fatal(err)
	}
	if got := logits(t, again, features(t, again, images)); !slices.Equal(got, want) {
		t.Errorf("from its checkpoint the stage has the logits %v, it had %v", got, want)
	}
	if err := again.Save(t.Context(), filepath.Join(dir, "three")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(dataFile(filepath.Join(dir, "three"), 0, 1))
	if err != nil || !bytes.Equal(data, content[0]) {
		t.Errorf("a resumed run writes another checkpoint (%v)", err)
	}
}

// Models of version 3 save all variables. Such a checkpoint goes on with a model
// of version 4, which then leaves out what is as exported.
func TestAnOlderCheckpointGoesOn(t *testing.T) {
	dir := copyModel(t, "tiny-gap")
	describe(t, dir, func(d map[string]any) { d["contract"] = 3 })
	older := load(t, dir)
	whole := saved(t, older, "block2", 3)
	if b := opened(t, whole); b.entries[keyObjects] == nil || len(names(b)) < 20 {
		t.Fatalf("version 3 saved %q", names(b))
	}
	images := noise(6, 3)
	run := func(m *Model) (*stage, []float32) {
		s := openStage(t, m, "block2", 2)
		if err := s.Restore(t.Context(), whole); err != nil {
			t.Fatal(err)
		}
		f := features(t, s, images)
		step(t, s, f)
		return s.(*stage), logits(t, s, f)
	}
	_, want := run(older)
	newer := load(t, filepath.Join(fixtures, "tiny-gap"))
	s, got := run(newer)
	if !slices.Equal(got, want) {
		t.Errorf("a step in version 4 gives %v, in version 3 %v", got, want)
	}
	next := filepath.Join(t.TempDir(), "ckpt")
	if err := s.Save(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if now, then := names(opened(t, next)), names(opened(t, saved(t, newer, "block2", 3))); !slices.Equal(now, then) {
		t.Errorf("the next checkpoint has %q, want %q", now, then)
	}
}

func TestACheckpointOfAnotherModelIsRefused(t *testing.T) {
	prefix := saved(t, load(t, filepath.Join(fixtures, "tiny")), "head", 3)
	s := openStage(t, load(t, filepath.Join(fixtures, "tiny-gap")), "head", 3)
	if err := s.Restore(t.Context(), prefix); err == nil || !strings.Contains(err.Error(), "head/hidden1_bias") {
		t.Errorf("restored, or %v", err)
	}
}

// What a checkpoint lacks is read from the exported network, so that must stay.
func TestVariablesThatChangeAreNoticed(t *testing.T) {
	dir := copyModel(t, "tiny-gap")
	m := load(t, dir)
	prefix := saved(t, m, "head", 3)
	s := openStage(t, m, "head", 3)
	data := dataFile(filepath.Join(dir, "variables", "variables"), 0, 1)
	content, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(data+".new", content, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(data+".new", data); err != nil {
			t.Fatal(err)
		}
	}
	replace(content)
	if err := s.Restore(t.Context(), prefix); err != nil {
		t.Errorf("the same content in another file: %v", err)
	}
	content[0] ^= 1
	replace(content)
	const want = "its variables have changed since it was loaded"
	if err := s.Restore(t.Context(), prefix); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("restored over other variables: %v", err)
	}
	if err := m.Export(t.Context(), prefix, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("exported with other variables: %v", err)
	}
	sealAgain(t, dir)
	if weights, err := load(t, dir).Weights(); err != nil || !strings.HasPrefix(weights, "variables ") {
		t.Errorf("the digest of the network is %s, which is that of other variables (%v)", weights, err)
	}
}

// The file of the network's variables gets another name where it can. Elsewhere
// it is copied, also if its name has gone to another file.
func TestTheNetworksFileIsLinked(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("a"), "network")
	if err := os.Symlink("a", path("b")); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path("b"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	check := func(name string, same bool) {
		t.Helper()
		if err := link(file, path(name)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path(name))
		if err != nil || string(data) != "network" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
		one, err := os.Lstat(path(name))
		if err != nil {
			t.Fatal(err)
		}
		if open, err := file.Stat(); err != nil || os.SameFile(one, open) != same {
			t.Errorf("%s: the same file: %t, want %t (%v)", name, !same, same, err)
		}
	}
	check("linked", true)
	write(t, path("c"), "another")
	if err := os.Rename(path("c"), path("a")); err != nil {
		t.Fatal(err)
	}
	check("copied", false)
}

func TestBundlesAreDamaged(t *testing.T) {
	whole := saved(t, load(t, filepath.Join(fixtures, "tiny-gap")), "head", 3)
	index, err := os.ReadFile(whole + ".index")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": nil, "cut": index[:len(index)/2], "zeros": make([]byte, len(index)), "text": []byte("hello"),
		"changed": slices.Concat(index[:20], []byte{index[20] ^ 8}, index[21:]),
	} {
		prefix := filepath.Join(t.TempDir(), "ckpt")
		write(t, prefix+".index", string(content))
		if b, err := openBundle(prefix); err == nil || !strings.Contains(err.Error(), prefix) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
	prefix := filepath.Join(t.TempDir(), "ckpt")
	write(t, prefix+".index", string(index))
	if _, err := openBundle(prefix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without data: %v", err)
	}
	data, err := os.ReadFile(dataFile(whole, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	data[0] ^= 1
	write(t, dataFile(prefix, 0, 1), string(data))
	damaged := 0
	b := opened(t, prefix)
	for _, key := range b.keys() {
		if _, err := b.value(key); err != nil {
			damaged++
		}
	}
	if damaged != 1 {
		t.Errorf("one changed byte damages %d values", damaged)
	}
}

// FuzzIndex checks that no index makes the reader panic or read beyond its files.
func FuzzIndex(f *testing.F) {
	index, err := os.ReadFile(filepath.Join(fixtures, "tiny", "variables", "variables.index"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(index)
	f.Fuzz(func(t *testing.T, index []byte) {
		prefix := filepath.Join(t.TempDir(), "ckpt")
		write(t, prefix+".index", string(index))
		write(t, dataFile(prefix, 0, 1), "0123456789")
		b, err := openBundle(prefix)
		if err != nil {
			return
		}
		defer b.close()
		for key := range maps.Keys(b.entries) {
			_, _ = b.value(key)
		}
	})
}
