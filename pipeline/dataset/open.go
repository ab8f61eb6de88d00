package dataset

import "tftl/pipeline"

// By is what decides an image's part in a split.
type By string

// The ways to split. The default is by group if the source has groups, and by
// name if not.
const (
	ByName    By = "name"    // its class and name
	ByContent By = "content" // its bytes, so that copies of a file stay together
	ByGroup   By = "group"   // a manifest's column, so that a burst or a subject stays together
)

// Options say which images of a source to use, and how Open splits off the
// parts that the source does not define.
type Options struct {
	// FollowSymlinks follows linked folders in class folders.
	FollowSymlinks bool
	// Layout says whether the top folders of class folders are parts or classes.
	Layout Layout
	// AllowOutside lets a manifest list files outside its folder.
	AllowOutside bool
	// Validation and Test are separate sources of those parts. From a source that
	// defines parts, the part of that name is used, or its only part.
	Validation, Test string
	// Classes are the classes to use; none stands for all.
	Classes []string
	// LimitPerClass is the most images per class, drawn by a hash of their names,
	// in each part that the source defines. 0 is no limit.
	LimitPerClass int
	// Fold makes this fold of a manifest the test part and all others the train
	// part, whatever the split column says. Nil for none.
	Fold *int
	// Columns are columns of a manifest, by name, for Part.Column. At least one
	// source must have each.
	Columns []string
	// AllColumns replaces Columns by all columns of a manifest that have no
	// meaning here.
	AllColumns bool

	// LeftOut are images, by ID, that the run of a record left out on purpose.
	LeftOut map[string]bool

	// Split is the fractions of train, validation and test; zero stands for
	// 0.7, 0.15, 0.15. Only the test fraction may be 0.
	Split [3]float64
	// By is what the split goes by.
	By By
	// Exact gives the parts exact sizes in every class. Then adding an image may
	// move others. It goes by name only.
	Exact bool
	// Seed varies an exact split. Other splits have no seed, as that would be one
	// more thing that must never change.
	Seed uint64
}

// Open opens a data set for training. It takes all Kinds, which docs/data.md
// describes. Set.Description says what the data was taken for.
//
// Given only train and test, Open splits validation from train and leaves test
// alone; given only train and validation, the test part is empty. Given only
// train, or no parts, it splits all three. Unless Exact is set, a split goes by a
// hash of what Options.By says, so an image keeps its part when others are added
// or the root is moved.
func Open(path string, options Options) (*Set, error) {
	fractions, err := options.fractions()
	if err != nil {
		return nil, err
	}
	l, err := collect(path, options)
	if err != nil {
		return nil, err
	}
	if len(l.parts[train]) == 0 {
		err := pipeline.Errorf(pipeline.BadData, "%s has other parts, but no train part", path)
		return nil, pipeline.WithHint(err, "%s", l.hint("add the training images: for folders, as train/ with a folder per class"))
	}
	classes := classesOf(l.parts[train])
	if len(classes) < 2 {
		err := pipeline.Errorf(pipeline.BadData, "%s: training needs two or more classes; found only %s", path, quoted(classes))
		return nil, pipeline.WithHint(err, "%s", l.hint("pass the data that holds all classes: for folders, the one with a sub-folder per class"))
	}
	for _, p := range [...]part{validation, test} {
		if unknown := without(classesOf(l.parts[p]), classes); len(unknown) > 0 {
			err := pipeline.Errorf(pipeline.BadData, "%s: %v has classes that train lacks: %s", path, p, quoted(unknown))
			return nil, pipeline.WithHint(err, "%s", l.hint("train has %s", quoted(classes)))
		}
	}
	by, err := l.rekey(options)
	if err != nil {
		return nil, err
	}
	if err := l.splitMissing(fractions, options, by, classes); err != nil {
		return nil, err
	}
	if err := l.checkWeights(); err != nil {
		return nil, err
	}
	for _, p := range [...]part{validation, test} {
		if missing := without(classes, classesOf(l.parts[p])); len(missing) > 0 && len(l.parts[p]) > 0 {
			l.warn("%v has no image of %s", p, quoted(missing))
		}
	}
	return l.set(classes), nil
}

// OpenLabelled opens a data set to evaluate a model on. It takes the same
// sources as Open but splits nothing, requires no part, and one class is
// enough. If the source does not define parts, all of it is in Test.
func OpenLabelled(path string, options Options) (*Set, error) {
	l, err := collect(path, options)
	if err != nil {
		return nil, err
	}
	if !l.ownParts {
		l.parts[test], l.parts[train] = l.parts[train], nil
	}
	return l.set(classesOf(l.parts[:]...)), nil
}
