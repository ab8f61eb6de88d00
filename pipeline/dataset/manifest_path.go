package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"tftl/pipeline"
)

// manifestFolder is where a manifest lies, and what paths in it go from.
type manifestFolder struct {
	manifest     string
	absolute     []string // the folder's own path, and that without links
	allowOutside bool
	rows         map[string]row // by file, those that were found
}

func newManifestFolder(manifest string, allowOutside bool) (manifestFolder, error) {
	f := manifestFolder{manifest: manifest, allowOutside: allowOutside, rows: map[string]row{}}
	absolute, err := filepath.Abs(filepath.Dir(manifest))
	if err != nil {
		return f, err
	}
	resolved, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return f, pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	f.absolute = []string{absolute, resolved}
	return f, nil
}

// find is the image that a row stands for: its path from the folder, which is
// the same however the row spells it, and its file. It must be there, and on no
// row before.
func (f manifestFolder) find(r row) (id, full string, err error) {
	bad := func(format string, args ...any) error {
		return pipeline.Errorf(pipeline.BadData, "%s: line %d: "+format, append([]any{f.manifest, r.line}, args...)...)
	}
	for _, spelling := range spellings(r.path) {
		var problem error
		id = f.relative(filepath.FromSlash(spelling))
		if full = id; !filepath.IsAbs(full) {
			full = filepath.Join(filepath.Dir(f.manifest), full)
		}
		if !f.allowOutside && !filepath.IsLocal(id) {
			problem = pipeline.WithHint(bad("%s lies outside the manifest's folder", r.path), "--allow-outside lets a manifest name any file")
		} else if info, statErr := os.Stat(full); statErr != nil {
			problem = bad("%w", statErr)
		} else if !info.Mode().IsRegular() {
			problem = bad("%s is no file", full)
		}
		if problem == nil {
			first, twice := f.rows[full]
			switch {
			case twice && first.label != r.label:
				return "", "", bad("%s is on line %d already, with the label %q", r.path, first.line, first.label)
			case twice:
				return "", "", bad("%s is on line %d already", r.path, first.line)
			}
			f.rows[full] = r
			return filepath.ToSlash(id), full, nil
		}
		if err == nil { // of the path as it is written
			err = problem
		}
	}
	if strings.Contains(r.path, `\`) && pipeline.HintOf(err).Empty() {
		err = pipeline.WithHint(err, `write paths with / in place of \, from the manifest's folder`)
	}
	return "", "", err
}

// spellings are what a path may stand for, the first of which that is there
// counts: as it is written; without the space around it; as Unicode's other form
// has it, for some systems change that of names; with the separators of Windows.
func spellings(path string) []string {
	trimmed := strings.TrimSpace(path)
	list := []string{path, trimmed, norm.NFC.String(trimmed), norm.NFD.String(trimmed), strings.ReplaceAll(trimmed, `\`, "/")}
	return slices.Compact(list)
}

// relative is a clean path, from the folder where the file lies in it.
func (f manifestFolder) relative(path string) string {
	if filepath.IsAbs(path) {
		for _, folder := range f.absolute {
			if rest, err := filepath.Rel(folder, path); err == nil && filepath.IsLocal(rest) {
				return rest
			}
		}
	}
	return filepath.Clean(path)
}
