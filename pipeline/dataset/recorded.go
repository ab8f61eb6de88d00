package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tftl/pipeline"
)

// WriteCSV writes which image is in which part: path,label,split. What it
// writes is a manifest.
func (s *Set) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"path", "label", "split"}}
	for i, p := range [...]Part{s.Train, s.Validation, s.Test} {
		for _, e := range p.entries {
			rows = append(rows, []string{e.sample.ID, s.Classes[e.sample.Label], subsetNames()[i]})
		}
	}
	return out.WriteAll(rows)
}

func subsetNames() [3]string { return [3]string{"train", "val", "test"} }

// Recorded is the set with its parts as WriteCSV recorded them, so that an
// image which was trained on is never tested on, whatever was added since.
// Images that are new are left out with a warning; one that is gone is an
// error.
func (s *Set) Recorded(r io.Reader) (*Set, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadData, "record of parts: %w", err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], []string{"path", "label", "split"}) {
		return nil, pipeline.Errorf(pipeline.BadData, "record of parts: its first line is not path,label,split")
	}
	all, err := s.Subset("all")
	if err != nil {
		return nil, err
	}
	known := make(map[string]entry, all.Len())
	for _, e := range all.entries {
		known[e.sample.ID] = e
	}
	result := *s
	parts := [3]*Part{&result.Train, &result.Validation, &result.Test}
	for _, p := range parts {
		*p = Part{}
	}
	var gone []string
	for i, row := range rows[1:] {
		names := subsetNames()
		p := slices.Index(names[:], row[2])
		if p < 0 {
			return nil, pipeline.Errorf(pipeline.BadData, "record of parts: line %d: split %q", i+2, row[2])
		}
		e, ok := known[row[0]]
		if !ok || s.Classes[e.sample.Label] != row[1] {
			gone = append(gone, row[0])
			continue
		}
		parts[p].entries = append(parts[p].entries, e)
		delete(known, row[0])
	}
	if len(gone) > 0 {
		return nil, pipeline.WithHint(
			pipeline.Errorf(pipeline.BadData, "images of the run are gone from the data set, or have another class: %s", quoted(gone)),
			"put them back, or name another folder with --data")
	}
	if len(known) > 0 {
		result.Warnings = append(slices.Clone(s.Warnings), fmt.Sprintf("%d images that were added since the run are left out", len(known)))
	}
	return &result, nil
}

// ReadLabels reads classes, one a line.
func ReadLabels(r io.Reader) ([]string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var labels []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			labels = append(labels, line)
		}
	}
	if len(labels) < 2 {
		return nil, errors.New("fewer than two labels")
	}
	return labels, nil
}
