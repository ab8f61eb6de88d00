package contents

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Key identifies a file in its present state: its path, size, inode, and when it
// was last modified and changed. Nobody can set the time of the last change, so a
// file that was rewritten has another key even if its size and its modification
// time were restored. The device is left out, because it has another number each
// time that a network file system is mounted.
type Key [16]byte

// settling is the time after which a change of a file shows in its times: those of
// some file systems are whole seconds, of FAT even two.
const settling = 2 * time.Second

// KeyOf returns the key of a file. It is zero if the file has just been changed: it
// may change again without another key. It is also zero if there is no such file.
func (t *Table) KeyOf(path string) (k Key) {
	if t == nil {
		return k
	}
	now := t.Now()
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return k
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	absolute, err := filepath.Abs(path)
	if !ok || err != nil || now.Sub(changed(stat)) < settling {
		return k
	}
	text := append(make([]byte, 0, len(absolute)+64), absolute...)
	text = append(text, 0)
	for _, n := range []int64{info.Size(), info.ModTime().UnixNano(), changed(stat).UnixNano(), int64(stat.Ino)} {
		text = binary.LittleEndian.AppendUint64(text, uint64(n))
	}
	sum := sha256.Sum256(text)
	copy(k[:], sum[:])
	return k
}
