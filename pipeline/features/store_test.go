package features

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const space = "weights=abc\nstage=head\nprecision=bfloat16\n"

func open(t *testing.T, dir, space string) *Store {
	t.Helper()
	return openWith(t, Options{Dir: dir}, space)
}

func openWith(t *testing.T, o Options, space string) *Store {
	t.Helper()
	s, err := Open(o, space)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func digestOf(i int) Digest { return sha256.Sum256(fmt.Append(nil, "image ", i)) }

// values are activations as a float32 session computes them; coarse ones fit
// bfloat16. They differ for each i.
func values(i, n int, coarse bool) []float32 {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	out := make([]float32, n)
	for j := range out {
		bits := random.Uint32()
		if coarse {
			bits &= 0xffff0000
		}
		out[j] = math.Float32frombits(bits)
	}
	return out
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func put(t *testing.T, s *Store, i int, v []float32) {
	t.Helper()
	if !s.Put(digestOf(i), []int64{int64(len(v))}, v) {
		t.Fatalf("record %d was refused: %+v", i, s.Stats())
	}
}

// get is the activations stored for i, or nil.
func get(s *Store, i int) []float32 {
	shape, ok := s.Shape(digestOf(i))
	if !ok {
		return nil
	}
	dst := make([]float32, max(elements(shape), 0))
	if !s.Get(digestOf(i), shape, dst) {
		return nil
	}
	return dst
}

func segmentsOf(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRoundTripIsExactToTheBit(t *testing.T) {
	bits := func(b ...uint32) []float32 {
		out := make([]float32, len(b))
		for i := range b {
			out[i] = math.Float32frombits(b[i])
		}
		return out
	}
	tests := []struct {
		name   string
		shape  []int64
		values []float32
		width  int
	}{
		{"coarse", []int64{2, 3}, []float32{0, 1, -2.5, 0.15625, 65536, -1}, 2},
		{"coarse specials", []int64{6}, bits(0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc10000, 0x7f810000), 2},
		{"coarse subnormals", []int64{2}, bits(0x00010000, 0x807f0000), 2},
		{"fine", []int64{3}, []float32{0.1, 1. / 3, -math.Pi}, 4},
		{"one fine value", []int64{2, 1, 2}, bits(0x3f800000, 0x3f800000, 0x3f800000, 0x3f800001), 4},
		{"quiet and signalling NaN payloads", []int64{4}, bits(0x7fc00001, 0x7f800001, 0xff812345, 0xffffffff), 4},
		{"fine subnormals", []int64{2}, bits(0x00000001, 0x80000001), 4},
		{"scalar", []int64{}, []float32{3}, 2},
		{"nothing", []int64{0, 7}, nil, 2},
		{"a real size", []int64{7, 7, 512}, values(1, 25088, true), 2},
		{"a real size, fine", []int64{25088}, values(1, 25088, false), 4},
	}
	for _, where := range []string{"disk", "RAM"} {
		for i, tt := range tests {
			t.Run(where+"/"+tt.name, func(t *testing.T) {
				dir := ""
				if where == "disk" {
					dir = t.TempDir()
				}
				s := open(t, dir, space)
				d := digestOf(i)
				if !s.Put(d, tt.shape, tt.values) {
					t.Fatalf("refused: %+v", s.Stats())
				}
				check := func(s *Store) {
					t.Helper()
					shape, ok := s.Shape(d)
					if !ok || !slices.Equal(shape, tt.shape) {
						t.Fatalf("shape %v %v, want %v", shape, ok, tt.shape)
					}
					dst := make([]float32, len(tt.values))
					if !s.Get(d, shape, dst) || !sameBits(dst, tt.values) {
						t.Errorf("got %x, want %x", dst, tt.values)
					}
				}
				check(s)
				if dir == "" {
					return
				}
				check(open(t, dir, space))
				info, err := os.Stat(segmentsOf(t, dir)[0])
				if err != nil {
					t.Fatal(err)
				}
				if want := int64(segmentHeader + recordHeader + tt.width*len(tt.values)); info.Size() != want {
					t.Errorf("the segment has %d bytes, want %d", info.Size(), want)
				}
			})
		}
	}
}

func TestStoreCounts(t *testing.T) {
	s := open(t, t.TempDir(), space)
	v := values(1, 10, true)
	if get(s, 1) != nil {
		t.Error("an empty store served something")
	}
	put(t, s, 1, v)
	put(t, s, 1, v) // known: not written again
	get(s, 1)
	get(s, 1)
	if s.Put(digestOf(2), []int64{11}, v) {
		t.Error("values were stored that do not fill their shape")
	}
	if s.Put(digestOf(2), []int64{1, 1, 1, 1, 10}, v) {
		t.Error("a shape was stored for which there is no place")
	}
	if got, want := s.Stats(), (Stats{Hits: 2, Stored: 1, Refused: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAnotherShapeIsDamage(t *testing.T) {
	s := open(t, t.TempDir(), space)
	put(t, s, 1, values(1, 12, true))
	dst := make([]float32, 12)
	if s.Get(digestOf(1), []int64{12}, dst[:11]) {
		t.Error("a slice too short was filled")
	}
	if s.Get(digestOf(1), []int64{3, 4}, dst) {
		t.Error("a record was served under another shape")
	}
	if _, ok := s.Shape(digestOf(1)); ok {
		t.Error("the record is still there")
	}
	if got := s.Stats().Damaged; got != 1 {
		t.Errorf("%d damaged, want 1", got)
	}
	put(t, s, 1, values(1, 12, true))
}

func TestSpacesDoNotMix(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir, space), open(t, dir, strings.Replace(space, "bfloat16", "float32", 1))
	put(t, a, 1, values(1, 10, true))
	if get(b, 1) != nil {
		t.Error("one space serves the other's activations")
	}
	put(t, b, 1, values(2, 10, false))
	if !sameBits(get(a, 1), values(1, 10, true)) || !sameBits(get(b, 1), values(2, 10, false)) {
		t.Error("two spaces got in each other's way")
	}
	if got := get(open(t, dir, space), 1); !sameBits(got, values(1, 10, true)) {
		t.Errorf("reopened: got %v", got)
	}
}

// A segment that was moved to the folder of another space is recognized.
func TestSegmentInTheWrongFolder(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, space)
	put(t, a, 1, values(1, 10, true))
	a.Close()
	data, err := os.ReadFile(segmentsOf(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, dir, "other")
	put(t, other, 2, values(2, 10, true))
	other.Close()
	moved := filepath.Join(other.folder, "0-moved"+suffix)
	if err := os.WriteFile(moved, data, 0o666); err != nil {
		t.Fatal(err)
	}
	other = open(t, dir, "other")
	if get(other, 1) != nil {
		t.Error("a segment of another space was served")
	}
	if get(other, 2) == nil {
		t.Error("the space's own segment is lost")
	}
	if _, err := os.Stat(moved); err != nil {
		t.Errorf("a segment that is whole was removed: %v", err)
	}
}

func TestFolderThatHoldsAnotherSpace(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, space)
	path := filepath.Join(s.folder, "space.txt")
	got, err := os.ReadFile(path)
	if err != nil || string(got) != space {
		t.Fatalf("space.txt holds %q, %v", got, err)
	}
	if err := os.WriteFile(path, []byte(space+"x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}, space); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}

func TestOpenWhereItCannot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: file}, space); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("got %v, want %v", err, syscall.ENOTDIR)
	}
}

func TestTwoStoresShareAFolder(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, space)
	put(t, a, 1, values(1, 10, true))
	b := open(t, dir, space) // sees what a has stored so far
	put(t, a, 2, values(2, 10, true))
	put(t, b, 3, values(3, 10, false))
	put(t, b, 2, values(2, 10, true)) // b does not know that a has it
	for i, s := range []*Store{a, a, b, b} {
		record := []int{1, 2, 1, 3}[i]
		if get(s, record) == nil {
			t.Errorf("store %d lacks record %d", i/2, record)
		}
	}
	if n := len(segmentsOf(t, dir)); n != 2 {
		t.Errorf("%d segments, want one for each writer", n)
	}
	c := open(t, dir, space)
	for i, coarse := range []bool{1: true, 2: true, 3: false} {
		if i > 0 && !sameBits(get(c, i), values(i, 10, coarse)) {
			t.Errorf("record %d differs", i)
		}
	}
	if d := c.Stats().Damaged; d != 0 {
		t.Errorf("%d damaged, want none", d)
	}
}

func TestAStoreThatOnlyReadsLeavesNoSegment(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, space)
	if got := segmentsOf(t, dir); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

func TestClosedStoreIsEmpty(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		s := open(t, dir, space)
		put(t, s, 1, values(1, 10, true))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if get(s, 1) != nil || s.Put(digestOf(2), []int64{10}, values(2, 10, true)) {
			t.Error("a closed store serves or takes something")
		}
	}
}

func TestNilStore(t *testing.T) {
	var s *Store
	if s.Put(digestOf(1), []int64{1}, []float32{1}) || get(s, 1) != nil || s.Stats() != (Stats{}) || s.Close() != nil {
		t.Error("a nil store is not an empty one")
	}
}

func TestConcurrentUse(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		s := open(t, dir, space)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 100 {
					i = (i*7 + g*13) % 50
					if !s.Put(digestOf(i), []int64{64}, values(i, 64, i%2 == 0)) {
						t.Error("refused")
					}
					if !sameBits(get(s, i), values(i, 64, i%2 == 0)) {
						t.Errorf("record %d differs", i)
					}
				}
			})
		}
		wg.Go(func() { s.Stats() })
		wg.Wait()
		if got, want := s.Stats(), (Stats{Hits: 400, Stored: 50}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// Closing while others read neither crashes nor serves anything wrong.
func TestCloseWhileInUse(t *testing.T) {
	s := open(t, "", space)
	for i := range 20 {
		put(t, s, i, values(i, 1000, true))
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := range 20 {
				if got := get(s, i); got != nil && !sameBits(got, values(i, 1000, true)) {
					t.Errorf("record %d differs", i)
				}
			}
		})
	}
	s.Close()
	wg.Wait()
}

func TestMemoryBeyondOneSlab(t *testing.T) {
	m := &memory{}
	t.Cleanup(func() { m.Close() })
	type where struct {
		in interface {
			ReadAt([]byte, int64) (int, error)
		}
		at int64
	}
	sizes := []int{10, slabSize - 10, 1, slabSize + 5, 7}
	var got []where
	for i, n := range sizes {
		in, at, err := m.append(bytes.Repeat([]byte{byte(i + 1)}, n))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, where{in, at})
	}
	for i, w := range got {
		ends := make([]byte, 1)
		for _, at := range []int64{w.at, w.at + int64(sizes[i]) - 1} {
			if _, err := w.in.ReadAt(ends, at); err != nil || ends[0] != byte(i+1) {
				t.Errorf("piece %d at %d: got %d, %v", i, at, ends[0], err)
			}
		}
	}
	if len(m.slabs) != 4 {
		t.Errorf("%d slabs, want 4", len(m.slabs))
	}
}
