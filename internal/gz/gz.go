// Package gz compresses large text on all processors, and reads text that may be
// compressed. It knows no file names.
package gz

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"runtime"
	"sync"
)

// memberSize is how much text each gzip member holds. A file of several members
// is as good as one: every reader of gzip goes on to the next.
const memberSize = 1 << 20

// Writer compresses what is written to it. The bytes do not depend on how many
// processors there are.
type Writer struct {
	w    io.Writer
	text []byte // not yet compressed
	// most is how much text to compress at a time: a member for each processor.
	most    int
	members []member
}

// member is the memory to compress some text in.
type member struct {
	out  *gzip.Writer
	data bytes.Buffer
}

func (m *member) compress(text []byte) {
	// Nothing here fails: the level exists, and a buffer takes everything. A higher
	// level makes tables of numbers little smaller, and takes several times as long.
	if m.out == nil {
		m.out, _ = gzip.NewWriterLevel(&m.data, gzip.BestSpeed)
	}
	m.out.Reset(&m.data)
	_, _ = m.out.Write(text)
	_ = m.out.Close()
}

// NewWriter returns a writer to w. Close writes the rest.
func NewWriter(w io.Writer) *Writer {
	n := runtime.GOMAXPROCS(0)
	return &Writer{w: w, most: memberSize * n, members: make([]member, n)}
}

// Write implements io.Writer.
func (z *Writer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), z.most-len(z.text))
		z.text, rest = append(z.text, rest[:n]...), rest[n:]
		if len(z.text) == z.most {
			if err := z.flush(); err != nil {
				return len(p) - len(rest), err
			}
		}
	}
	return len(p), nil
}

// Close writes what has not been written. It does not close the writer below.
func (z *Writer) Close() error { return z.flush() }

func (z *Writer) flush() error {
	members := z.members[:(len(z.text)+memberSize-1)/memberSize]
	var group sync.WaitGroup
	for i := range members {
		group.Go(func() { members[i].compress(z.text[i*memberSize : min((i+1)*memberSize, len(z.text))]) })
	}
	group.Wait()
	z.text = z.text[:0]
	for i := range members {
		if _, err := members[i].data.WriteTo(z.w); err != nil {
			return err
		}
	}
	return nil
}

// NewReader returns the text of r, which may be compressed.
func NewReader(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	if start, _ := in.Peek(2); string(start) != "\x1f\x8b" {
		return in, nil
	}
	return gzip.NewReader(in)
}
