package dataset

import (
	"encoding/csv"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"tftl/pipeline"
)

// WriteManifest writes the set as a manifest that is to lie in a folder: path,
// label and split, weight, group and fold where there are such, and what the set
// was opened with Options.Columns for, by the names in further. folds stand in
// for those that the set's own manifest has; they and further may be nil. The
// group of an image that was cut by content and has none is its content. Paths are those from the folder; outside says that some lead out of
// it, so that opening the manifest takes Options.AllowOutside. A set whose
// images are not files by themselves has no manifest.
func (s *Set) WriteManifest(w io.Writer, folder string, folds map[string]int, further []string) (outside bool, err error) {
	if folder, err = filepath.Abs(folder); err != nil {
		return false, err
	}
	parts := [...]Part{s.Train, s.Validation, s.Test}
	all := slices.Concat(parts[0].entries, parts[1].entries, parts[2].entries)
	weighted := slices.ContainsFunc(all, func(e entry) bool { return e.sample.Weight != 1 })
	grouped := slices.ContainsFunc(all, func(e entry) bool { return e.group != "" })
	folded := folds != nil || slices.ContainsFunc(all, func(e entry) bool { return e.fold != "" })
	line := func(path, label, split, weight, group, fold string, values []string) []string {
		fields := []string{path, label, split}
		if weighted {
			fields = append(fields, weight)
		}
		if grouped {
			fields = append(fields, group)
		}
		if folded {
			fields = append(fields, fold)
		}
		return append(fields, values...)
	}
	rows := [][]string{line(pathColumn, labelColumn, splitColumn, weightColumn, groupColumn, foldColumn, further)}
	for i, p := range parts {
		for _, e := range p.entries {
			name, err := relative(folder, e.stored)
			if err != nil {
				return false, err
			}
			outside = outside || !filepath.IsLocal(filepath.FromSlash(name))
			weight := strconv.FormatFloat(float64(e.sample.Weight), 'g', -1, 32)
			fold := e.fold
			if folds != nil {
				fold = strconv.Itoa(folds[e.sample.ID])
			}
			rows = append(rows, line(name, s.Classes[e.sample.Label], subsetNames()[i], weight, e.group, fold, e.values[:len(further)]))
		}
	}
	return outside, csv.NewWriter(w).WriteAll(rows)
}

// relative is the path of an image's file from a folder.
func relative(folder string, image stored) (string, error) {
	f, ok := image.(file)
	if !ok {
		err := pipeline.Errorf(pipeline.BadUsage, "a manifest names files, and these images are records of larger ones")
		return "", pipeline.WithHint(err, "class folders and manifests can be split; tftl fit cuts other data by itself")
	}
	full, err := filepath.Abs(string(f))
	if err != nil {
		return "", err
	}
	if full, err = filepath.Rel(folder, full); err != nil {
		return "", err
	}
	return filepath.ToSlash(full), nil
}
