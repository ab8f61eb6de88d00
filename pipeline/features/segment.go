package features

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tftl/internal/regular"
)

const (
	magic         = "TFTLFEAT"
	version       = 1
	segmentHeader = 48 // bytes before the first record
	suffix        = ".features"
)

// errForeign is about a segment that is intact but not for us to read.
var errForeign = errors.New("a segment of another version or space")

// segment is a file that only this process appends to. A shared lock, held while
// it is open, keeps others from removing it.
type segment struct {
	file *os.File
	end  int64 // of the last complete record
}

// createSegment starts a segment in folder under a unique name.
func createSegment(folder string, space [sha256.Size]byte) (*segment, error) {
	// The time comes first, so that names sort by age: see Store.add.
	name := fmt.Sprintf("%016x-%s%s", time.Now().UnixNano(), rand.Text(), suffix)
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	// Others never remove an empty segment, so this one is safe between its
	// creation and its lock.
	_ = lock(f, syscall.LOCK_SH)
	header := make([]byte, segmentHeader)
	copy(header, magic)
	binary.LittleEndian.PutUint32(header[8:], version)
	copy(header[12:], space[:])
	binary.LittleEndian.PutUint32(header[44:], checksum(header[:44]))
	s := &segment{file: f}
	if _, _, err := s.append(header); err != nil {
		os.Remove(f.Name())
		f.Close()
		return nil, err
	}
	return s, nil
}

// append adds all of p, or leaves the segment as it was.
func (s *segment) append(p []byte) (io.ReaderAt, int64, error) {
	if _, err := s.file.WriteAt(p, s.end); err != nil {
		// If this fails too, a reader still sees that the tail is damaged.
		_ = s.file.Truncate(s.end)
		return nil, 0, err
	}
	at := s.end
	s.end += int64(len(p))
	return s.file, at, nil
}

// Close releases the segment. Others may then remove it.
func (s *segment) Close() error { return s.file.Close() }

// scan calls add with every record of a segment of size bytes, and returns the end
// of the last one. What follows, if anything, cannot be trusted. It only reads
// headers, so gigabytes open in milliseconds; payloads are checked when read.
func scan(in io.ReaderAt, size int64, space [sha256.Size]byte, add func(Digest, *record)) (end int64, err error) {
	if size < segmentHeader {
		return 0, nil
	}
	buf := make([]byte, recordHeader)
	header := buf[:segmentHeader]
	if err := readFull(in, header, 0); err != nil {
		return 0, err
	}
	switch {
	case string(header[:8]) != magic:
		return 0, nil
	case binary.LittleEndian.Uint32(header[8:]) != version:
		return 0, errForeign
	case checksum(header[:44]) != binary.LittleEndian.Uint32(header[44:]):
		return 0, nil
	case [sha256.Size]byte(header[12:44]) != space:
		return 0, errForeign
	}
	end = segmentHeader
	for size-end >= recordHeader {
		if err := readFull(in, buf, end); err != nil {
			return end, err
		}
		d, r := parse(buf, in, end)
		if r == nil || size-r.offset < int64(r.length) {
			break
		}
		add(d, r)
		end = r.offset + int64(r.length)
	}
	return end, nil
}

// readFull is ReadAt without io.EOF if the read ends with the file.
func readFull(in io.ReaderAt, p []byte, offset int64) error {
	if n, err := in.ReadAt(p, offset); n < len(p) {
		return err
	}
	return nil
}

// openSegment opens a segment that another process wrote or is writing, and calls
// add with its records. damaged says that some were lost. The file is nil if it
// is of no use.
func openSegment(path string, space [sha256.Size]byte, add func(Digest, *record)) (f *os.File, damaged bool) {
	f, err := regular.Open(path)
	if err != nil {
		// Another process may have removed it since the folder was listed.
		return nil, !errors.Is(err, os.ErrNotExist)
	}
	_ = lock(f, syscall.LOCK_SH)
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, true
	}
	end, err := scan(f, info.Size(), space, add)
	switch {
	case errors.Is(err, errForeign):
		f.Close()
		return nil, false
	case err != nil:
		damaged = true
	case end < info.Size():
		damaged = cut(f, end, info.Size())
	}
	if end == 0 {
		f.Close()
		return nil, damaged
	}
	// The least recently used segment is removed first.
	now := time.Now()
	_ = os.Chtimes(path, now, now)
	return f, damaged
}

// cut removes what a killed writer or a bad disk left after the last good record,
// so that it is reported only once and takes no space. It returns false if another
// process has the segment open, or has written to it since it had size bytes: then
// what looked damaged was a record being written.
func cut(f *os.File, end, size int64) bool {
	defer func() { _ = lock(f, syscall.LOCK_SH) }()
	if lock(f, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	if info, err := f.Stat(); err != nil || info.Size() != size {
		return false
	}
	// Errors do not matter: a read-only cache can still be read.
	if end == 0 {
		os.Remove(f.Name())
	} else {
		_ = os.Truncate(f.Name(), end)
	}
	return true
}

// lock locks a file until it is closed. On a file system without locks every call
// fails. Then nothing is ever removed or cut, but everything else works.
func lock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
