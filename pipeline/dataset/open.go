package dataset

import (
	"slices"

	"tftl/pipeline"
)

// Options say how Open cuts the parts that the source does not tell apart.
type Options struct {
	// Split is the fractions of train, validation and test; zero stands for
	// 0.7, 0.15, 0.15. The first two are above 0; a test part may be done without.
	Split [3]float64
	// Exact makes the sizes of the parts exact, class by class, at the price
	// that adding an image may move others.
	Exact bool
	// Seed tells one exact split from another. The split by name has none: it
	// would be one more thing that must never change.
	Seed uint64
}

// Open lists a data set for training: a folder with a sub-folder per class.
//
// Folders below the root named train, val (or valid, or validation) and test,
// in upper or lower case, are taken for the parts and hold the class folders.
// Where train and test alone are there, validation is cut from train and test
// stays untouched; where train and val alone are there, the test part is empty.
// With train alone, or with the class folders directly below the root, all
// three parts are cut. A folder named train that lies beside other folders of
// images and holds its images itself is a class (of vehicles, say).
//
// Everything below a class folder belongs to the class. Hidden files and
// folders are passed over; links to files are followed, links to folders are
// not.
//
// Unless Exact is asked for, a cut goes by a hash of an image's class and of
// its path below the class folder, so an image stays where it is when others
// are added or the root is moved.
func Open(root string, options Options) (*Set, error) {
	fractions, err := options.fractions()
	if err != nil {
		return nil, err
	}
	l, err := listFolder(root)
	if err != nil {
		return nil, err
	}
	if len(l.parts[train]) == 0 {
		err := pipeline.Errorf(pipeline.BadData, "%s has no train folder beside its other parts", root)
		return nil, pipeline.WithHint(err, "put the training images into train/, a folder for each class")
	}
	classes := classesOf(l.parts[train])
	if len(classes) < 2 {
		err := pipeline.Errorf(pipeline.BadData, "%s: training needs two or more classes; found only %s", root, quoted(classes))
		return nil, pipeline.WithHint(err, "give the folder that holds a sub-folder for each class")
	}
	for _, p := range [...]part{validation, test} {
		if unknown := without(classesOf(l.parts[p]), classes); len(unknown) > 0 {
			err := pipeline.Errorf(pipeline.BadData, "%s: %v has classes that train has not: %s", root, p, quoted(unknown))
			return nil, pipeline.WithHint(err, "train has %s", quoted(classes))
		}
	}
	if err := l.cut(fractions, options, classes); err != nil {
		return nil, err
	}
	for _, p := range [...]part{validation, test} {
		if missing := without(classes, classesOf(l.parts[p])); len(missing) > 0 && len(l.parts[p]) > 0 {
			l.warn("%v has no image of %s", p, quoted(missing))
		}
	}
	return l.set(classes), nil
}

// OpenLabelled lists a data set for measuring a model: the same folders as
// Open, but nothing is cut, no part need be there and one class is enough.
// Class folders directly below the root are all in Test.
func OpenLabelled(root string) (*Set, error) {
	l, err := listFolder(root)
	if err != nil {
		return nil, err
	}
	if !l.split {
		l.parts[test], l.parts[train] = l.parts[train], nil
	}
	return l.set(classesOf(slices.Concat(l.parts[:]...))), nil
}
