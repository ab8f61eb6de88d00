package features

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

func mount(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := mount(t, "256k")
	s := open(t, dir, space)
	n := 0
	for i := range 100 {
		if s.Put(digestOf(i), []int64{5000}, values(i, 5000, true)) {
			n++
		}
	}
	stats := s.Stats()
	if n == 0 || n == 100 || !errors.Is(stats.WriteError, syscall.ENOSPC) {
		t.Fatalf("%d stored, %+v", n, stats)
	}
	s.Close()
	// What was stored is complete, with nothing half-written after it.
	if got, want := sizeOf(t, dir), int64(segmentHeader+n*(recordHeader+2*5000)); got != want {
		t.Errorf("the segment has %d bytes, want %d", got, want)
	}
	s = open(t, dir, space)
	for i := range n {
		if !sameBits(get(s, i), values(i, 5000, true)) {
			t.Errorf("record %d differs", i)
		}
	}
	if got := s.Stats().Damaged; got != 0 {
		t.Errorf("%d damaged, want none", got)
	}
}

func TestDiskThatIsFullFromTheStart(t *testing.T) {
	dir := mount(t, "16k")
	if err := os.WriteFile(dir+"/big", make([]byte, 1<<20), 0o666); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	s := open(t, dir, space)
	if s.Put(digestOf(1), []int64{1}, []float32{1}) {
		t.Error("stored on a full disk")
	}
	if err := s.Stats().WriteError; !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want %v", err, syscall.ENOSPC)
	}
}

// A cache on a read-only disk, as in CI, still serves.
func TestReadOnlyDisk(t *testing.T) {
	dir := mount(t, "256k")
	s := open(t, dir, space)
	fillUp(s, 0, 3)
	s.Close()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	s = open(t, dir, space)
	if !sameBits(get(s, 2), values(2, 10, true)) {
		t.Error("not served")
	}
	if fillUp(s, 3, 4) != 0 || !errors.Is(s.Stats().WriteError, syscall.EROFS) {
		t.Errorf("got %+v, want %v", s.Stats(), syscall.EROFS)
	}
}
