package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// mount mounts a file system of 64 KiB on a folder until the test ends.
func mount(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}

func TestFullDisk(t *testing.T) {
	root := t.TempDir()
	mount(t, root)
	big := make([]byte, 1<<20)

	path := filepath.Join(root, "a")
	if err := WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, big, 0o666); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("WriteFile: got %v, want %v", err, syscall.ENOSPC)
	}
	err := Write(path, func(w io.Writer) error { _, err := w.Write(big); return err })
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Write: got %v, want %v", err, syscall.ENOSPC)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("got %q, want the old text", got)
	}

	dir := filepath.Join(root, "model")
	if err := ReplaceDir(dir, fill("old")); err != nil {
		t.Fatal(err)
	}
	err = ReplaceDir(dir, func(tmp string) error { return os.WriteFile(filepath.Join(tmp, "big"), big, 0o666) })
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("ReplaceDir: got %v, want %v", err, syscall.ENOSPC)
	}
	if got := read(t, filepath.Join(dir, "variables", "data")); got != "old" {
		t.Errorf("got %q, want the old folder", got)
	}
	wantNames(t, root, "a", "model")
}

func TestOldFolderReturnsWhereTheNewOneCannotMoveIn(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "model")
	if err := ReplaceDir(dir, fill("old")); err != nil {
		t.Fatal(err)
	}
	err := ReplaceDir(dir, func(tmp string) error {
		mount(t, tmp) // a mount point cannot be renamed
		return fill("new")(tmp)
	})
	if !errors.Is(err, syscall.EBUSY) {
		t.Errorf("got %v, want %v", err, syscall.EBUSY)
	}
	if got := read(t, filepath.Join(dir, "variables", "data")); got != "old" {
		t.Errorf("got %q, want the old folder", got)
	}
}
