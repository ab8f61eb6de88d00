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
		"gallery/gallery.json", "gallery/*.jpg", "gallery/*.png",
		"model/saved_model.pb", "model/fingerprint.pb", "model/variables/variables.*", "model/assets/*", "model/assets.extra/*",
		".*.tmp", ".*.old/", // what a killed process left
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
// files and folders at its top, and files below a folder of tftl's.
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
		case nested && !d.IsDir():
			below = append(below, name)
		case !nested && (!d.IsDir() || !ours[first]):
			top = append(top, name)
			if d.IsDir() {
				return fs.SkipDir
			}
		}
		return nil
	})
	return top, below, err
}

// replaceable is an error where a run's folders cannot be replaced without
// removing a file that tftl did not write.
func replaceable(run string) error {
	_, below, err := foreign(run)
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

// ReplaceGallery replaces the images worth a look by what fill writes into an
// empty folder. Files that tftl did not write stay.
func (d Dir) ReplaceGallery(fill func(dir string) error) error {
	gallery := d.File("gallery")
	return atomicfile.ReplaceDirBut(gallery, fill, func(old string) error {
		entries, err := os.ReadDir(old)
		for _, e := range entries {
			if !isWritten("gallery/" + e.Name()) {
				err = errors.Join(err, os.Rename(filepath.Join(old, e.Name()), filepath.Join(gallery, e.Name())))
			}
		}
		if err != nil {
			return err // and nothing is removed
		}
		return os.RemoveAll(old)
	})
}
