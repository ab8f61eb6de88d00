package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tftl/pipeline"
)

// foreign lists what tftl did not write, by path relative to the run folder: top
// has the files and folders directly in it, below the files inside tftl's own
// folders. It ignores what operating systems leave in every folder they show.
func foreign(run string) (top, below []string, err error) {
	ours := map[string]bool{}
	for _, f := range files() {
		if folder, _, nested := strings.Cut(f.pattern, "/"); nested {
			ours[folder] = true
		}
	}
	err = filepath.WalkDir(run, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == run {
			return err
		}
		name, err = filepath.Rel(run, name)
		if err != nil {
			return err
		}
		first, _, nested := strings.Cut(filepath.ToSlash(name), "/")
		switch {
		case isWritten(filepath.ToSlash(name)):
			if d.IsDir() {
				return fs.SkipDir
			}
		case nested && systems(d.Name()):
			if d.IsDir() {
				return fs.SkipDir
			}
		case nested && !d.IsDir():
			below = append(below, name)
		case !nested && !(ours[first] && d.Type()&(fs.ModeDir|fs.ModeSymlink) != 0): // a link to such a folder counts too
			top = append(top, name)
			if d.IsDir() {
				return fs.SkipDir
			}
		}
		return nil
	})
	return top, below, err
}

// systems recognizes files that desktops, notebooks and NFS leave behind.
func systems(name string) bool {
	switch strings.ToLower(name) {
	case ".ds_store", "thumbs.db", "desktop.ini", ".directory", ".ipynb_checkpoints", "@eadir":
		return true
	}
	return strings.HasPrefix(name, ".nfs")
}

// replaceable returns an error if replacing the named folders of a run, or all
// of them, would remove a file that tftl did not write.
func replaceable(run string, folders ...string) error {
	_, below, err := foreign(run)
	if len(folders) > 0 {
		below = slices.DeleteFunc(below, func(name string) bool {
			first, _, _ := strings.Cut(filepath.ToSlash(name), "/")
			return !slices.Contains(folders, first)
		})
	}
	if err != nil {
		return pipeline.Errorf(pipeline.BadUsage, "output: %w", err)
	}
	if len(below) == 0 {
		return nil
	}
	err = pipeline.Errorf(pipeline.BadUsage, "run %s: %s was not written by tftl and would be deleted with its folder", run, below[0])
	return pipeline.WithHint(err, "move it out of the run folder")
}

// keepForeign moves files that tftl did not write from a replaced run to this one.
func (d Dir) keepForeign(old string) error {
	top, _, err := foreign(old)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, name := range top {
		err = errors.Join(err, os.Rename(filepath.Join(old, name), d.File(name)))
	}
	return err
}

// Others lists the files and folders at the top of the run that tftl did not write.
func (d Dir) Others() ([]string, error) {
	top, _, err := foreign(d.place())
	return top, err
}
