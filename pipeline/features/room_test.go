package features

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// one is the size on disk of a record of 10 coarse values.
const one = recordHeader + 2*10

func sizeOf(t *testing.T, dir string) int64 {
	t.Helper()
	var total int64
	for _, path := range segmentsOf(t, dir) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	return total
}

// fillUp puts records until one is refused, and counts the others.
func fillUp(s *Store, from, to int) int {
	n := 0
	for i := from; i < to; i++ {
		if s.Put(digestOf(i), []int64{10}, values(i, 10, true)) {
			n++
		}
	}
	return n
}

func TestLimit(t *testing.T) {
	for _, where := range []string{"disk", "RAM"} {
		t.Run(where, func(t *testing.T) {
			limit, dir := int64(5*one), ""
			if where == "disk" {
				dir = t.TempDir()
				limit += segmentHeader
			}
			s := openWith(t, Options{Dir: dir, MaxBytes: limit}, space)
			if got := fillUp(s, 0, 8); got != 5 {
				t.Errorf("%d stored, want 5", got)
			}
			if got, want := s.Stats(), (Stats{Stored: 5, Refused: 3}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			for i := range 8 {
				if got := get(s, i); (got != nil) != (i < 5) {
					t.Errorf("record %d served: %v", i, got != nil)
				}
			}
			if dir != "" && sizeOf(t, dir) > limit {
				t.Errorf("%d bytes, more than %d", sizeOf(t, dir), limit)
			}
		})
	}
}

func TestOtherSpacesMakeWay(t *testing.T) {
	dir := t.TempDir()
	spaces := []string{"oldest", "middle", "newest"}
	for i, name := range spaces {
		s := open(t, dir, name)
		fillUp(s, 0, 4)
		s.Close()
		then := time.Now().Add(time.Duration(i-10) * time.Hour)
		for _, path := range segmentsOf(t, dir) {
			if filepath.Dir(path) == s.folder {
				if err := os.Chtimes(path, then, then); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// Using the oldest makes it the newest.
	used := open(t, dir, "oldest")
	used.Close()
	stranger := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(stranger, make([]byte, 1<<16), 0o666); err != nil {
		t.Fatal(err)
	}

	limit := sizeOf(t, dir) // full
	s := openWith(t, Options{Dir: dir, MaxBytes: limit}, space)
	if got := fillUp(s, 0, 3); got != 3 {
		t.Fatalf("%d stored, want 3: %+v", got, s.Stats())
	}
	if sizeOf(t, dir) > limit {
		t.Errorf("%d bytes, more than %d", sizeOf(t, dir), limit)
	}
	for i, name := range spaces {
		other := open(t, dir, name)
		if got, want := get(other, 0) != nil, name != "middle"; got != want {
			t.Errorf("space %d still there: %v, want %v", i, got, want)
		}
		if got := other.Stats().Damaged; got != 0 {
			t.Errorf("space %d: %d damaged", i, got)
		}
		other.Close()
	}
	if _, err := os.Stat(stranger); err != nil {
		t.Errorf("a file that is not the cache's: %v", err)
	}
}

func TestSpacesInUseStay(t *testing.T) {
	dir := t.TempDir()
	reading := open(t, dir, "reading")
	fillUp(reading, 0, 4)
	reading.Close()
	reading = open(t, dir, "reading")
	writing := open(t, dir, "writing")
	fillUp(writing, 0, 4)

	limit := sizeOf(t, dir) + segmentHeader + one
	s := openWith(t, Options{Dir: dir, MaxBytes: limit}, space)
	if got := fillUp(s, 0, 3); got != 1 {
		t.Errorf("%d stored, want 1", got)
	}
	for i := range 4 {
		if get(reading, i) == nil || get(writing, i) == nil {
			t.Errorf("record %d of a space in use is gone", i)
		}
	}
	if got := len(segmentsOf(t, dir)); got != 3 {
		t.Errorf("%d segments, want 3", got)
	}
}

// What another process left in the same space is as good as our own.
func TestOwnSpaceStays(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir, MaxBytes: 2*segmentHeader + 3*one}, space)
	other := open(t, dir, space)
	fillUp(other, 0, 2)
	other.Close()
	if got := fillUp(s, 2, 4); got != 1 {
		t.Errorf("%d stored, want 1", got)
	}
	if s = open(t, dir, space); get(s, 0) == nil || get(s, 1) == nil || get(s, 2) == nil {
		t.Error("a record of the own space is gone")
	}
}

// Which images are cached must not depend on chance: after the first refusal,
// nothing is stored.
func TestFullStaysFull(t *testing.T) {
	s := openWith(t, Options{MaxBytes: 5 * one}, space)
	if s.Put(digestOf(0), []int64{1000}, values(0, 1000, true)) || fillUp(s, 1, 3) != 0 {
		t.Error("stored after a refusal")
	}
}

// A record that can never fit removes nothing.
func TestTooLargeARecordRemovesNothing(t *testing.T) {
	dir := t.TempDir()
	other := open(t, dir, "other")
	fillUp(other, 0, 1)
	other.Close()
	s := openWith(t, Options{Dir: dir, MaxBytes: 1000}, space)
	if s.Put(digestOf(0), []int64{10_000}, values(0, 10_000, true)) {
		t.Error("stored beyond the limit")
	}
	if got := len(segmentsOf(t, dir)); got != 1 {
		t.Errorf("%d segments, want 1", got)
	}
}

// failing is an appender whose disk fills up.
type failing struct {
	appender
	left int
}

func (f *failing) append(p []byte) (io.ReaderAt, int64, error) {
	if f.left--; f.left < 0 {
		return nil, 0, &os.PathError{Op: "write", Path: "segment", Err: syscall.ENOSPC}
	}
	return f.appender.append(p)
}

func TestWriteErrorEndsStoringAndNothingElse(t *testing.T) {
	s := open(t, "", space)
	s.create = func() (appender, error) { return &failing{&memory{}, 2}, nil }
	if got := fillUp(s, 0, 5); got != 2 {
		t.Errorf("%d stored, want 2", got)
	}
	stats := s.Stats()
	if !errors.Is(stats.WriteError, syscall.ENOSPC) || stats.Refused != 3 || stats.Stored != 2 {
		t.Errorf("got %+v, want ENOSPC, 2 stored and 3 refused", stats)
	}
	for i := range 5 {
		if got := get(s, i) != nil; got != (i < 2) {
			t.Errorf("record %d served: %v", i, got)
		}
	}
}

func TestSegmentThatCannotBeMade(t *testing.T) {
	s := open(t, t.TempDir(), space)
	if err := os.RemoveAll(s.folder); err != nil {
		t.Fatal(err)
	}
	if got := fillUp(s, 0, 2); got != 0 {
		t.Errorf("%d stored, want none", got)
	}
	if err := s.Stats().WriteError; !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want %v", err, os.ErrNotExist)
	}
}

// TestMain is also the other process of the tests below: it appends records
// until it is killed, and says so after each.
func TestMain(m *testing.M) {
	dir, ok := os.LookupEnv("FEATURES_TEST_WRITER")
	if !ok {
		os.Exit(m.Run())
	}
	s, err := Open(Options{Dir: dir}, space)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		s.Put(digestOf(i), []int64{5000}, values(i, 5000, i%2 == 0))
		fmt.Println(i)
	}
}

// writer starts a process that appends to dir and waits for n records of it.
func writer(t *testing.T, dir string, n int) (kill func() int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "FEATURES_TEST_WRITER="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	last := -1
	for last < n-1 && lines.Scan() {
		if last, err = strconv.Atoi(strings.TrimSpace(lines.Text())); err != nil {
			t.Fatal(err)
		}
	}
	killed := false
	kill = func() int {
		if killed {
			return last
		}
		killed = true
		cmd.Process.Kill()
		for lines.Scan() {
			if i, err := strconv.Atoi(lines.Text()); err == nil {
				last = i
			}
		}
		cmd.Wait()
		return last
	}
	t.Cleanup(func() { kill() })
	return kill
}

func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	kill := []func() int{writer(t, dir, 20), writer(t, dir, 20)}
	during := open(t, dir, space) // both are writing
	last := max(kill[0](), kill[1]())
	after := open(t, dir, space)
	for name, s := range map[string]*Store{"during": during, "after": after} {
		n := 0
		for i := range last + 1 {
			if got := get(s, i); got != nil {
				n++
				if !sameBits(got, values(i, 5000, i%2 == 0)) {
					t.Errorf("%s: record %d differs", name, i)
				}
			}
		}
		if n < 20 || name == "after" && n < last {
			t.Errorf("%s: %d of %d records served", name, n, last+1)
		}
	}
	if got := during.Stats().Damaged; got != 0 {
		t.Errorf("%d damaged while both were writing", got)
	}
	if got := after.Stats().Damaged; got > 2 {
		t.Errorf("%d damaged after both were killed", got)
	}
}

func TestSpaceInUseByAnotherProcessStays(t *testing.T) {
	dir := t.TempDir()
	kill := writer(t, dir, 5)
	s := openWith(t, Options{Dir: dir, MaxBytes: 10_000}, "other")
	if got := fillUp(s, 0, 1); got != 0 {
		t.Error("stored beside a space that is larger than the limit")
	}
	if got := len(segmentsOf(t, dir)); got != 1 {
		t.Fatalf("%d segments, want the other process's", got)
	}
	kill()
	s = openWith(t, Options{Dir: dir, MaxBytes: 10_000}, "other")
	if got := fillUp(s, 0, 1); got != 1 {
		t.Error("the space of a process that has ended did not make way")
	}
}
