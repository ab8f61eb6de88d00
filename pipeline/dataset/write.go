package dataset

import (
	"encoding/csv"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"tftl/internal/csvrows"
	"tftl/pipeline"
)

// WriteManifest writes the set as a manifest for a folder, with the columns
// path, label, split and Set.Columns, and with weight, group and fold if any
// image has one. folds replaces the folds of the set's own manifest; it may be
// nil. An image without a group that was split by content has its content as
// its group. Paths are relative to the folder; outside says that some lead out
// of it, so that opening the manifest takes Options.AllowOutside. It is an
// error if images are not files of their own.
//
// No field begins like a formula of a spreadsheet: a path then begins with ./, and
// other text with a ', which opening the manifest undoes.
func (s *Set) WriteManifest(w io.Writer, folder string, folds map[string]int) (outside bool, err error) {
	if folder, err = filepath.Abs(folder); err != nil {
		return false, err
	}
	all := slices.Concat(s.Train.entries, s.Validation.entries, s.Test.entries)
	weighted := slices.ContainsFunc(all, func(e entry) bool { return e.sample.Weight != 1 })
	grouped := slices.ContainsFunc(all, func(e entry) bool { return e.listed().group != "" })
	folded := folds != nil || slices.ContainsFunc(all, func(e entry) bool { return e.listed().fold != "" })
	line := func(fields []string, weight, group, fold string, values []string) []string {
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
	inert := func(texts []string) []string {
		all := make([]string, len(s.Columns)) // an image of a source without columns has none
		for i, text := range texts {
			all[i] = csvrows.Inert(text)
		}
		return all
	}
	rows := [][]string{line([]string{pathColumn, labelColumn, splitColumn}, weightColumn, groupColumn, foldColumn, inert(s.Columns))}
	for i, p := range s.Parts() {
		for _, e := range p.entries {
			name, err := relative(folder, e.stored)
			if err != nil {
				return false, err
			}
			outside = outside || !filepath.IsLocal(filepath.FromSlash(name))
			weight := strconv.FormatFloat(float64(e.sample.Weight), 'g', -1, 32)
			more := e.listed()
			if folds != nil {
				more.fold = strconv.Itoa(folds[e.sample.ID])
			}
			fields := []string{name, csvrows.Inert(s.class(e)), part(i).name()}
			rows = append(rows, line(fields, weight, csvrows.Inert(more.group), more.fold, inert(more.values)))
		}
	}
	return outside, csv.NewWriter(w).WriteAll(rows)
}

// relative is the path of an image's file from a folder, for a manifest there.
func relative(folder string, image stored) (string, error) {
	f, ok := image.(file)
	if !ok {
		err := pipeline.Errorf(pipeline.BadUsage, "a manifest lists files, but these images are records of larger files")
		return "", pipeline.WithHint(err, "tftl fit splits such data itself; tftl split takes %s", Usage(FileKinds()))
	}
	full, err := filepath.Abs(f.path())
	if err != nil {
		return "", err
	}
	if full, err = filepath.Rel(folder, full); err != nil {
		return "", err
	}
	name := filepath.ToSlash(full)
	if csvrows.Inert(name) != name {
		name = "./" + name
	}
	return name, nil
}
