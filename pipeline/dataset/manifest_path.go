package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"tftl/pipeline"
)

// manifestFolder is the folder of a manifest, which its paths are relative to.
type manifestFolder struct {
	manifest     string
	absolute     []string // the folder's path, as given and with links resolved
	allowOutside bool
	rows         map[string]row // those found so far, by file; nil if a file may be on several rows
}

func newManifestFolder(manifest string, allowOutside bool) (manifestFolder, error) {
	f := manifestFolder{manifest: manifest, allowOutside: allowOutside, rows: map[string]row{}}
	absolute, err := filepath.Abs(filepath.Dir(manifest))
	if err != nil {
		return f, err
	}
	resolved, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return f, err
	}
	f.absolute = []string{absolute, resolved}
	return f, nil
}

// find returns the image of a row: its path from the folder, however the row
// spells it, and its file. The file must exist and, if rows are remembered, be on
// no earlier row.
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
			problem = pipeline.WithHint(bad("%s is outside the manifest's folder", r.path), "%s lets a manifest list any file", pipeline.Option("allow-outside"))
		} else if info, statErr := os.Stat(full); statErr != nil {
			problem = bad("%w", statErr)
		} else if !info.Mode().IsRegular() {
			problem = bad("%s is not a file", full)
		}
		if problem == nil {
			first, twice := f.rows[full]
			switch {
			case twice && first.label != r.label:
				return "", "", bad("%s is already on line %d, with label %q", r.path, first.line, first.label)
			case twice:
				return "", "", bad("%s is already on line %d", r.path, first.line)
			}
			if f.rows != nil {
				f.rows[full] = r
			}
			return filepath.ToSlash(id), full, nil
		}
		if err == nil { // keep the one about the path as written
			err = problem
		}
	}
	if strings.Contains(r.path, `\`) && pipeline.HintOf(err).Empty() {
		err = pipeline.WithHint(err, `write paths with / instead of \, relative to the manifest's folder`)
	}
	return "", "", err
}

// spellings are the paths to try, in order: as written; without outer space; in
// either Unicode form, as some systems change that of names; with Windows'
// separators.
func spellings(path string) []string {
	trimmed := strings.TrimSpace(path)
	list := []string{path, trimmed, norm.NFC.String(trimmed), norm.NFD.String(trimmed), strings.ReplaceAll(trimmed, `\`, "/")}
	return slices.Compact(list)
}

// relative is a clean path, relative to the folder if the file is in it.
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
