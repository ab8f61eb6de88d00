package dataset

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"tftl/pipeline"
)

// listing is what a kind of source finds.
type listing struct {
	root     string
	what     string    // the description; names the kind before the first comma: "CIFAR-10, binary version"
	parts    [3][]item // everything is in train if the source does not define parts
	ownParts bool      // the source defines parts
	columns  []string  // a manifest's columns other than path and label
	values   []string  // the columns that item.values has
	apart    string    // for the description: which parts have a source of their own
	folds    int       // how many folds there are if one is held out, else 0
	layout   Layout    // of class folders
	ignored  int
	others   Endings  // of ignored files, without images in unsupported formats
	links    []string // linked folders that were not followed because the option is off
	warnings []pipeline.Message
}

// item is an image as its source lists it.
type item struct {
	// id becomes Sample.ID: unique in the source, relative to its root, with
	// forward slashes. A record without a name has the id that numbered makes.
	id    string
	class string
	// key decides the part in a split, and is never empty: class/name if the image
	// has a name, else the id. A numbered id depends on how records are dealt into
	// files, so images change their part if that changes.
	key    string
	weight float32 // 1 unless the source says otherwise
	listed
	stored stored
}

// hint is the next step after an error: to follow links, if any were skipped.
func (l *listing) hint(format string, args ...any) pipeline.Message {
	if len(l.links) > 0 {
		return notFollowed(l.links)
	}
	return pipeline.Messagef(format, args...)
}

func (l *listing) warn(format string, args ...any) {
	l.warnings = append(l.warnings, pipeline.Messagef(format, args...))
}

// leaveOut counts the files of a folder that the source does not use. It warns of
// images and folders among them, as the data may be meant for another kind.
func (l *listing) leaveOut(at location, used []string) {
	if !at.mode.IsDir() {
		return
	}
	odd := slices.Clone(at.folders)
	l.others = Endings{}
	for _, path := range without(at.files, used) {
		l.ignored++
		if name := filepath.Base(path); imageName(name) || unreadFormat(name) {
			odd = append(odd, name)
		} else {
			l.others.see(name)
		}
	}
	if len(odd) > 0 {
		l.warn("%s: images and folders next to the data files are left out: %s", at.path, quoted(odd))
	}
}

// join adds everything but the images of another listing.
func (l *listing) join(other listing) {
	l.ignored += other.ignored
	l.others = l.others.and(other.others)
	l.links = append(l.links, other.links...)
	l.columns = append(l.columns, without(other.columns, l.columns)...)
	l.warnings = append(l.warnings, other.warnings...)
}

// splitMissing splits the missing parts from train and checks that none ends up empty.
func (l *listing) splitMissing(fractions [3]float64, options Options, by By, classes []string) error {
	var how string
	switch {
	case len(l.parts[validation]) > 0:
		return nil
	case len(l.parts[test]) > 0:
		both := fractions[train] + fractions[validation]
		fractions = [3]float64{fractions[train] / both, fractions[validation] / both, 0}
		how = fmt.Sprintf(", validation split from train (%.3g)", fractions[validation])
	default:
		how = fmt.Sprintf(", split into train, validation and test (%.3g, %.3g, %.3g)",
			fractions[train], fractions[validation], fractions[test])
	}
	given := l.parts[test]
	total := len(l.parts[train])
	if options.Exact {
		l.parts = splitExactly(l.parts[train], fractions, options.Seed)
		l.what += how + fmt.Sprintf(" exactly, with seed %d", options.Seed)
	} else {
		l.parts = splitByKey(l.parts[train], fractions)
		l.what += how + map[By]string{ByName: " by file name", ByContent: " by content", ByGroup: " by group"}[by]
	}

	var err error
	if missing := without(classes, classesOf(l.parts[train])); len(missing) > 0 {
		err = pipeline.Errorf(pipeline.BadData, "%s: the split leaves no image of %s in train", l.root, quoted(missing))
	}
	for p, f := range fractions {
		if f > 0 && len(l.parts[p]) == 0 {
			err = pipeline.Errorf(pipeline.BadData, "%s: the split of %d images leaves %v empty", l.root, total, part(p))
		}
	}
	if fractions[test] == 0 {
		l.parts[test] = given
	}
	split := pipeline.Option("split")
	switch {
	case err != nil && options.Exact:
		return pipeline.WithHint(err, "add images, or ask for fewer parts with %s", split)
	case err != nil && by == ByGroup:
		return pipeline.WithHint(err, "a group is never divided: add groups or change %s", split)
	case err != nil:
		return pipeline.WithHint(err, "%s gives the parts the exact sizes of %s", pipeline.Option("split-exact"), split)
	}
	return nil
}

// checkWeights checks that there is something to learn, and warns of classes
// that are not learned.
func (l *listing) checkWeights() error {
	weighted := classesOf(slices.DeleteFunc(slices.Clone(l.parts[train]), func(im item) bool { return im.weight == 0 }))
	if len(weighted) == 0 {
		err := pipeline.Errorf(pipeline.BadData, "%s: every training image has weight 0", l.root)
		return pipeline.WithHint(err, "nothing would be learned: use weights above 0, or remove the weight column")
	}
	if unweighted := without(classesOf(l.parts[train]), weighted); len(unweighted) > 0 {
		l.warn("classes that are not learned, as all their training images have weight 0: %s", quoted(unweighted))
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
			entries[i] = entry{sample: pipeline.Sample{ID: im.id, Label: label, Weight: im.weight}, key: im.key, stored: im.stored}
			if im.group != "" || im.fold != "" || im.values != nil {
				more := im.listed
				entries[i].more = &more
			}
		}
		if len(classes) > 0 { // unlabelled images stay in the order in which they were given
			slices.SortFunc(entries, byID)
		}
		parts[p] = Part{entries}
	}
	return &Set{
		Description: l.what + l.apart,
		Classes:     classes,
		Train:       parts[train], Validation: parts[validation], Test: parts[test],
		Columns:   l.values,
		Layout:    l.layout,
		FoldCount: l.folds,
		Ignored:   l.ignored,
		NoImages:  l.others,
		Warnings:  l.warnings,
	}
}

// count is the number of images.
func (l *listing) count() int {
	return len(l.parts[train]) + len(l.parts[validation]) + len(l.parts[test])
}

func classesOf(parts ...[]item) []string {
	have := map[string]bool{}
	for _, items := range parts {
		for i := range items {
			have[items[i].class] = true
		}
	}
	return slices.Sorted(maps.Keys(have))
}

// without is names without others.
func without(names, others []string) []string {
	have := make(map[string]bool, len(others))
	for _, name := range others {
		have[name] = true
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return have[name] })
}
