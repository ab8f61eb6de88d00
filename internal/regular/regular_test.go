package regular

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// others makes one of everything that is not a file, by what the error calls it.
func others(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	pipe, socket := filepath.Join(dir, "pipe"), filepath.Join(dir, "socket")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	link := filepath.Join(dir, "link")
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	return map[string]string{pipe: "a pipe", link: "a pipe", socket: "a socket", dir: "a folder", "/dev/zero": "a device", "/dev/null": "a device"}
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	for path, what := range others(t) {
		want := fmt.Sprintf("%s: is %s, not a file", path, what)
		if _, err := Open(path); err == nil || err.Error() != want {
			t.Errorf("Open: %v, want %q", err, want)
		}
		if _, err := Read(path, 10); err == nil || err.Error() != want {
			t.Errorf("Read: %v, want %q", err, want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}

func TestReadStopsAtTheLimit(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	for _, size := range []int{0, 1, 511, 512, 513, 5000} {
		text := strings.Repeat("x", size)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, link); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		if got, err := Read(link, int64(size)); err != nil || string(got) != text {
			t.Errorf("%d bytes: %d, %v", size, len(got), err)
		}
		if _, err := Read(path, int64(size)-1); err == nil || !strings.Contains(err.Error(), "more than the limit of") {
			t.Errorf("%d bytes are read against the limit: %v", size, err)
		}
	}
	// A sparse file states any size, and a file of the kernel none.
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 1<<20); err == nil || !strings.Contains(err.Error(), "has 1099511627776 bytes, more than the limit of 1048576") {
		t.Errorf("sparse: %v", err)
	}
	if got, err := Read("/proc/self/status", 1<<20); err != nil || len(got) == 0 {
		t.Errorf("/proc: %d bytes, %v", len(got), err)
	}
	if _, err := Read("/proc/self/status", 10); err == nil {
		t.Error("/proc: more than the limit is read")
	}
}

func TestOpenPipes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if !IsOpenPipe(fmt.Sprintf("/dev/fd/%d", r.Fd())) {
		t.Error("a pipe that is open does not count as one")
	}
	for path := range others(t) {
		if IsOpenPipe(path) {
			t.Errorf("%s counts as an open pipe", path)
		}
	}
}
