package launch

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// maxLine is how many bytes of a line are kept until it ends. The rest of a longer one
	// has a line of its own.
	maxLine = 16 << 10
	// linger is how long a stream may be silent after its process has ended.
	linger = time.Second
)

// stream is what a process prints, read from a pipe.
type stream struct {
	*os.File
	late bool // its process has ended
}

// finish ends reading when nothing more comes. The process has ended, but one that left
// its group may hold the pipe forever.
func (s *stream) finish() { _ = s.SetReadDeadline(time.Now()) }

// Read is the io.Reader.
func (s *stream) Read(b []byte) (int, error) {
	for {
		if s.late { // writing what came before may have taken long
			_ = s.SetReadDeadline(time.Now().Add(linger))
		}
		n, err := s.File.Read(b)
		if s.late || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		s.late = true
	}
}

// copyTo writes the bytes as they are, a line at a time. What cannot be written is
// dropped, so that the process can go on; to has the error.
func (s *stream) copyTo(to io.Writer) {
	s.each(func(piece []byte) { _, _ = to.Write(piece) })
}

// prefixTo writes lines with a prefix, each with one call, as copyTo does. The mutex is
// that of the writer.
func (s *stream) prefixTo(mu *sync.Mutex, to io.Writer, prefix string) {
	s.each(func(piece []byte) {
		line := append([]byte(prefix), piece...)
		if piece[len(piece)-1] != '\n' {
			line = append(line, '\n')
		}
		mu.Lock()
		defer mu.Unlock()
		_, _ = to.Write(line)
	})
}

// each calls a function with each line, or with pieces of one that is too long.
func (s *stream) each(do func(piece []byte)) {
	defer s.Close()
	reader := bufio.NewReaderSize(s, maxLine)
	for {
		piece, err := reader.ReadSlice('\n')
		if len(piece) > 0 {
			do(piece)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
