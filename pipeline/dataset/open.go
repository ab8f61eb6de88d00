package dataset

import (
	"slices"

	"tftl/pipeline"
)

// By is what decides an image's part where a part is cut.
type By string

// The ways to cut. With none of them it is by group where the source has
// groups, and by name elsewhere.
const (
	ByName    By = "name"    // its class and its name
	ByContent By = "content" // its bytes, so that copies of a file stay together
	ByGroup   By = "group"   // a manifest's column, so that a burst or a subject stays together
)

// Options say what of a source is wanted, and how Open cuts the parts that the
// source does not tell apart.
type Options struct {
	// FollowSymlinks has links to folders followed in class folders.
	FollowSymlinks bool
	// Layout says whether the folders of class folders are parts or classes.
	Layout Layout
	// AllowOutside lets a manifest name files that are not below its folder.
	AllowOutside bool
	// Validation and Test are sources of those parts, given apart. Where one
	// tells parts apart itself, it is its part of that name that is meant, or
	// its only one.
	Validation, Test string
	// Classes are those that are wanted; none stands for all.
	Classes []string
	// LimitPerClass is the most images of a class, in each part that the source
	// tells apart, drawn by a hash of their names; 0 is any number.
	LimitPerClass int
	// Fold, where there is one, makes that fold of a manifest's column the test
	// part and all others the train part, whatever its column of parts says.
	Fold *int
	// Columns are those of a manifest, by its own names for them, whose values
	// Part.Column is to give. Some source must have each.
	Columns []string

	// Split is the fractions of train, validation and test; zero stands for
	// 0.7, 0.15, 0.15. The first two are above 0; a test part may be done without.
	Split [3]float64
	// By is what the cut goes by.
	By By
	// Exact makes the sizes of the parts exact, class by class, at the price
	// that adding an image may move others. It goes by name alone.
	Exact bool
	// Seed tells one exact split from another. The others have none: it would be
	// one more thing that must never change.
	Seed uint64
}

// Open lists a data set for training. What it is, Set.Description says:
//
// A folder with a sub-folder per class. Folders below the root named train,
// val (or valid, or validation) and test, in upper or lower case, are taken for
// the parts and hold the class folders. One such folder that holds its images
// itself is a class where a single other folder of images lies beside it (valid
// and invalid, say), or, if it is train, any number of them (of vehicles). What
// else can be taken for either is an error, unless Options.Layout says it.
// Everything below a class folder belongs to the class. Hidden files and folders,
// and those that systems leave behind, are passed over; links to files are
// followed, links to folders are not unless it is asked for.
//
// A manifest, a table with a line of column names: path and label, and split,
// weight, group and fold where there is need of them. Its name ends in .csv or
// .tsv; where the first line has other separators than that says, they count.
// Paths are those from the manifest's folder, with forward slashes, or absolute
// ones. Space around a field is no part of it, unless a file's name has it.
//
// TFRecord files of tf.train.Example with ImageNet's features, image/encoded
// and image/class/label or image/class/text: one file, a folder of them, or a
// pattern. Files named after parts (train-00000-of-00010) are these parts. What
// is compressed is kept in memory.
//
// CIFAR-10 or CIFAR-100, the folder of their binary form.
//
// Where train and test alone are given, validation is cut from train and test
// stays untouched; where train and validation alone are given, the test part is
// empty. With train alone, or with nothing that tells parts apart, all three
// parts are cut. Unless Exact is asked for, a cut goes by a hash of what
// Options.By says, so an image stays where it is when others are added or the
// root is moved.
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
		err := pipeline.Errorf(pipeline.BadData, "%s has no train part beside its others", path)
		return nil, pipeline.WithHint(err, "%s", l.hint("put the training images into it: into train/, for folders, a folder for each class"))
	}
	classes := classesOf(l.parts[train])
	if len(classes) < 2 {
		err := pipeline.Errorf(pipeline.BadData, "%s: training needs two or more classes; found only %s", path, quoted(classes))
		return nil, pipeline.WithHint(err, "%s", l.hint("give the data that holds all of them: for folders, the one with a sub-folder for each"))
	}
	for _, p := range [...]part{validation, test} {
		if unknown := without(classesOf(l.parts[p]), classes); len(unknown) > 0 {
			err := pipeline.Errorf(pipeline.BadData, "%s: %v has classes that train has not: %s", path, p, quoted(unknown))
			return nil, pipeline.WithHint(err, "%s", l.hint("train has "+quoted(classes)))
		}
	}
	by, err := l.rekey(options)
	if err != nil {
		return nil, err
	}
	if err := l.cut(fractions, options, by, classes); err != nil {
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

// OpenLabelled lists a data set for measuring a model: the same sources as
// Open, but nothing is cut, no part need be there and one class is enough.
// What a source does not tell apart is all in Test.
func OpenLabelled(path string, options Options) (*Set, error) {
	l, err := collect(path, options)
	if err != nil {
		return nil, err
	}
	if !l.split {
		l.parts[test], l.parts[train] = l.parts[train], nil
	}
	return l.set(classesOf(slices.Concat(l.parts[:]...))), nil
}
