package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ReplaceDir fills a new folder beside dir, syncs it and puts it in dir's place.
// An error from fill leaves dir as it was.
//
// A folder cannot be renamed over one that has files, so the old dir is moved
// aside first. If the process is killed at that moment, there is no dir until
// RecoverDir or the next ReplaceDir brings the old one back.
func ReplaceDir(dir string, fill func(tmp string) error) error {
	return ReplaceDirBut(dir, fill, os.RemoveAll)
}

// ReplaceDirBut is ReplaceDir, but calls retire for the old folder instead of
// removing it, once the new one is in place.
func ReplaceDirBut(dir string, fill, retire func(folder string) error) error {
	dir = filepath.Clean(dir)
	if err := replaceDir(dir, fill, retire); err != nil {
		return fmt.Errorf("replace folder %s: %w", dir, err)
	}
	return nil
}

func replaceDir(dir string, fill, retire func(folder string) error) error {
	if err := stepBack(dir, retire); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	exists := err == nil
	switch {
	case exists && !info.IsDir():
		return syscall.ENOTDIR // the user's own file or link
	case !exists && !errors.Is(err, fs.ErrNotExist):
		return err
	}

	tmp := beside(dir)
	if err := os.Mkdir(tmp, 0o777); err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // does nothing once tmp is in place
	if err := fill(tmp); err != nil {
		return err
	}
	if err := syncTree(tmp); err != nil {
		return err
	}

	old := aside(dir)
	if exists {
		if err := os.Rename(dir, old); err != nil {
			return err
		}
	}
	if err := os.Rename(tmp, dir); err != nil {
		if exists {
			err = errors.Join(err, os.Rename(old, dir))
		}
		return err
	}
	if err := syncFolder(filepath.Dir(dir)); err != nil || !exists {
		return err
	}
	return retire(old)
}

// RecoverDir finishes a ReplaceDir that was killed. It brings the old folder back
// if the new one was not in place yet, and removes leftovers. Call it before
// reading dir, from the only process that writes it. It does nothing if there is
// nothing to finish.
func RecoverDir(dir string) error {
	return RecoverDirBut(dir, os.RemoveAll)
}

// RecoverDirBut is RecoverDir for ReplaceDirBut.
func RecoverDirBut(dir string, retire func(folder string) error) error {
	dir = filepath.Clean(dir)
	if err := errors.Join(stepBack(dir, retire), sweep(dir, isFolder)); err != nil {
		return fmt.Errorf("recover folder %s: %w", dir, err)
	}
	return nil
}

// aside is where dir waits while its replacement moves in. The name starts with a
// dot, so that a user's own copy named dir.old is safe.
func aside(dir string) string {
	parent, base := filepath.Split(dir)
	return filepath.Join(parent, "."+Short(base, stem)+".old")
}

func stepBack(dir string, retire func(folder string) error) error {
	old := aside(dir)
	if _, err := os.Lstat(old); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	switch _, err := os.Lstat(dir); {
	case err == nil: // killed after dir was replaced
		return retire(old)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.Rename(old, dir); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(dir))
}

// RemoveUnfinished removes folders that a killed ReplaceDir was filling, for a dir
// that other processes may replace at the same time, if fill locks the folder: it
// spares folders that are locked or new.
func RemoveUnfinished(dir string) error {
	return sweep(filepath.Clean(dir), func(folder string) bool {
		f, err := os.Open(folder)
		if err != nil {
			return false
		}
		defer f.Close()
		info, err := f.Stat()
		return err == nil && info.IsDir() && time.Since(info.ModTime()) > time.Minute && lock(f) == nil
	})
}

// Sweep removes the files that killed processes left while they wrote the one at
// path. Nobody else may be writing it.
func Sweep(path string) error {
	return sweep(path, func(tmp string) bool { return !isFolder(tmp) })
}

func isFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// sweep removes the files or folders that a killed process was writing or filling and
// that are dead.
func sweep(path string, dead func(tmp string) bool) error {
	parent, base := filepath.Split(path)
	if parent == "" {
		parent = "."
	}
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), "."+Short(base, stem)+".")
		random, unfinished := strings.CutSuffix(rest, temporary)
		// A dot in between means that it belongs to another file or folder.
		tmp := filepath.Join(parent, e.Name())
		if ours && unfinished && !strings.Contains(random, ".") && dead(tmp) {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}
	return err
}

// syncTree syncs a folder with all its files and folders.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return syncFolder(path)
		case !d.Type().IsRegular():
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}
