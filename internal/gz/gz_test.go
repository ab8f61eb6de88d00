package gz

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

func compressed(t *testing.T, text string, piece int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := NewWriter(&b)
	for len(text) > 0 {
		n := min(piece, len(text))
		if _, err := io.WriteString(z, text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTextIsReadAsItWasWritten(t *testing.T) {
	for _, size := range []int{1, 1000, memberSize, 5*memberSize + 17} {
		text := strings.Repeat("0.125,", size/6+1)[:size]
		var first []byte
		for _, piece := range []int{size, 99_991} {
			data := compressed(t, text, piece)
			if first != nil && !bytes.Equal(data, first) {
				t.Errorf("%d bytes: the pieces that were written change the file", size)
			}
			first = data
			in, err := NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(in); err != nil || string(got) != text {
				t.Errorf("%d bytes: read %d, %v", size, len(got), err)
			}
		}
		before := runtime.GOMAXPROCS(1)
		if !bytes.Equal(compressed(t, text, size), first) {
			t.Errorf("%d bytes: the number of processors changes the file", size)
		}
		runtime.GOMAXPROCS(before)
	}
}

func TestPlainText(t *testing.T) {
	for _, text := range []string{"", "a", "path,label\n"} {
		in, err := NewReader(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(in); err != nil || string(got) != text {
			t.Errorf("%q: read %q, %v", text, got, err)
		}
	}
}

func TestWhatIsCutOff(t *testing.T) {
	data := compressed(t, strings.Repeat("0.125,", 1000), 100)
	in, err := NewReader(bytes.NewReader(data[:len(data)-5]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(in); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if _, err := NewReader(strings.NewReader("\x1f\x8bx")); err == nil || errors.Is(err, gzip.ErrChecksum) {
		t.Errorf("got %v", err)
	}
}

func TestMembersAreCompressedInTheSameMemory(t *testing.T) {
	z, text := NewWriter(io.Discard), []byte(strings.Repeat("0.125,", memberSize/6))
	write := func() {
		for range 4 * runtime.GOMAXPROCS(0) {
			if _, err := z.Write(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	write()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	write()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > memberSize/4 {
		t.Errorf("%d more members allocate %d bytes", 4*runtime.GOMAXPROCS(0), n)
	}
}
