// Package atomicfile writes files and folders that are either whole or not
// there: what stands under the final name is what was there before or what was
// meant to be there next, whatever is killed or filled up in between.
//
// It is not a lock. One process at a time writes a name; two that write the
// same file each leave a whole one, and the later wins.
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

// WriteFile is os.WriteFile, all or nothing. A file that was there is replaced
// together with its permissions, a symbolic link is replaced and not followed.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return write(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write is WriteFile for what is written piece by piece: fn's writes are
// buffered, and an error from it leaves path as it was.
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
	// Some file systems find out that they are full no sooner than here.
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

// beside is an unused name in path's own folder, for a rename is atomic only
// within one file system. It starts with a dot: what a killed process leaves
// behind is not taken for a result.
func beside(path string) string {
	dir, base := filepath.Split(filepath.Clean(path))
	return filepath.Join(dir, "."+Short(base, stem)+"."+rand.Text()+temporary)
}

// stem is what a temporary name has of the name that it stands in for: a name
// that is as long as names may be, 255 bytes, has one too.
const stem = 200

// Short is a file's name cut to a number of bytes, where it has more: at the end
// is then a digest, so that two names stay two.
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

// syncFolder makes the names in a folder outlast a power cut.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a file system on which folders cannot be synced
	}
	return errors.Join(err, f.Close())
}
