package dataset

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"

	"tftl/pipeline"
)

// subsetNames are the parts as --subset and files have them.
func subsetNames() [3]string { return [3]string{"train", "val", "test"} }

// WriteCSV writes down which image is in which part: its ID, its class and its
// part, as path,label,split. It is a run's record of its data, whatever kind of
// source that is, and what OpenRecorded reads.
func (s *Set) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{pathColumn, labelColumn, splitColumn}}
	for i, p := range [...]Part{s.Train, s.Validation, s.Test} {
		for _, e := range p.entries {
			rows = append(rows, []string{e.sample.ID, s.Classes[e.sample.Label], subsetNames()[i]})
		}
	}
	return out.WriteAll(rows)
}

// OpenRecorded lists a data set with its classes and its parts as WriteCSV
// recorded them, so that an image which was trained on is never tested on,
// whatever was added since. Images that are not in it are left out with a warning;
// one that is gone is an error where it is of a needed part, by its name for
// Subset, and else left out with a warning, too. Of the options, those count that
// say where images lie.
func OpenRecorded(path string, options Options, record io.Reader, needed ...string) (*Set, error) {
	rows, err := readRecord(record)
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadData, "record of parts: %w", err)
	}
	recorded := map[string]bool{}
	for i, r := range rows {
		rows[i].label = ClassName(r.label)
		recorded[rows[i].label] = true
	}
	wanted := options // no other class need have an image, and the parts are those recorded
	wanted.Fold = nil
	wanted.Classes = slices.Sorted(maps.Keys(recorded))
	l, err := gather(path, wanted)
	if err != nil {
		return nil, err
	}
	known := map[string]item{}
	for _, im := range slices.Concat(l.parts[:]...) {
		known[im.id] = im
	}
	l.parts = [3][]item{}
	var gone []string
	unneeded := 0
	for _, r := range rows {
		im, ok := known[r.path]
		if !ok || im.class != r.label {
			if slices.Contains(needed, "all") || slices.Contains(needed, subsetNames()[r.part]) {
				gone = append(gone, r.path)
			} else {
				unneeded++
			}
			continue
		}
		l.parts[r.part] = append(l.parts[r.part], im)
		delete(known, r.path)
	}
	if len(gone) > 0 {
		return nil, pipeline.WithHint(
			pipeline.Errorf(pipeline.BadData, "images of the run are gone from the data set, or have another class: %s", quoted(gone)),
			"put them back, or name another folder with --data")
	}
	if unneeded > 0 {
		l.warn("%d images of other parts of the run are gone, or have another class", unneeded)
	}
	if n := len(known); n > 0 && len(options.Classes) == 0 && options.LimitPerClass == 0 {
		l.warn("%d images that are in no part of the run are left out", n)
	}
	l.what += ", parts as the run recorded them"
	return l.set(classesOf(slices.Concat(l.parts[:]...))), nil
}

// readRecord reads what WriteCSV wrote.
func readRecord(r io.Reader) ([]row, error) {
	in := csv.NewReader(r)
	header, err := in.Read()
	if err != nil || !slices.Equal(header, []string{pathColumn, labelColumn, splitColumn}) {
		return nil, fmt.Errorf("its first line is not %s,%s,%s", pathColumn, labelColumn, splitColumn)
	}
	lines, err := in.ReadAll()
	if err != nil {
		return nil, atLine(err)
	}
	var rows []row
	names := subsetNames()
	for i, fields := range lines {
		p := slices.Index(names[:], fields[2])
		if p < 0 {
			return nil, fmt.Errorf("line %d: split %q", i+2, fields[2])
		}
		rows = append(rows, row{path: fields[0], label: fields[1], part: part(p)})
	}
	return rows, nil
}
