package metrics

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tftl/pipeline"
)

// sliceReports are the reports of each value of each of the table's columns,
// in the order of their names.
func sliceReports(ctx context.Context, t Table, o Options) ([]Slice, error) {
	var all []Slice
	for _, column := range t.columns() {
		values := t.Slices[column]
		distinct := slices.Compact(slices.Sorted(slices.Values(values)))
		if len(distinct) > mostSlices {
			return nil, pipeline.Errorf(pipeline.BadUsage, "slice %q: has %d values, of which each would get a report: at most %d", column, len(distinct), mostSlices)
		}
		for _, value := range distinct {
			part := t.Select(func(i int) bool { return values[i] == value })
			part.Slices = nil
			r, err := Evaluate(ctx, part, o)
			if err != nil {
				return nil, err
			}
			all = append(all, Slice{Column: column, Value: value, Report: r})
		}
	}
	return all, nil
}

// Fewer than these say little: the interval of an accuracy of 0.9 is then wider
// than 0.12, that of a class's recall than 0.22.
const (
	fewSamples = 100
	fewOfClass = 30

	mostNames  = 10  // named in one sentence
	mostSlices = 100 // values of one column
)

// warnings are why the figures may mean little.
func warnings(r Report) []string {
	var all, none, few []string
	if r.Samples < fewSamples {
		all = append(all, fmt.Sprintf("a set of %d samples says little: another would have other figures", r.Samples))
	}
	for _, c := range r.Classes {
		switch {
		case c.Support == 0:
			none = append(none, display(c.Name, nameRunes))
		case c.Support < fewOfClass:
			few = append(few, fmt.Sprintf("%s (%d)", display(c.Name, nameRunes), c.Support))
		}
	}
	if len(none) > 0 {
		all = append(all, "classes without a sample, which count as 0 in the macro averages: "+some(none, mostNames))
	}
	if len(few) > 0 {
		all = append(all, fmt.Sprintf("classes of fewer than %d samples: %s", fewOfClass, some(few, mostNames)))
	}
	return all
}

// some of many names.
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
