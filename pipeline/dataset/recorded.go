package dataset

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"tftl/pipeline"
)

// Record lists every image with its class and part, for OpenRecorded to read
// back. A run keeps it.
func (s *Set) Record() iter.Seq[pipeline.Recorded] {
	return func(yield func(pipeline.Recorded) bool) {
		for i, p := range s.Parts() {
			for _, e := range p.entries {
				if !yield(pipeline.Recorded{ID: e.sample.ID, Class: s.class(e), Part: part(i).name()}) {
					return
				}
			}
		}
	}
}

// OpenRecorded opens a data set with the classes and parts of a record, so that
// an image used for training is never tested on, whatever has been added since.
// Images that are not in the record are left out with a warning. If a recorded
// image is gone, that is an error if its part is needed (named as Set.Part has
// it) and a warning if not. Only those options count that say where images are.
func OpenRecorded(path string, options Options, record []pipeline.Recorded, needed ...string) (*Set, error) {
	classes := map[string]bool{}
	for _, r := range record {
		classes[ClassName(r.Class)] = true
	}
	wanted := options // no other class needs images, and the parts are those of the record
	wanted.Fold = nil
	wanted.Classes = slices.Sorted(maps.Keys(classes))
	l, err := gather(path, wanted)
	if err != nil {
		return nil, err
	}
	listed := slices.Concat(l.parts[:]...)
	known := make(map[string]int, len(listed)) // indexes of listed
	for i, im := range listed {
		known[im.id] = i
	}
	l.parts = [3][]item{}
	var gone []string
	unneeded := 0
	names := pipeline.Parts()
	for _, r := range record {
		p := slices.Index(names[:], r.Part)
		if p < 0 {
			return nil, pipeline.Errorf(pipeline.BadData, "record of parts: image %s: unknown part %q", r.ID, r.Part)
		}
		switch i, ok := known[r.ID]; {
		case ok && listed[i].class == ClassName(r.Class):
			l.parts[p] = append(l.parts[p], listed[i])
			delete(known, r.ID)
		case slices.Contains(needed, pipeline.AllParts) || slices.Contains(needed, r.Part):
			gone = append(gone, r.ID)
		default:
			unneeded++
		}
	}
	if len(gone) > 0 {
		return nil, pipeline.WithHint(
			pipeline.Errorf(pipeline.BadData, "images of the run are missing from the data set or have another class: %s", quoted(gone)),
			"put them back, or name another folder with %s", pipeline.Option("data"))
	}
	if unneeded > 0 {
		l.warn("%d images of the run's other parts are missing or have another class", unneeded)
	}
	excluded := 0
	for id := range known {
		if options.LeftOut[id] {
			delete(known, id)
			excluded++
		}
	}
	if n := len(known); n > 0 && len(options.Classes) == 0 && options.LimitPerClass == 0 {
		l.warn("%d images that are in no part of the run are left out", n)
	}
	l.what += ", parts as recorded by the run"
	if excluded > 0 {
		l.what += fmt.Sprintf(", without the images that it left out because of an audit: %d", excluded)
	}
	return l.set(classesOf(l.parts[:]...)), nil
}
