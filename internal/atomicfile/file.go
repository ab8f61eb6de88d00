// Package atomicfile replaces files and folders atomically: under the final name
// is the complete old version or the complete new one, even if the process is
// killed or the disk fills up.
//
// It is not a lock. A folder must have one writer at a time. If two processes
// write the same file, each writes a complete one, and the last one wins.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unicode/utf8"
)

// WriteFile is an atomic os.WriteFile. It replaces an existing file together with
// its permissions. It replaces a symbolic link and does not follow it.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return write(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write is WriteFile for content that is written piece by piece. It buffers what
// fn writes. An error from fn leaves path as it was.
func Write(path string, fn func(io.Writer) error) error {
	return write(path, 0o666, func(w io.Writer) error {
		buffered := bufio.NewWriterSize(w, 1<<16)
		if err := fn(buffered); err != nil {
			return err
		}
		return buffered.Flush()
	})
}

func write(path string, perm fs.FileMode, fn func(io.Writer) error) (err error) {
	tmp := beside(path)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	renamed := false
	defer func() { // also when fn panics
		if !renamed {
			f.Close()
			os.Remove(tmp)
		}
	}()
	if err := fn(f); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// Some file systems only notice here that they are full.
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	renamed = true
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

const temporary = ".tmp"

// beside is an unused name in path's own folder, because a rename is atomic only
// within a file system. It starts with a dot, so that nobody takes what a killed
// process leaves behind for a result.
func beside(path string) string {
	dir, base := filepath.Split(filepath.Clean(path))
	return filepath.Join(dir, "."+Short(base, stem)+"."+rand.Text()+temporary)
}

// stem limits how much of a name its temporary name contains: a name of 255
// bytes, the longest possible, needs a temporary name too.
const stem = 200

// Short cuts a file name to a number of bytes. A name that is cut ends in a
// digest, so that different names stay different.
func Short(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	end := "~" + hex.EncodeToString(sum[:6])
	cut := limit - len(end)
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + end
}

// syncFolder makes renames in a folder survive a power cut.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // the file system cannot sync folders
	}
	return errors.Join(err, f.Close())
}
