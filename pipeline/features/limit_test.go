package features

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSpillContinuesInAFolder(t *testing.T) {
	dir := t.TempDir()
	earlier := open(t, dir, space)
	fillUp(earlier, 0, 2)
	earlier.Close()

	s := openWith(t, Options{MaxBytes: 3 * one}, space)
	if got := fillUp(s, 2, 6); got != 3 {
		t.Fatalf("%d stored in RAM, want 3", got)
	}
	s.Limit(1 << 20)
	if err := s.Spill(dir); err != nil || s.Dir() != dir {
		t.Fatalf("in %q: %v", s.Dir(), err)
	}
	if got := fillUp(s, 5, 8); got != 3 {
		t.Errorf("%d stored on disk, want 3", got)
	}
	for i := range 8 {
		if !sameBits(get(s, i), values(i, 10, true)) {
			t.Errorf("record %d is not served", i)
		}
	}
	own, all, err := s.Size()
	if want := int64(2*segmentHeader + 5*one); err != nil || own != want || all != want || sizeOf(t, dir) != want {
		t.Errorf("%d of %d bytes, %v; want %d", own, all, err, want)
	}
	s.Close()
	s = open(t, dir, space)
	if get(s, 7) == nil || get(s, 3) != nil {
		t.Error("what was stored after the spill should be on disk, and nothing else")
	}
}

func TestSpillThatFailsChangesNothing(t *testing.T) {
	s := open(t, "", space)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Spill(file); err == nil || s.Dir() != "" {
		t.Errorf("in %q: %v", s.Dir(), err)
	}
	if fillUp(s, 0, 3) != 3 || get(s, 2) == nil {
		t.Error("does not store any more")
	}
	if own, all, err := s.Size(); own != 3*one || all != own || err != nil || s.Record() != one {
		t.Errorf("%d of %d bytes, records of %d, %v", own, all, s.Record(), err)
	}
}

func TestMissing(t *testing.T) {
	a, n := newAlbum(30), &network{}
	s := newSource(a, n, openWith(t, Options{MaxBytes: 3 * int64(recordHeader+4*6)}, space))
	if missing, unread := s.Missing(); missing != 0 || unread != 30 {
		t.Errorf("%d missing, %d unread, want none and all", missing, unread)
	}
	warm(t, s, 2)
	if missing, unread := s.Missing(); missing != 27 || unread != 0 {
		t.Errorf("%d missing, %d unread, want 27 and none", missing, unread)
	}
}
