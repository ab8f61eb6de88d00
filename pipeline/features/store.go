// Package features caches the activations of the frozen part of a network, so
// that they are computed once per image instead of once per epoch.
//
// A Store is the cache, in RAM or in a folder that outlives the process. It
// finds activations by the SHA-256 of the image's bytes, within a space: a text
// that the caller composes of everything else that determines them. So a stale
// result is never served, whether an image was replaced under the same name or
// the model or the precision changed. FORMAT.md specifies the files. A Source
// serves batches of activations from a Store and computes what is missing.
//
// Under random augmentation an image has several variants, each found by the
// text of what was drawn for it. The package knows neither how images are
// decoded nor how activations are computed: both are passed in.
package features

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"tftl/internal/atomicfile"
	"tftl/internal/regular"
	"tftl/pipeline"
)

// Options say where a Store keeps activations, and how many.
type Options struct {
	// Dir is the cache folder, which any number of spaces and processes may share.
	// If it is empty, the Store is in RAM and ends with the process.
	Dir string
	// MaxBytes limits the size of the folder, all spaces together, or of the Store
	// in RAM. Zero or less is no limit. Processes that write at the same time may
	// each exceed it by a 64th.
	MaxBytes int64
}

// Stats count what a Store has done since it was opened.
type Stats struct {
	Hits    int64 // activations served
	Stored  int64 // activations stored
	Refused int64 // activations not stored, for lack of space or after a write error
	Damaged int64 // records and tails of segments that were unreadable or corrupt, and are computed again
	// WriteError is why the Store stopped storing, usually a full disk. It still
	// serves what it has.
	WriteError error
}

// Store is a cache of activations in one space. It is safe for concurrent use.
// Any number of processes may have the same space open: each sees what the others
// had stored when it opened the space. A nil Store stores nothing.
type Store struct {
	text  string // of the space
	space [sha256.Size]byte

	open    sync.RWMutex // held for reading while records are read or written
	buffers sync.Pool    // of *[]byte, for payloads

	mu       sync.Mutex // guards what follows
	dir      string     // empty in RAM
	folder   string     // of the space, below dir
	limit    int64
	create   func() (appender, error) // makes what new records go to
	index    map[Digest]*record
	shape    []int64 // of the last record in the index
	files    []io.Closer
	out      appender // nil until something is stored
	used     int64    // bytes in dir or in RAM, as far as known
	appended int64    // bytes since used was last measured
	largest  int64    // bytes of a record, stored or refused
	full     bool
	stats    Stats
}

// appender is where records go: a segment, or memory.
type appender interface {
	// append adds all of p or nothing, and says where to read it.
	append(p []byte) (in io.ReaderAt, offset int64, err error)
	io.Closer
}

// Open opens one space of a cache, or creates it. The text of space holds
// everything that determines the activations other than the image's bytes:
// digest of the weights, stage, decoding, precision, version of TensorFlow,
// instruction set.
//
// If the disk is too full to create the space, that is not an error: the Store
// then refuses everything, and its Stats say why.
func Open(o Options, space string) (*Store, error) {
	s := &Store{text: space, space: sha256.Sum256([]byte(space)), limit: o.MaxBytes, index: map[Digest]*record{}}
	s.create = func() (appender, error) { return &memory{}, nil }
	if o.Dir == "" {
		return s, nil
	}
	if err := s.use(o.Dir); err != nil {
		if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
			return nil, err
		}
		s.stats.WriteError = err
	}
	return s, nil
}

// use makes dir the folder of a new Store, or of one in RAM.
func (s *Store) use(dir string) error {
	folder := filepath.Join(dir, hex.EncodeToString(s.space[:])[:32])
	if err := s.openFolder(folder); err != nil {
		return fmt.Errorf("open feature cache: %w", err)
	}
	s.dir, s.folder, s.out = dir, folder, nil
	s.used, s.appended = 0, s.limit // nothing has been measured yet
	s.create = func() (appender, error) {
		out, err := createSegment(folder, s.space)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	return nil
}

// maxText is the most bytes of the text of a space.
const maxText = 1 << 20

// isSpace says whether a folder in a cache may be that of a space.
func isSpace(name string) bool {
	raw, err := hex.DecodeString(name)
	return err == nil && len(raw) == 16
}

func (s *Store) openFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	path := filepath.Join(folder, "space.txt")
	got, err := regular.Read(path, maxText)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := atomicfile.WriteFile(path, []byte(s.text), 0o666); err != nil {
			return err
		}
	case err != nil:
		return err
	case string(got) != s.text:
		return pipeline.WithHint(fmt.Errorf("%s does not match its folder", path), "remove %s", folder)
	}
	entries, err := os.ReadDir(folder) // sorted: oldest first
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		f, damaged := openSegment(filepath.Join(folder, e.Name()), s.space, s.add)
		if f != nil {
			s.files = append(s.files, f)
		}
		if damaged {
			s.stats.Damaged++
		}
	}
	return nil
}

// add puts a record in the index. The newest of an image is tried first: either
// an older one was damaged, or they are the same.
func (s *Store) add(d Digest, r *record) {
	r.older = s.index[d]
	if slices.Equal(r.shape, s.shape) {
		r.shape = s.shape // most records have the same, which takes memory once
	}
	s.shape = r.shape
	s.index[d] = r
}

// Shape is the shape of an image's activations, if they are stored.
func (s *Store) Shape(d Digest) (shape []int64, ok bool) {
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.index[d]
	if r == nil {
		return nil, false
	}
	return slices.Clone(r.shape), true
}

// Get fills dst, which must have the size of shape, with the activations of an
// image, bit for bit as they were stored. It returns false, and dst is undefined,
// if they are not stored, are damaged or have another shape. In the last two
// cases it forgets them.
func (s *Store) Get(d Digest, shape []int64, dst []float32) bool {
	if s == nil || elements(shape) != len(dst) {
		return false
	}
	s.open.RLock()
	defer s.open.RUnlock()
	buffer, ok := s.buffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
	}
	defer s.buffers.Put(buffer)
	for {
		s.mu.Lock()
		r := s.index[d]
		s.mu.Unlock()
		if r == nil {
			return false
		}
		ok := slices.Equal(r.shape, shape) && r.read(dst, buffer)
		s.settle(d, r, ok)
		if ok {
			return true
		}
	}
}

// settle counts a record that was served, and forgets one that was not.
func (s *Store) settle(d Digest, r *record, served bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case served:
		s.stats.Hits++
	case s.index[d] != r: // another goroutine was faster
	case r.older != nil:
		s.stats.Damaged++
		s.index[d] = r.older
	default:
		s.stats.Damaged++
		delete(s.index, d)
	}
}

// Put stores the activations of one image, which must fill shape. It returns false
// if it refused them, because the limit is reached, a write has failed or they do
// not fill shape. After either of the first two it refuses everything new.
func (s *Store) Put(d Digest, shape []int64, values []float32) (stored bool) {
	if s == nil {
		return false
	}
	if _, ok := s.Shape(d); ok {
		return true
	}
	var whole []byte
	if elements(shape) == len(values) {
		whole = encode(d, shape, values)
	}
	s.open.RLock()
	defer s.open.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.largest = max(s.largest, int64(len(whole)))
	switch {
	case s.index[d] != nil: // another goroutine was faster
		return true
	case s.index == nil || whole == nil || !s.store(d, whole):
		s.stats.Refused++
		return false
	}
	s.stats.Stored++
	return true
}

// store appends a record, and only then adds it to the index.
func (s *Store) store(d Digest, whole []byte) bool {
	if s.full || s.stats.WriteError != nil {
		return false
	}
	in, at, err := s.append(whole)
	if err != nil {
		s.stats.WriteError = fmt.Errorf("write feature cache: %w", err)
		return false
	}
	if in == nil {
		s.full = true
		return false
	}
	_, r := parse(whole, in, at)
	s.add(d, r)
	return true
}

// append writes p if there is room for it; otherwise in is nil.
func (s *Store) append(p []byte) (in io.ReaderAt, at int64, err error) {
	size := int64(len(p))
	if s.out == nil && s.dir != "" {
		size += segmentHeader
	}
	if ok, err := s.room(size); !ok {
		return nil, 0, err
	}
	if s.out == nil {
		out, err := s.create()
		if err != nil {
			return nil, 0, err
		}
		s.out = out
		s.files = append(s.files, out)
	}
	in, at, err = s.out.append(p)
	if err == nil {
		s.used += size
		s.appended += size
	}
	return in, at, err
}

// room says whether size more bytes stay within the limit, after removing what it
// can of other spaces. What other processes write is noticed when the folder is
// measured: always near the limit, now and then before.
func (s *Store) room(size int64) (bool, error) {
	if s.limit <= 0 {
		return true, nil
	}
	if size > s.limit {
		return false, nil
	}
	if s.dir != "" && (s.used+size > s.limit || s.appended >= s.limit/64) {
		used, err := makeRoom(s.dir, s.folder, s.limit-size)
		if err != nil {
			return false, err
		}
		s.used, s.appended = used, 0
	}
	return s.used+size <= s.limit, nil
}

// Stats returns the counts so far.
func (s *Store) Stats() Stats {
	if s == nil {
		return Stats{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Close waits for current reads and writes, and releases files and memory.
// Afterwards the Store is empty and refuses everything.
func (s *Store) Close() error {
	if s == nil {
		return nil
	}
	s.open.Lock()
	defer s.open.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	s.index, s.files, s.out = nil, nil, nil
	return errors.Join(errs...)
}
