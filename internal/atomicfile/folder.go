package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ReplaceDir fills a fresh folder beside dir and, once it is whole and on
// disk, puts it in dir's place. An error from fill leaves dir as it was.
//
// A folder cannot be renamed over one that holds files, so dir steps aside for
// a moment. A process killed in that moment leaves no dir: RecoverDir, or the
// next ReplaceDir, brings the old one back.
func ReplaceDir(dir string, fill func(tmp string) error) error {
	return ReplaceDirBut(dir, fill, os.RemoveAll)
}

// ReplaceDirBut is ReplaceDir where retire, and not removal, is what becomes of
// the old folder once the new one has its place.
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
		return syscall.ENOTDIR // a file or a link of the user's own
	case !exists && !errors.Is(err, fs.ErrNotExist):
		return err
	}

	tmp := beside(dir)
	if err := os.Mkdir(tmp, 0o777); err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // finds nothing once tmp is in place
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

// RecoverDir finishes a ReplaceDir that was killed: it brings the old folder
// back where the new one had not taken its place, and removes what was left
// over. It is for the process that alone writes dir, before it reads dir; it
// does nothing where there is nothing to finish.
func RecoverDir(dir string) error {
	return RecoverDirBut(dir, os.RemoveAll)
}

// RecoverDirBut is RecoverDir for ReplaceDirBut.
func RecoverDirBut(dir string, retire func(folder string) error) error {
	dir = filepath.Clean(dir)
	if err := errors.Join(stepBack(dir, retire), sweep(dir)); err != nil {
		return fmt.Errorf("recover folder %s: %w", dir, err)
	}
	return nil
}

// aside is where dir waits while its replacement moves in. The name is hidden,
// so that a copy that the user keeps as dir.old is never taken for ours.
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

// sweep removes the folders that killed ReplaceDirs were filling.
func sweep(dir string) error {
	parent, base := filepath.Split(dir)
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
		// A dot in between belongs to the name of another folder.
		if ours && unfinished && !strings.Contains(random, ".") && e.IsDir() {
			err = errors.Join(err, os.RemoveAll(filepath.Join(parent, e.Name())))
		}
	}
	return err
}

// syncTree puts a folder's files and folders on disk.
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
