package features

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// onDisk is one segment of a cache folder, of any space.
type onDisk struct {
	path string
	size int64
	used time.Time
}

// in says whether a segment is in the folder of a space.
func (d onDisk) in(folder string) bool { return filepath.Dir(d.path) == folder }

// segments lists the segments of every space in dir. Other files are not counted,
// so they are never removed.
func segments(dir string) ([]onDisk, error) {
	spaces, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []onDisk
	for _, space := range spaces {
		if !space.IsDir() || !isSpace(space.Name()) {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, space.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if !strings.HasSuffix(f.Name(), suffix) {
				continue
			}
			info, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // another process has just removed it
			} else if err != nil {
				return nil, err
			}
			out = append(out, onDisk{filepath.Join(dir, space.Name(), f.Name()), info.Size(), info.ModTime()})
		}
	}
	return out, nil
}

// makeRoom removes segments of spaces other than own, least recently used first,
// until all segments together take at most limit bytes or none is left to remove.
// It returns how many bytes they take then.
func makeRoom(dir, own string, limit int64) (int64, error) {
	all, err := segments(dir)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, s := range all {
		total += s.size
	}
	slices.SortStableFunc(all, func(a, b onDisk) int { return a.used.Compare(b.used) })
	for _, s := range all {
		if total <= limit {
			break
		}
		if !s.in(own) && removeUnused(s.path) {
			total -= s.size
		}
	}
	return total, nil
}

// removeUnused removes a segment unless a process has it open.
func removeUnused(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	if lock(f, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	// An empty segment may be new, and its owner about to lock it.
	info, err := f.Stat()
	return err == nil && info.Size() > 0 && os.Remove(path) == nil
}
