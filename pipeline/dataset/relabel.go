package dataset

import (
	"slices"

	"tftl/pipeline"
)

// Relabel is the set as a model with these labels sees it: the same images, with
// classes matched by ClassName and Sample.Label an index into labels. A class that
// only one of the two has is an error. With common, the classes that both have
// are kept, and images of others are left out with a warning.
func (s *Set) Relabel(labels []string, common bool) (*Set, error) {
	names := classNames(labels)
	index := make(map[string]int, len(labels))
	for i, label := range names {
		if _, twice := index[label]; twice {
			return nil, pipeline.Errorf(pipeline.BadModel, "the model has the label %q twice", label)
		}
		index[label] = i
	}
	unknown, missing := without(s.Classes, names), without(names, s.Classes)
	if len(unknown) == len(s.Classes) {
		err := pipeline.Errorf(pipeline.BadData, "the model knows none of the classes of the data: %s", quoted(s.Classes))
		return nil, pipeline.WithHint(err, "the model has %s", quoted(labels))
	}
	if !common && len(unknown)+len(missing) > 0 {
		return nil, mismatch(unknown, missing)
	}

	r := *s
	r.Classes = slices.Clone(labels)
	r.Warnings = slices.Clone(s.Warnings)
	left := 0
	for _, p := range [...]*Part{&r.Train, &r.Validation, &r.Test} {
		var kept []entry
		for _, e := range p.entries {
			label, known := index[s.class(e)]
			if known {
				e.sample.Label = label
				kept = append(kept, e)
			}
		}
		left += len(p.entries) - len(kept)
		*p = Part{kept}
	}
	if len(unknown) > 0 {
		r.Warnings = append(r.Warnings, pipeline.Messagef("%d images of classes that the model does not know are left out: %s",
			left, quoted(unknown)))
	}
	if len(missing) > 0 {
		r.Warnings = append(r.Warnings, pipeline.Messagef("the data has no images of %s", quoted(missing)))
	}
	return &r, nil
}

func mismatch(unknown, missing []string) error {
	var err error
	switch {
	case len(missing) == 0:
		err = pipeline.Errorf(pipeline.BadData, "the data has classes that the model does not know: %s", quoted(unknown))
	case len(unknown) == 0:
		err = pipeline.Errorf(pipeline.BadData, "the data has no images of these classes of the model: %s", quoted(missing))
	default:
		err = pipeline.Errorf(pipeline.BadData, "the classes differ: only the data has %s, only the model has %s",
			quoted(unknown), quoted(missing))
	}
	return pipeline.WithHint(err, "%s leaves out classes that only one of them has", pipeline.Option("common-classes"))
}
