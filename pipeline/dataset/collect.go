package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tftl/pipeline"
)

// collect lists a data set and leaves out what is not wanted.
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

// gather lists a source, and the parts that have a source of their own.
func gather(path string, options Options) (listing, error) {
	l, err := list(path, options)
	if err != nil {
		return l, err
	}
	if !options.AllColumns {
		l.values = options.Columns
	}
	if l.count() == 0 {
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
				return l, pipeline.Errorf(pipeline.BadData, "%s: image %q: its class name is blank", path, im.id)
			}
			if !utf8.ValidString(im.class) {
				err := pipeline.Errorf(pipeline.BadData, "%s: class %q is not UTF-8 (image %q)", path, im.class, im.id)
				if _, ok := im.stored.(file); !ok {
					return l, pipeline.WithHint(err, "write the class names as UTF-8, in the records or the file that lists them")
				}
				return l, pipeline.WithHint(err, "rename the folder, or save the manifest as UTF-8")
			}
			if strings.ContainsAny(im.class, "\r\n") {
				return l, pipeline.Errorf(pipeline.BadData, "%s: image %s: class %q has a line break", path, im.id, im.class)
			}
			if strings.Contains(im.id, "\r\n") {
				err := pipeline.Errorf(pipeline.BadData, "%s: image %q: a name with a Windows line break (CR LF) is not kept in CSV files", path, im.id)
				return l, pipeline.WithHint(err, "rename it")
			}
		}
	}
	return l, nil
}

// checkColumns checks that every column exists. If parts have sources of their
// own, one that has it is enough: it may be the only one that is asked about.
func (l *listing) checkColumns(names []string) error {
	slice := pipeline.Option("slice")
	for _, name := range names {
		has := func(column string) bool { return columnName(column) == columnName(name) }
		switch {
		case slices.ContainsFunc(l.columns, has):
		case len(l.columns) == 0:
			err := pipeline.Errorf(pipeline.BadUsage, "%s %s: %s has no columns", slice, name, l.root)
			return pipeline.WithHint(err, "a manifest (.csv, .tsv) can have columns other than path and label")
		default:
			err := pipeline.Errorf(pipeline.BadUsage, "%s %s: %s has no such column", slice, name, l.root)
			return pipeline.WithHint(err, "it has %s", quoted(l.columns))
		}
	}
	return nil
}

// addApart makes another source a part of l. Its IDs get a prefix, as they are
// relative to another root. Runs store them: the prefix must not change.
func (l *listing) addApart(p part, path string, options Options) error {
	prefix := p.name() + "-data"
	option := pipeline.Option(prefix)
	if len(l.parts[p]) > 0 {
		err := pipeline.Errorf(pipeline.BadUsage, "%s: %s has a %v part of its own", option, l.root, p)
		return pipeline.WithHint(err, "leave %s out, or pass only the training images as %s", option, pipeline.Option("data"))
	}
	options.Fold = nil // that is for the data itself
	if options.Layout == LayoutParts {
		options.Layout = LayoutAuto // so is this
	}
	options.Columns, options.AllColumns = l.values, false
	apart, err := list(path, options)
	if err != nil {
		return err
	}
	items := apart.parts[p]
	if len(items) == 0 {
		given := slices.DeleteFunc(slices.Clone(apart.parts[:]), func(items []item) bool { return len(items) == 0 })
		if len(given) != 1 {
			return pipeline.Errorf(pipeline.BadData, "%s: %s has other parts, but no %v part", option, path, p)
		}
		items = given[0]
	}
	known := map[string]bool{}
	for _, im := range slices.Concat(l.parts[:]...) {
		known[im.id] = true
	}
	for i := range items {
		im := &items[i]
		if im.id = prefix + "/" + im.id; known[im.id] {
			return pipeline.Errorf(pipeline.BadData, "%s: %s has an image %s too", option, l.root, im.id)
		}
	}
	l.parts[p], l.ownParts = items, true
	l.apart += fmt.Sprintf("; %v from %s (%s)", p, path, apart.what)
	l.join(apart)
	return nil
}

// keep leaves out the images of all other classes.
func (l *listing) keep(classes []string) error {
	if len(classes) == 0 {
		return nil
	}
	all := classesOf(l.parts[:]...)
	if unknown := without(classes, all); len(unknown) > 0 {
		err := pipeline.Errorf(pipeline.BadUsage, "%s: %s has no class %s", pipeline.Option("classes"), l.root, quoted(unknown))
		return pipeline.WithHint(err, "it has %s", quoted(all))
	}
	for p := range l.parts {
		l.parts[p] = slices.DeleteFunc(l.parts[p], func(im item) bool { return !slices.Contains(classes, im.class) })
	}
	l.what += fmt.Sprintf(", %d of %d classes", len(without(all, without(all, classes))), len(all))
	return nil
}

// limit keeps at most n images per class in each part: those with the lowest
// hashes, so that added images displace few others.
func (l *listing) limit(n int) error {
	switch {
	case n == 0:
		return nil
	case n < 0:
		return pipeline.Errorf(pipeline.BadUsage, "%s %d: must be 0 or more", pipeline.Option("limit-per-class"), n)
	}
	for p, items := range l.parts {
		// Not the hash of the split, which would put all of them into train.
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
	l.what += fmt.Sprintf(", at most %d images per class", n)
	return nil
}
