package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"
)

var errWrong = errors.New("something went wrong")

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// names lists a folder, so that a test sees everything that was left behind.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	for _, text := range []string{"first, and longer", "second", ""} {
		if err := WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	wantNames(t, dir, "a.json")
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	var want strings.Builder
	err := Write(path, func(w io.Writer) error {
		for i := range 50_000 {
			fmt.Fprintf(io.MultiWriter(w, &want), "line %d\n", i)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Error("the file has its final name before it is whole")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read(t, path) != want.String() {
		t.Error("the file does not hold what was written")
	}
	wantNames(t, dir, "a.txt")
}

func TestFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	err := Write(path, func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("new", 100_000))
		return errWrong
	})
	if !errors.Is(err, errWrong) || !strings.Contains(err.Error(), path) {
		t.Errorf("got error %v, want %v with the path", err, errWrong)
	}
	func() {
		defer func() { recover() }()
		Write(path, func(io.Writer) error { panic("bug") })
	}()
	if got := read(t, path); got != "old" {
		t.Errorf("got %q, want the old text", got)
	}
	wantNames(t, dir, "a.txt")
}

func TestWriteWhereItCannot(t *testing.T) {
	dir := t.TempDir()
	if err := WriteFile(filepath.Join(dir, "none", "a"), nil, 0o666); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
	taken := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(taken, "child"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(taken, []byte("x"), 0o666); err == nil {
		t.Error("a folder was replaced by a file")
	}
	wantNames(t, dir, "folder")
}

func TestConcurrentWritersEachLeaveAWholeFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			text := strings.Repeat(string(rune('a'+i)), 10_000)
			for range 20 {
				if err := WriteFile(path, []byte(text), 0o666); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := read(t, path)
	if len(got) != 10_000 || got != strings.Repeat(got[:1], 10_000) {
		t.Error("the file is a mixture")
	}
	wantNames(t, dir, "a")
}

// killed is what a process does that is killed while it writes a file.
func killed(t *testing.T, path string) {
	t.Helper()
	f, err := create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("half")
	f.Close() // as the system does
}

// The next writer of a file removes what a killed one left behind, but not what
// another process is writing.
func TestLeftoversAreRemoved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	for range 3 {
		killed(t, path)
	}
	if got := names(t, dir); len(got) != 1 || !strings.HasPrefix(got[0], ".a.json.") {
		t.Errorf("killed processes left %q", got)
	}
	killed(t, filepath.Join(dir, "b.json"))
	err := Write(path, func(w io.Writer) error {
		io.WriteString(w, "slow")
		return WriteFile(path, []byte("quick"), 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "slow" {
		t.Errorf("got %q, want what was written last", got)
	}
	if err := WriteFile(filepath.Join(dir, "b.json"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, "a.json", "b.json")
}

// fill makes a folder with a folder in it that has a file with text.
func fill(text string) func(string) error {
	return func(tmp string) error {
		if err := os.Mkdir(filepath.Join(tmp, "variables"), 0o777); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, "variables", "data"), []byte(text), 0o666)
	}
}

func TestReplaceDir(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "model")
	for _, text := range []string{"one", "two", "three"} {
		if err := ReplaceDir(dir+"/", fill(text)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(dir, "variables", "data")); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
		wantNames(t, root, "model")
	}
	// It replaces and does not merge: what the new folder lacks is gone.
	if err := ReplaceDir(dir, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir)
}

func TestReplaceDirInTheWorkingFolder(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	for _, text := range []string{"one", "two"} {
		if err := ReplaceDir("model", fill(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := RecoverDir("model"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, root, "model")
}

func TestFailedReplaceDirLeavesTheOldFolder(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "model")
	failing := func(tmp string) error { return errors.Join(fill("half")(tmp), errWrong) }

	if err := ReplaceDir(dir, failing); !errors.Is(err, errWrong) {
		t.Errorf("got %v, want %v", err, errWrong)
	}
	wantNames(t, root)

	if err := ReplaceDir(dir, fill("old")); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceDir(dir, failing); !errors.Is(err, errWrong) {
		t.Errorf("got %v, want %v", err, errWrong)
	}
	if err := ReplaceDir(dir, os.RemoveAll); err == nil {
		t.Error("no error if fill removes the new folder")
	}
	if got := read(t, filepath.Join(dir, "variables", "data")); got != "old" {
		t.Errorf("got %q, want the old folder", got)
	}
	wantNames(t, root, "model")
}

func TestReplaceDirLeavesAFileAlone(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "model")
	if err := os.WriteFile(path, []byte("precious"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceDir(path, fill("new")); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("got %v, want %v", err, syscall.ENOTDIR)
	}
	if got := read(t, path); got != "precious" {
		t.Errorf("the file now holds %q", got)
	}
	wantNames(t, root, "model")
}

// A replacement is killed at each point from its first rename to its end.
func TestRecoverDir(t *testing.T) {
	tests := []struct {
		name    string
		before  map[string]string // folder -> text of its file
		want    string            // text in model, or empty for no model
		foreign string            // a folder of somebody else, which stays
	}{
		{name: "nothing to do"},
		{name: "whole", before: map[string]string{"model": "new"}, want: "new"},
		{name: "killed while filling", before: map[string]string{"model": "old", ".model.XYZ.tmp": "half"}, want: "old"},
		{name: "killed between the renames", before: map[string]string{".model.old": "old", ".model.XYZ.tmp": "new"}, want: "old"},
		{name: "killed before the old was removed", before: map[string]string{"model": "new", ".model.old": "old"}, want: "new"},
		{name: "the user's own copy", before: map[string]string{"model": "new", "model.old": "kept"}, want: "new", foreign: "model.old"},
		{name: "another folder's", before: map[string]string{"model": "new", ".model.v2.XYZ.tmp": "x"}, want: "new", foreign: ".model.v2.XYZ.tmp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range tt.before {
				path := filepath.Join(root, name)
				if err := errors.Join(os.Mkdir(path, 0o777), fill(text)(path)); err != nil {
					t.Fatal(err)
				}
			}
			dir := filepath.Join(root, "model")
			if err := RecoverDir(dir); err != nil {
				t.Fatal(err)
			}
			var want []string
			if tt.foreign != "" {
				want = append(want, tt.foreign)
			}
			if tt.want != "" {
				want = append(want, "model")
				if got := read(t, filepath.Join(dir, "variables", "data")); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}
			slices.Sort(want)
			wantNames(t, root, want...)
		})
	}
}

func TestReplaceDirRecoversFirst(t *testing.T) {
	root := t.TempDir()
	old := filepath.Join(root, ".model.old")
	if err := errors.Join(os.Mkdir(old, 0o777), fill("old")(old)); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "model")
	if err := ReplaceDir(dir, func(string) error { return errWrong }); !errors.Is(err, errWrong) {
		t.Fatalf("got %v, want %v", err, errWrong)
	}
	if got := read(t, filepath.Join(dir, "variables", "data")); got != "old" {
		t.Errorf("got %q, want the old folder back", got)
	}
}

// A name may have 255 bytes, and its temporary name must not be longer.
func TestLongNames(t *testing.T) {
	root := t.TempDir()
	long := strings.Repeat("ä", 127)
	path, other := filepath.Join(root, long), filepath.Join(root, long[:250]+"bb")
	for _, name := range []string{path, path, other} {
		if err := ReplaceDir(name, fill(filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path, aside(path)); err != nil { // killed between the renames
		t.Fatal(err)
	}
	if err := errors.Join(RecoverDir(path), WriteFile(path+"a", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	wantNames(t, root, long[:250]+"bb", long, long+"a")
	for _, limit := range []int{20, 21} {
		if got := Short(long, limit); len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("cut to %d: %q", limit, got)
		}
	}
}
