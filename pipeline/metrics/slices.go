package metrics

import (
	"context"
	"fmt"
	"slices"

	"tftl/pipeline"
)

// sliceReports reports on each value of each of the table's columns, sorted by
// name.
func sliceReports(ctx context.Context, t Table, o Options) ([]Slice, error) {
	var all []Slice
	for _, column := range t.columns() {
		values := t.Slices[column]
		distinct := slices.Compact(slices.Sorted(slices.Values(values)))
		if len(distinct) > mostSlices {
			return nil, pipeline.Errorf(pipeline.BadUsage, "%s %s: has %d values with a report each, at most %d are allowed", pipeline.Option("slice"), display(column, nameRunes), len(distinct), mostSlices)
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

// Fewer samples than these say little: the interval of an accuracy of 0.9 is then
// wider than 0.12, and that of the recall of a class wider than 0.22.
const (
	fewSamples = 100
	fewOfClass = 30

	mostNames  = 10  // in one sentence
	mostSlices = 100 // values of one column
)

// warnings say why the metrics may mean little.
func warnings(r Report) []string {
	var all, none, few []string
	if r.Samples < fewSamples {
		all = append(all, fmt.Sprintf("only %d samples: metrics on another set could differ a lot", r.Samples))
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
		all = append(all, "classes without samples, which count as 0 in macro averages: "+some(none, mostNames))
	}
	if len(few) > 0 {
		all = append(all, fmt.Sprintf("classes with fewer than %d samples: %s", fewOfClass, some(few, mostNames)))
	}
	return all
}
