package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

// written are the files that tftl writes into a run's folder, as patterns of
// path.Match; one that ends in a slash is a folder with all that it holds.
func written() []string {
	return []string{
		"config.json", "labels.txt", "data.csv", "contents.csv", "bad-images.csv", "history.jsonl", "history.csv", "timing.jsonl",
		decisionFile, "evaluation.json", "predictions.csv", "evaluation-bad-images.csv", "report.html", "report.md", "batch.json",
		"checkpoints/", "replaced/", "logs/*/events.out.tfevents.tftl",
		"gallery/gallery.json", "gallery/[0-9]*.jpg", "gallery/[0-9]*-heat.png",
		"model/saved_model.pb", "model/fingerprint.pb", "model/variables/variables.*", "model/assets/*",
		"model/assets.extra/tftl.json", "model/assets.extra/" + bestFile, "model/assets.extra/" + decisionFile,
		".model.old/", ".gallery.old/", ".*." + strings.Repeat("[2-7A-Z]", 26) + ".tmp", // what a killed process left
	}
}

// isWritten says whether tftl writes a file of this path within a run's folder.
func isWritten(name string) bool {
	return slices.ContainsFunc(written(), func(pattern string) bool {
		if folder, whole := strings.CutSuffix(pattern, "/"); whole {
			first, _, _ := strings.Cut(name, "/")
			matches, _ := path.Match(folder, first)
			return matches
		}
		matches, _ := path.Match(pattern, name)
		return matches
	})
}

// foreign lists what in a run's folder is not tftl's, by its path from there: the
// files and folders at its top, and files below a folder of tftl's. What systems
// leave in any folder that they show is not listed.
func foreign(run string) (top, below []string, err error) {
	ours := map[string]bool{}
	for _, pattern := range written() {
		if folder, _, nested := strings.Cut(pattern, "/"); nested {
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
		case !nested && !(ours[first] && d.Type()&(fs.ModeDir|fs.ModeSymlink) != 0): // a link is to such a folder
			top = append(top, name)
			if d.IsDir() {
				return fs.SkipDir
			}
		}
		return nil
	})
	return top, below, err
}

// systems tells the names of what desktops, notebooks and NFS leave behind.
func systems(name string) bool {
	switch strings.ToLower(name) {
	case ".ds_store", "thumbs.db", "desktop.ini", ".directory", ".ipynb_checkpoints", "@eadir":
		return true
	}
	return strings.HasPrefix(name, ".nfs")
}

// replaceable is an error where folders of a run, all if none is named, cannot
// be replaced without removing a file that tftl did not write.
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
	err = pipeline.Errorf(pipeline.BadUsage, "run %s: %s is not tftl's, and would be removed with the folder that it is in", run, below[0])
	return pipeline.WithHint(err, "move it elsewhere")
}

// keepForeign moves what is not tftl's from a run that was replaced to this one.
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

// Others names what in the folder tftl did not write.
func (d Dir) Others() ([]string, error) {
	top, _, err := foreign(d.place())
	return top, err
}

// ReplaceGallery replaces the images worth a look by what fill writes into an
// empty folder. Files that tftl did not write stay.
func (d Dir) ReplaceGallery(fill func(dir string) error) error {
	gallery := d.File("gallery")
	return atomicfile.ReplaceDirBut(gallery, fill, func(old string) error {
		entries, err := os.ReadDir(old)
		for _, e := range entries {
			if !ofGallery(e.Name()) {
				err = errors.Join(err, os.Rename(filepath.Join(old, e.Name()), filepath.Join(gallery, e.Name())))
			}
		}
		if err != nil {
			return err // and nothing is removed
		}
		return os.RemoveAll(old)
	})
}

// removeGallery removes from a gallery's folder what tftl wrote into it, and the
// folder where nothing else is in it.
func removeGallery(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	others := 0
	for _, e := range entries {
		if !ofGallery(e.Name()) {
			others++
			continue
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(folder, e.Name())))
	}
	if err != nil || others > 0 {
		return err
	}
	return os.Remove(folder)
}

// ofGallery says whether a file in the gallery's folder goes with it.
func ofGallery(name string) bool { return isWritten("gallery/"+name) || systems(name) }
