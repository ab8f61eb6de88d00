// Package features keeps the activations of the frozen part of a network, so
// that they are computed once for an image and not once an epoch.
//
// A Store is the cache, in RAM or in a folder that outlives the process. It
// finds activations by the SHA-256 of the image's bytes, within a space: a text
// that the caller makes of everything else that decides them. So an image that
// was replaced under the same name, another model or another precision finds
// nothing, and nothing stale is ever served. FORMAT.md specifies the files. A
// Source serves batches of activations from a Store and computes what it lacks.
//
// Of an image under random augmentation it keeps as many variants as it is
// given, each found by the text of what was drawn for it. It knows neither how
// images are decoded nor how features are computed: both are passed in.
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
	"tftl/pipeline"
)

// Options say where a Store keeps what it is given, and how much of it.
type Options struct {
	// Dir is the cache folder, which any number of spaces and processes share.
	// Empty: the Store is in RAM and ends with the process.
	Dir string
	// MaxBytes is the most that the folder, all spaces together, may hold, or
	// the Store in RAM. Zero or less: no limit. Two processes that write at
	// once may pass it by a 64th each.
	MaxBytes int64
}

// Stats count what became of a Store's records since it was opened.
type Stats struct {
	Hits    int64 // activations served
	Stored  int64 // activations taken in
	Refused int64 // activations not taken in, for want of room or after a write error
	Damaged int64 // records and tails of segments that could not be read or trusted, and are computed again
	// WriteError is why the Store stopped taking anything in: a full disk,
	// mostly. It goes on serving what it has.
	WriteError error
}

// Store is a cache of activations in one space. It is safe for concurrent use,
// and any number of processes may have the same space open: each reads what
// the others had stored when it opened it. A nil Store keeps nothing.
type Store struct {
	dir    string // empty in RAM
	folder string // of the space, below dir
	space  [sha256.Size]byte
	limit  int64
	create func() (appender, error) // what new records go to

	open    sync.RWMutex // held for reading while records are read or written
	buffers sync.Pool    // of *[]byte: payloads on their way

	mu       sync.Mutex // guards what follows
	index    map[Digest]*record
	files    []io.Closer
	out      appender // nil until something is stored
	used     int64    // bytes in dir, or in RAM, as far as is known
	appended int64    // bytes since used was last measured
	full     bool
	stats    Stats
}

// appender is where records go: a segment, or memory.
type appender interface {
	// append adds p whole or not at all, and says where it is to be read.
	append(p []byte) (in io.ReaderAt, offset int64, err error)
	io.Closer
}

// Open opens one space of a cache, and makes it where it is new. The text of
// space holds everything but the image's bytes that decides the activations:
// digest of the weights, stage, decoding, precision, version of TensorFlow,
// instruction set.
//
// A disk too full to make the space is no error: such a Store refuses
// everything and says why in its Stats.
func Open(o Options, space string) (*Store, error) {
	s := &Store{
		dir:      o.Dir,
		space:    sha256.Sum256([]byte(space)),
		limit:    o.MaxBytes,
		appended: o.MaxBytes, // nothing was measured yet
		index:    map[Digest]*record{},
	}
	if o.Dir == "" {
		s.create = func() (appender, error) { return &memory{}, nil }
		return s, nil
	}
	s.folder = filepath.Join(o.Dir, hex.EncodeToString(s.space[:])[:32])
	s.create = func() (appender, error) {
		out, err := createSegment(s.folder, s.space)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	if err := s.openFolder(space); err != nil {
		err = fmt.Errorf("open feature cache: %w", err)
		if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
			return nil, err
		}
		s.stats.WriteError = err
	}
	return s, nil
}

// isSpace tells whether a folder in a cache may be the folder of a space.
func isSpace(name string) bool {
	raw, err := hex.DecodeString(name)
	return err == nil && len(raw) == 16
}

func (s *Store) openFolder(space string) error {
	if err := os.MkdirAll(s.folder, 0o777); err != nil {
		return err
	}
	path := filepath.Join(s.folder, "space.txt")
	got, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := atomicfile.WriteFile(path, []byte(space), 0o666); err != nil {
			return err
		}
	case err != nil:
		return err
	case string(got) != space:
		return pipeline.WithHint(fmt.Errorf("%s does not say what its folder holds", path), "remove %s", s.folder)
	}
	entries, err := os.ReadDir(s.folder) // sorted: oldest first
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		f, damaged := openSegment(filepath.Join(s.folder, e.Name()), s.space, s.add)
		if f != nil {
			s.files = append(s.files, f)
		}
		if damaged {
			s.stats.Damaged++
		}
	}
	return nil
}

// add puts a record in the index. The newest of an image is tried first: it
// was written because an older one was damaged, or is the same.
func (s *Store) add(d Digest, r *record) {
	r.older = s.index[d]
	if r.older != nil && slices.Equal(r.shape, r.older.shape) {
		r.shape = r.older.shape
	}
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

// Get fills dst, which has room for shape, with the activations of an image,
// bit for bit as they were stored. It is false, and dst is anything, where they
// are not stored, are damaged or have another shape; then they are forgotten.
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

// Put stores the activations of one image, which fill shape. It is false where
// they were refused: the limit is reached, a write has failed, or they do not
// fill shape. After either of the first two, everything new is refused.
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

// store appends a record and only then lets it be found.
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

// append writes p where there is room for it; in is nil where there is none.
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

// room tells whether size more bytes stay within the limit, after other spaces
// made way. What other processes write is seen when the folder is measured:
// near the limit, and now and then before.
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

// Stats tells what became of the records so far.
func (s *Store) Stats() Stats {
	if s == nil {
		return Stats{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Close waits for reads and writes under way and lets go of files and memory.
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
