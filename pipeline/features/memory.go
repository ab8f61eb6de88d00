package features

import (
	"errors"
	"io"
	"syscall"
)

// slabSize is how much memory is allocated at once. Until it is written to, it
// costs nothing.
const slabSize = 64 << 20

// memory keeps records in RAM, outside Go's heap: with a cache of some gigabytes
// in the heap, the collector would let as much garbage pile up.
type memory struct {
	slabs []slab
	used  int // of the last slab
}

type slab []byte

// ReadAt implements io.ReaderAt.
func (s slab) ReadAt(p []byte, offset int64) (int, error) {
	n := copy(p, s[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) append(p []byte) (io.ReaderAt, int64, error) {
	if len(m.slabs) == 0 || m.used+len(p) > len(m.slabs[len(m.slabs)-1]) {
		s, err := syscall.Mmap(-1, 0, max(slabSize, len(p)), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			return nil, 0, err
		}
		m.slabs, m.used = append(m.slabs, s), 0
	}
	last := m.slabs[len(m.slabs)-1]
	at := m.used
	m.used += copy(last[at:], p)
	return last, int64(at), nil
}

// Close frees the memory. Its records must not be read afterwards.
func (m *memory) Close() error {
	var errs []error
	for _, s := range m.slabs {
		errs = append(errs, syscall.Munmap(s))
	}
	m.slabs = nil
	return errors.Join(errs...)
}
