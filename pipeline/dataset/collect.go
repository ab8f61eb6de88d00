package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tftl/pipeline"
)

// collect gathers a data set and leaves out what is not wanted.
func collect(path string, options Options) (listing, error) {
	l, err := gather(path, options)
	if err != nil {
		return l, err
	}
	if err := l.keep(classNames(options.Classes)); err != nil {
		return l, err
	}
	l.warnOfCase()
	return l, l.limit(options.LimitPerClass)
}

// gather lists a source, and the parts that are given apart from it.
func gather(path string, options Options) (listing, error) {
	l, err := list(path, options)
	if err != nil {
		return l, err
	}
	if len(slices.Concat(l.parts[:]...)) == 0 {
		return l, pipeline.Errorf(pipeline.BadData, "%s has no images", path)
	}
	for p, from := range [...]string{validation: options.Validation, test: options.Test} {
		if from == "" {
			continue
		}
		if err := l.addApart(part(p), from, options); err != nil {
			return l, err
		}
	}
	if err := l.checkColumns(options.Columns); err != nil {
		return l, err
	}
	l.nameClasses()
	for _, items := range l.parts {
		for _, im := range items {
			if im.class == "" {
				return l, pipeline.Errorf(pipeline.BadData, "%s: image %q: its class has no name but space", path, im.id)
			}
			if !utf8.ValidString(im.class) {
				err := pipeline.Errorf(pipeline.BadData, "%s: class %q is not UTF-8 (image %q)", path, im.class, im.id)
				return l, pipeline.WithHint(err, "rename the folder, or save the manifest as UTF-8")
			}
			if strings.ContainsAny(im.class, "\r\n") {
				return l, pipeline.Errorf(pipeline.BadData, "%s: image %s: class %q is more than one line", path, im.id, im.class)
			}
		}
	}
	return l, nil
}

// checkColumns sees that there is a column of each name. Of parts given apart,
// one that has it is enough: it may be the only one that is asked about.
func (l *listing) checkColumns(names []string) error {
	for _, name := range names {
		has := func(column string) bool { return columnName(column) == columnName(name) }
		switch {
		case slices.ContainsFunc(l.columns, has):
		case len(l.columns) == 0:
			err := pipeline.Errorf(pipeline.BadUsage, "--slice %s: %s has no columns", name, l.root)
			return pipeline.WithHint(err, "a manifest (.csv, .tsv) may have any beside path and label")
		default:
			err := pipeline.Errorf(pipeline.BadUsage, "--slice %s: %s has no such column", name, l.root)
			return pipeline.WithHint(err, "it has %s", quoted(l.columns))
		}
	}
	return nil
}

// addApart makes a source of its own a part of l. Its IDs begin with the
// flag's name, for they are those from another root.
func (l *listing) addApart(p part, path string, options Options) error {
	flag := subsetNames()[p] + "-data"
	if len(l.parts[p]) > 0 {
		err := pipeline.Errorf(pipeline.BadUsage, "--%s: %s has a %v part of its own", flag, l.root, p)
		return pipeline.WithHint(err, "leave --%s out, or name the training images alone", flag)
	}
	options.Fold = nil // it is the data's, whose parts this is one of
	if options.Layout == LayoutParts {
		options.Layout = LayoutAuto // likewise
	}
	apart, err := list(path, options)
	if err != nil {
		return err
	}
	items := apart.parts[p]
	if len(items) == 0 {
		given := slices.DeleteFunc(slices.Clone(apart.parts[:]), func(items []item) bool { return len(items) == 0 })
		if len(given) != 1 {
			return pipeline.Errorf(pipeline.BadData, "--%s: %s has no %v part among its parts", flag, path, p)
		}
		items = given[0]
	}
	known := map[string]bool{}
	for _, im := range slices.Concat(l.parts[:]...) {
		known[im.id] = true
	}
	for i := range items {
		im := &items[i]
		if im.id = flag + "/" + im.id; known[im.id] {
			return pipeline.Errorf(pipeline.BadData, "--%s: %s has an image %s too", flag, l.root, im.id)
		}
	}
	l.parts[p], l.split = items, true
	l.apart += fmt.Sprintf("; %v from %s (%s)", p, path, apart.what)
	l.ignored += apart.ignored
	l.others = l.others.and(apart.others)
	l.links = append(l.links, apart.links...)
	l.columns = append(l.columns, without(apart.columns, l.columns)...)
	l.warnings = append(l.warnings, apart.warnings...)
	return nil
}

// keep leaves out the images of all other classes.
func (l *listing) keep(classes []string) error {
	if len(classes) == 0 {
		return nil
	}
	all := classesOf(slices.Concat(l.parts[:]...))
	if unknown := without(classes, all); len(unknown) > 0 {
		err := pipeline.Errorf(pipeline.BadUsage, "--classes: %s has no class %s", l.root, quoted(unknown))
		return pipeline.WithHint(err, "it has %s", quoted(all))
	}
	for p := range l.parts {
		l.parts[p] = slices.DeleteFunc(l.parts[p], func(im item) bool { return !slices.Contains(classes, im.class) })
	}
	l.what += fmt.Sprintf(", %d of %d classes", len(without(all, without(all, classes))), len(all))
	return nil
}

// limit leaves n images of a class in each part: those whose names hash
// lowest, so that others that are added take the place of few.
func (l *listing) limit(n int) error {
	switch {
	case n == 0:
		return nil
	case n < 0:
		return pipeline.Errorf(pipeline.BadUsage, "--limit-per-class %d: must be 0 or more", n)
	}
	for p, items := range l.parts {
		// Another hash than a cut's, which would find all of them at its lower end.
		at := make(map[string]float64, len(items))
		for _, im := range items {
			at[im.id] = place("limit " + im.key)
		}
		slices.SortFunc(items, func(a, b item) int {
			return cmp.Or(cmp.Compare(at[a.id], at[b.id]), cmp.Compare(a.id, b.id))
		})
		count := map[string]int{}
		l.parts[p] = slices.DeleteFunc(items, func(im item) bool {
			count[im.class]++
			return count[im.class] > n
		})
	}
	l.what += fmt.Sprintf(", at most %d images a class", n)
	return nil
}
