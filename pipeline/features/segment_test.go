package features

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// known are the records of the segment that whole makes.
func known() [][]float32 {
	return [][]float32{values(0, 5, true), values(1, 4, false), values(2, 0, true), values(3, 6, false)}
}

// whole makes a space with one intact segment and returns its bytes.
func whole(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir}, space)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range known() {
		if !s.Put(digestOf(i), []int64{int64(len(v))}, v) {
			t.Fatal("refused")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*", "*"+suffix))
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// plant leaves one space in dir, whose only segment holds data.
func plant(t *testing.T, dir string, data []byte) (path string) {
	t.Helper()
	for _, path := range segmentsOf(t, dir) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, space)
	path = filepath.Join(s.folder, "0"+suffix)
	if err := errors.Join(s.Close(), os.WriteFile(path, data, 0o666)); err != nil {
		t.Fatal(err)
	}
	return path
}

// served counts the known records that a store has, none of which may differ.
func served(t *testing.T, s *Store) int {
	t.Helper()
	n := 0
	for i, v := range known() {
		if got := get(s, i); got != nil {
			n++
			if !sameBits(got, v) {
				t.Errorf("record %d: got %x, want %x", i, got, v)
			}
		}
	}
	return n
}

// ends are where the header and each record of a good segment end.
func ends() []int {
	out := []int{segmentHeader}
	for i, v := range known() {
		out = append(out, out[i]+len(encode(Digest{}, []int64{int64(len(v))}, v)))
	}
	return out
}

func TestTruncatedAtEveryByte(t *testing.T) {
	dir, data, ends := t.TempDir(), whole(t), ends()
	if ends[len(ends)-1] != len(data) {
		t.Fatalf("a segment of %d bytes, want %d", len(data), ends[len(ends)-1])
	}
	for size := range len(data) {
		path := plant(t, dir, data[:size])
		s := open(t, dir, space)
		// All complete records are served; the rest of the next one is damage.
		at, clean := slices.BinarySearch(ends, size)
		want := at - 1
		if clean {
			want = at
		}
		if got := served(t, s); got != max(want, 0) {
			t.Errorf("cut at %d: %d served, want %d", size, got, want)
		}
		wantDamaged := int64(1)
		if clean || size == 0 {
			wantDamaged = 0
		}
		if got := s.Stats().Damaged; got != wantDamaged {
			t.Errorf("cut at %d: %d damaged, want %d", size, got, wantDamaged)
		}
		for i, v := range known() { // computed again
			put(t, s, i, v)
		}
		s.Close()
		// The tail is reported once, and does not hide what is stored after it.
		s = open(t, dir, space)
		if got := served(t, s); got != len(known()) {
			t.Errorf("cut at %d, written again: %d served", size, got)
		}
		if got := s.Stats().Damaged; got != 0 {
			t.Errorf("cut at %d, opened again: %d damaged", size, got)
		}
		if info, err := os.Stat(path); size >= segmentHeader && (err != nil || info.Size() != int64(ends[max(want, 0)])) {
			t.Errorf("cut at %d: not cut back to the last whole record: %v, %v", size, info.Size(), err)
		}
		s.Close()
	}
}

func TestFlippedBits(t *testing.T) {
	dir, data := t.TempDir(), whole(t)
	for at := range data {
		bad := slices.Clone(data)
		bad[at] ^= 1 << (at % 8)
		plant(t, dir, bad)
		s := open(t, dir, space)
		n := served(t, s)
		damaged := s.Stats().Damaged
		// A segment of another version or space belongs to someone else.
		foreign := at >= 8 && at < 12
		if n >= len(known()) || (damaged == 0) != foreign {
			t.Errorf("byte %d flipped: %d served, %d damaged", at, n, damaged)
		}
		for i, v := range known() {
			put(t, s, i, v)
		}
		s.Close()
		s = open(t, dir, space)
		if got := served(t, s); got != len(known()) {
			t.Errorf("byte %d flipped, written again: %d served", at, got)
		}
		if got := s.Stats().Damaged; got != 0 {
			t.Errorf("byte %d flipped, written again: %d damaged", at, got)
		}
		s.Close()
	}
}

// A bad payload only affects its own record, and only until the image has
// another.
func TestDamagedPayloadFallsBackOnAnOlderRecord(t *testing.T) {
	dir, data, ends := t.TempDir(), whole(t), ends()
	path := plant(t, dir, data)
	bad := slices.Clone(data)
	bad[ends[1]+recordHeader] ^= 0x10
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "1"+suffix), bad, 0o666); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, space)
	if got := served(t, s); got != len(known()) {
		t.Errorf("%d served, want all", got)
	}
	if got := s.Stats().Damaged; got != 1 {
		t.Errorf("%d damaged, want 1", got)
	}
}

// A tail that another process may be about to finish is left alone.
func TestTailOfASegmentInUse(t *testing.T) {
	dir, data := t.TempDir(), whole(t)
	path := plant(t, dir, data[:len(data)-1])
	writer, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := lock(writer, syscall.LOCK_SH); err != nil {
		t.Skip(err)
	}
	s := open(t, dir, space)
	if got := served(t, s); got != len(known())-1 {
		t.Errorf("%d served, want %d", got, len(known())-1)
	}
	if got := s.Stats().Damaged; got != 0 {
		t.Errorf("%d damaged, want none", got)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != int64(len(data)-1) {
		t.Errorf("the segment was cut: %v, %v", info.Size(), err)
	}
}

func TestUnreadableSegmentIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	path := plant(t, dir, whole(t))
	folder := filepath.Join(filepath.Dir(path), "9"+suffix)
	if err := os.Mkdir(folder, 0o777); err != nil { // opens but cannot be read
		t.Fatal(err)
	}
	s := open(t, dir, space)
	if got := served(t, s); got != len(known()) {
		t.Errorf("%d served, want all", got)
	}
	if got := s.Stats().Damaged; got != 1 {
		t.Errorf("%d damaged, want 1", got)
	}
}

// Whatever a segment holds, what is served is what was stored.
func FuzzRead(f *testing.F) {
	data, ends := whole(f), ends()
	f.Add([]byte{})
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add(data[:segmentHeader])
	f.Add(slices.Concat(data[:ends[1]], data[ends[2]:]))          // a record left out
	f.Add(slices.Concat(data[:ends[1]], data[ends[0]:]))          // a record twice
	f.Add(slices.Concat(data, make([]byte, 2*recordHeader)))      // a tail of zeros
	f.Add(slices.Concat(data[:ends[2]+7], data[ends[0]:ends[1]])) // a header that breaks off
	key := sha256.Sum256([]byte(space))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := open(t, "", space)
		end, err := scan(bytes.NewReader(data), int64(len(data)), key, s.add)
		if err != nil && len(s.index) > 0 {
			t.Errorf("%d records of a segment that is not read: %v", len(s.index), err)
		}
		if end > int64(len(data)) {
			t.Errorf("records end at %d of %d bytes", end, len(data))
		}
		served(t, s)
		if len(data) < segmentHeader+recordHeader {
			return
		}
		// A header with a valid checksum that makes no sense does not crash either.
		data = slices.Clone(data) // a fuzzer's input must not be changed
		header := data[segmentHeader : segmentHeader+recordHeader]
		binary.LittleEndian.PutUint32(header[60:], checksum(header[:60]))
		s = open(t, "", space)
		scan(bytes.NewReader(data), int64(len(data)), key, s.add)
		for d, r := range s.index {
			s.Get(d, r.shape, make([]float32, elements(r.shape)))
		}
	})
}
