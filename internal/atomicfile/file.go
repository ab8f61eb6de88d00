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
	"encoding/base32"
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
	f, err := create(path, perm)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	renamed := false
	defer func() { // also when fn panics
		if !renamed {
			os.Remove(f.Name())
		}
		f.Close()
	}()
	if err := fn(f); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// Some file systems only notice here that they are full.
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	renamed = true
	if err := errors.Join(f.Close(), syncFolder(filepath.Dir(path))); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// create makes path's temporary file, with a name that follows from path: the next
// writer of path removes what a killed process left behind. The file is locked while
// it is written. If another process is writing it, this one takes another name.
func create(path string, perm fs.FileMode) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	sum := sha256.Sum256([]byte(filepath.Base(path)))
	usual := hidden(path, base32.StdEncoding.EncodeToString(sum[:])[:len(rand.Text())])
	for range 3 {
		f, err := os.OpenFile(usual, flags, perm)
		if errors.Is(err, fs.ErrExist) && removeLeftover(usual) {
			continue
		}
		if errors.Is(err, fs.ErrExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		if !errors.Is(lock(f), syscall.EWOULDBLOCK) && isAt(f, usual) {
			return f, nil
		}
		f.Close() // another process took it for a leftover
	}
	return os.OpenFile(beside(path), flags, perm)
}

// removeLeftover removes a temporary file that no process is writing.
func removeLeftover(tmp string) bool {
	f, err := os.OpenFile(tmp, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) // it got its name
	}
	defer f.Close()
	return lock(f) == nil && (!isAt(f, tmp) || os.Remove(tmp) == nil)
}

func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// isAt says whether an open file still has its name.
func isAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}

const temporary = ".tmp"

// beside is an unused name in path's own folder, because a rename is atomic only
// within a file system. It starts with a dot, so that nobody takes what a killed
// process leaves behind for a result.
func beside(path string) string {
	return hidden(path, rand.Text())
}

func hidden(path, unlike string) string {
	dir, base := filepath.Split(filepath.Clean(path))
	return filepath.Join(dir, "."+Short(base, stem)+"."+unlike+temporary)
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
