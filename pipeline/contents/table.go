// Package contents remembers what was learnt of image files: the SHA-256 of their
// bytes, and whether they can be decoded. So a later command reads only files that
// are new or have changed. What is remembered saves reading and never changes a
// result.
//
// A Table is a file beside the feature cache, which any number of processes may
// share; FORMAT.md specifies it. It knows nothing of data sets and decoders, and
// has no paths: files are found by a Key.
package contents

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tftl/internal/atomicfile"
)

// Known is what is known of a file.
type Known struct {
	Digest [sha256.Size]byte // of its bytes
	// Decodes identifies the decoder that decoded it; 0 if none did.
	Decodes uint32
}

// Decoder returns the number by which Known.Decodes identifies a decoder, from a
// text that changes if other images can be decoded.
func Decoder(version string) uint32 {
	sum := sha256.Sum256([]byte(version))
	return max(binary.LittleEndian.Uint32(sum[:]), 1)
}

// The file: a header, then records sorted by their keys.
const (
	fileName   = "contents.table"
	lockName   = "contents.lock"
	magic      = "TFTLCONT"
	version    = 1
	headerSize = 16
	recordSize = 64
	most       = 1 << 21 // records in a file: 128 MiB
	pending    = 1 << 16 // records that wait in memory
)

// Table is what is known of files. It is safe for concurrent use. A nil Table knows
// nothing and learns nothing.
type Table struct {
	Options
	old []byte // records of the file as it was when the Table was opened or saved last

	mu      sync.Mutex
	learned map[Key]Known // not in the file yet
	used    map[Key]bool  // found, but the file says that this was long ago
	failed  bool          // to write the file before Save was called
}

// Options say where a Table is and how to use it.
type Options struct {
	Dir string // its folder, which need not exist
	// Distrust finds nothing that earlier commands have learnt. What this one learns
	// replaces it.
	Distrust bool
	Now      func() time.Time // nil for time.Now
}

// Open reads a table. One that cannot be read is empty.
func Open(o Options) *Table {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Table{Options: o, old: read(filepath.Join(o.Dir, fileName)), learned: map[Key]Known{}, used: map[Key]bool{}}
}

// day is how the file tells time: in days since 1970.
func (t *Table) day() uint32 { return uint32(t.Now().Unix() / 86400) }

// Find returns what is known of a file. Nothing is known of a zero Key.
func (t *Table) Find(k Key) (Known, bool) {
	if t == nil || k == (Key{}) {
		return Known{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.learned[k]; ok {
		return known, true
	}
	if t.Distrust {
		return Known{}, false
	}
	n := len(t.old) / recordSize
	at := sort.Search(n, func(i int) bool { return bytes.Compare(t.old[i*recordSize:][:len(k)], k[:]) >= 0 })
	if at == n || !bytes.Equal(t.old[at*recordSize:][:len(k)], k[:]) {
		return Known{}, false
	}
	r, ok := parse(t.old[at*recordSize:][:recordSize])
	if ok && r.used+7 < t.day() {
		t.used[k] = true
	}
	return r.Known, ok
}

// Learn adds what was learnt of a file: its digest and, unless it is 0, the decoder
// that decoded it. A zero Key is not remembered. Learn saves the table at times, so
// that little waits in memory.
func (t *Table) Learn(k Key, known Known) {
	if t == nil || k == (Key{}) {
		return
	}
	if was, ok := t.Find(k); ok && was.Digest == known.Digest && (was.Decodes == known.Decodes || known.Decodes == 0) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.learned[k] = known
	if len(t.learned) >= pending && !t.failed {
		t.failed = t.save() != nil // Save tries again, and returns the error
	}
}

// Save adds what was learnt to the file, and to what other processes have added
// meanwhile. Of more records than a file may have, it drops those that were used
// longest ago.
func (t *Table) Save() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.save()
}

func (t *Table) save() error {
	if len(t.learned) == 0 && len(t.used) == 0 {
		return nil
	}
	if err := os.MkdirAll(t.Dir, 0o777); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(t.Dir, lockName))
	if err != nil {
		return err
	}
	defer unlock()
	path := filepath.Join(t.Dir, fileName)
	t.old = nil // a table may take much memory
	t.old = t.merge(read(path), most)
	err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(header())
		if err == nil {
			_, err = w.Write(t.old)
		}
		return err
	})
	if err != nil {
		return err
	}
	t.learned, t.used = map[Key]Known{}, map[Key]bool{} // clear would keep their memory
	t.failed = false
	return nil
}

// lock waits until no other process writes the table. On a file system without
// locks, two that write at the same time may lose what one of them learnt.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	for errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_EX), unix.EINTR) {
	}
	return func() { _ = file.Close() }, nil
}
