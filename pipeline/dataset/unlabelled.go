package dataset

import (
	"os"
	"path/filepath"
	"slices"

	"tftl/pipeline"
)

// OpenUnlabelled lists files, and folders with all that is below them, as
// images without a label (Sample.Label is -1), all in Test. A file that is
// named is an image whatever its name; in a folder Open's rules hold. The
// order is that of the paths, bytewise within a folder; Sample.ID is the path
// as given, and an image that is given twice is there once.
func OpenUnlabelled(paths []string) (*Set, error) {
	l := listing{what: "images without labels"}
	for _, p := range paths {
		if err := l.addUnlabelled(p); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	l.parts[test] = slices.DeleteFunc(l.parts[test], func(im item) bool {
		again := seen[im.id]
		seen[im.id] = true
		return again
	})
	if len(l.parts[test]) == 0 {
		return nil, pipeline.Errorf(pipeline.BadData, "no %s found in %s", formats, quoted(paths))
	}
	return l.set(nil), nil
}

// addUnlabelled lists a file, or all images in a folder.
func (l *listing) addUnlabelled(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	if !info.IsDir() {
		name = filepath.Clean(name)
		l.parts[test] = append(l.parts[test], item{id: filepath.ToSlash(name), weight: 1, stored: file(name)})
		return nil
	}
	t, err := walk(name, false)
	if err != nil {
		return err
	}
	for _, image := range t.images {
		f := t.file(image)
		l.parts[test] = append(l.parts[test], item{id: filepath.ToSlash(string(f)), weight: 1, stored: f})
	}
	l.ignored += t.ignored
	if len(t.links) > 0 {
		l.warn("%s: linked folders were not followed: %s", name, quoted(t.links))
	}
	return nil
}
