package dataset

import (
	"fmt"
	"maps"
	"slices"

	"tftl/pipeline"
)

// listing is what a kind of source finds.
type listing struct {
	root     string
	what     string
	parts    [3][]item // all of it in train, where the source does not tell parts apart
	split    bool      // whether it does
	columns  []string  // that images may be told apart by: a manifest's but path and label
	apart    string    // which parts came from elsewhere, for the description
	folds    int       // of which one is held out; 0 where none is
	layout   Layout    // of class folders
	ignored  int
	others   Endings  // of those that were ignored; images have warnings
	links    []string // to folders, that were not followed because nobody asked for it
	warnings []string
}

// item is an image as its source lists it.
type item struct {
	id     string // becomes Sample.ID
	class  string
	key    string // the same key, the same place in a cut
	weight float32
	group  string   // empty: none
	fold   string   // likewise
	values []string // of Options.Columns; nil where the source has no columns
	stored stored
}

// hint is the next step after an error, but where folders were not followed.
func (l *listing) hint(otherwise string) string {
	if len(l.links) > 0 {
		return notFollowed(l.links)
	}
	return otherwise
}

func (l *listing) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// cut takes the parts that are not given from train, and sees to it that none
// comes out empty.
func (l *listing) cut(fractions [3]float64, options Options, by By, classes []string) error {
	var how string
	switch {
	case len(l.parts[validation]) > 0:
		return nil
	case len(l.parts[test]) > 0:
		both := fractions[train] + fractions[validation]
		fractions = [3]float64{fractions[train] / both, fractions[validation] / both, 0}
		how = fmt.Sprintf(", validation cut from train (%.3g)", fractions[validation])
	default:
		how = fmt.Sprintf(", cut into train, validation and test (%.3g, %.3g, %.3g)",
			fractions[train], fractions[validation], fractions[test])
	}
	given := l.parts[test]
	total := len(l.parts[train])
	if options.Exact {
		l.parts = cutExactly(l.parts[train], fractions, options.Seed)
		l.what += how + fmt.Sprintf(" exactly, with seed %d", options.Seed)
	} else {
		l.parts = cutByKey(l.parts[train], fractions)
		l.what += how + map[By]string{ByName: " by file name", ByContent: " by content", ByGroup: " by group"}[by]
	}

	var err error
	if missing := without(classes, classesOf(l.parts[train])); len(missing) > 0 {
		err = pipeline.Errorf(pipeline.BadData, "%s: the split leaves train no image of %s", l.root, quoted(missing))
	}
	for p, f := range fractions {
		if f > 0 && len(l.parts[p]) == 0 {
			err = pipeline.Errorf(pipeline.BadData, "%s: the split of %d images leaves %v empty", l.root, total, part(p))
		}
	}
	if fractions[test] == 0 {
		l.parts[test] = given
	}
	switch {
	case err != nil && options.Exact:
		return pipeline.WithHint(err, "add images, or ask for fewer parts with --split")
	case err != nil && by == ByGroup:
		return pipeline.WithHint(err, "a group is never divided: add groups, or change --split")
	case err != nil:
		return pipeline.WithHint(err, "--split-exact makes the parts as large as --split says")
	}
	return nil
}

// checkWeights sees that there is something to learn, and tells of classes of
// which there is nothing.
func (l *listing) checkWeights() error {
	weighted := classesOf(slices.DeleteFunc(slices.Clone(l.parts[train]), func(im item) bool { return im.weight == 0 }))
	if len(weighted) == 0 {
		err := pipeline.Errorf(pipeline.BadData, "%s: every image of the training part has the weight 0", l.root)
		return pipeline.WithHint(err, "nothing would be learnt: give them weights above 0, or no column named weight")
	}
	if unweighted := without(classesOf(l.parts[train]), weighted); len(unweighted) > 0 {
		l.warn("all images of a class in the training part have the weight 0, so it is not learnt: %s", quoted(unweighted))
	}
	return nil
}

// set numbers the classes.
func (l *listing) set(classes []string) *Set {
	var parts [3]Part
	for p, items := range l.parts {
		entries := make([]entry, len(items))
		for i, im := range items {
			label, ok := slices.BinarySearch(classes, im.class)
			if !ok {
				label = -1
			}
			entries[i] = entry{pipeline.Sample{ID: im.id, Label: label, Weight: im.weight}, im.key, im.group, im.fold, im.values, im.stored}
		}
		if len(classes) > 0 { // what has no labels is in the order in which it was asked for
			slices.SortFunc(entries, byID)
		}
		parts[p] = Part{entries}
	}
	return &Set{
		Description: l.what + l.apart,
		Classes:     classes,
		Train:       parts[train], Validation: parts[validation], Test: parts[test],
		Layout:    l.layout,
		FoldCount: l.folds,
		Ignored:   l.ignored,
		NoImages:  l.others,
		Warnings:  l.warnings,
	}
}

func classesOf(items []item) []string {
	have := map[string]bool{}
	for _, im := range items {
		have[im.class] = true
	}
	return slices.Sorted(maps.Keys(have))
}

// without is what of names is not in others.
func without(names, others []string) []string {
	have := make(map[string]bool, len(others))
	for _, name := range others {
		have[name] = true
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return have[name] })
}
