package dataset

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"tftl/pipeline"
)

// classFolders is the kind of folders that hold class folders, directly or in the
// folders of parts. Any folder that is of no other kind is taken for it.
// Everything below a class folder belongs to the class. Hidden files and folders,
// and those that systems leave behind, are skipped. Links to files are followed;
// links to folders only if asked for.
func classFolders() source {
	return source{
		Kind: Kind{
			Name:    "class folders",
			Usage:   "a folder with a sub-folder per class, or with train/, val/ and test/ that contain such folders",
			Example: "photos/cat/1.jpg, photos/dog/2.jpg",
			Files:   true,
		},
		recognizes: func(at location) (bool, error) { return at.mode.IsDir(), nil },
		list:       listFolder,
		unlabelled: listUnlabelledFolder,
	}
}

func listFolder(at location, options Options) (listing, error) {
	t, err := walk(at.path, options.FollowSymlinks)
	if err != nil {
		return listing{}, err
	}
	l := listing{root: at.path, ignored: t.ignored, others: t.others}
	t.warnOfLinks(&l)
	if len(t.unread) > 0 {
		l.warn("images in unsupported formats are left out: %s", t.unread.unreadable())
	}
	dirs, err := t.partFolders(&l, options.Layout)
	if err != nil {
		return listing{}, err
	}
	l.what, l.layout = "class folders", LayoutParts
	if !l.ownParts {
		l.layout = LayoutClasses
		dirs[train] = "."
		if options.Layout == LayoutAuto {
			t.warnOfParts(&l)
		}
	}
	var names []string
	for p, dir := range dirs {
		if dir == "" {
			continue
		}
		names = append(names, dir+"/")
		if l.parts[p], err = t.classFolders(dir, part(p) == train, options); err != nil {
			return listing{}, err
		}
	}
	if l.ownParts {
		l.what += " in " + strings.Join(names, ", ")
	}
	if l.count() == len(t.images) {
		return l, nil
	}
	var listed []string
	for _, items := range l.parts {
		for _, im := range items {
			listed = append(listed, im.id)
		}
	}
	if stray := without(t.images, listed); len(stray) > 0 {
		l.ignored += len(stray)
		l.warn("images outside class folders are left out: %s", quoted(stray))
	}
	return l, nil
}

// classFolders lists the images of the class folders in dir. If all are needed,
// every class that the options want must have an image.
func (t *tree) classFolders(dir string, all bool, options Options) ([]item, error) {
	where := path.Join(t.root, dir)
	var items []item
	if dir == "." {
		items = make([]item, 0, len(t.images))
	}
	stray := false
	filled := map[string]bool{}
	for _, image := range t.images {
		key, below := image, true
		if dir != "." {
			key, below = strings.CutPrefix(image, dir+"/")
		}
		if !below {
			continue
		}
		class, _, nested := strings.Cut(key, "/")
		if !nested {
			stray = true
			continue
		}
		filled[class] = true
		items = append(items, item{id: image, class: class, key: key, weight: 1, stored: t.file(image)})
	}
	classes := t.folders[dir]
	hint := pipeline.Messagef("put the images of each class into a folder of its own there")
	if len(t.links) > 0 && !t.follow {
		hint = notFollowed(t.links)
	}
	if len(t.unread) > 0 {
		hint = pipeline.Messagef("there are images in unsupported formats: %s", t.unread.unreadable())
	}
	switch {
	case len(classes) == 0 && stray && dir != ".":
		return nil, options.Layout.inDoubt(pipeline.Errorf(pipeline.BadData, "%s has images but no class folders", where), hint)
	case len(classes) == 0 && stray:
		return nil, pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "%s has images but no class folders", where), "%s", hint)
	case len(classes) == 0:
		return nil, pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "%s has no class folders", where), "%s", hint)
	case len(items) == 0:
		err := pipeline.Errorf(pipeline.BadData, "%s: no %s in its class folders", where, formats)
		return nil, pipeline.WithHint(err, "%s", hint)
	}
	empty := without(classes, slices.Collect(maps.Keys(filled)))
	if wanted := classNames(options.Classes); len(wanted) > 0 {
		empty = slices.DeleteFunc(empty, func(class string) bool { return !slices.Contains(wanted, ClassName(class)) })
	}
	if all && len(empty) > 0 {
		err := pipeline.Errorf(pipeline.BadData, "%s: no %s in class folder %s", where, formats, quoted(empty))
		if len(t.unread) == 0 {
			hint = pipeline.Messagef("remove it, or put images of the class into it")
		}
		return nil, pipeline.WithHint(err, "%s", hint)
	}
	return items, nil
}

// warnOfParts notices parts under other names, such as training_set and
// test_set. They look like classes, but all hold folders of the same names.
func (t *tree) warnOfParts(l *listing) {
	tops := t.folders["."]
	alike := map[string]bool{}
	for _, dir := range tops {
		alike[fmt.Sprintf("%q", t.folders[dir])] = true
	}
	if len(tops) > 1 && len(alike) == 1 && len(t.folders[tops[0]]) > 1 {
		l.warn("all classes hold the same folders, %s: if %s are parts, name them train, val, test",
			quoted(t.folders[tops[0]]), quoted(tops))
	}
}

func (t *tree) warnOfLinks(l *listing) {
	switch {
	case len(t.links) > 0 && t.follow:
		l.warn("links back to a folder that they are in are not followed: %s", quoted(t.links))
	case len(t.links) > 0:
		l.links = t.links
		l.warn("linked folders are left out, as they are only followed with %s: %s", followLinks, quoted(t.links))
	}
}

// listUnlabelledFolder lists all images in a folder and below it.
func listUnlabelledFolder(at location, options Options, to *unlabelled) error {
	t := newTree(at.path, options.FollowSymlinks)
	t.found = func(name string, err error) error { return to.add(t.file(name).path(), t.file(name).read, err) }
	if err := t.walk(".", nil); err != nil {
		return err
	}
	if len(t.unread) > 0 {
		to.warn("%s: images in unsupported formats are left out: %s", at.path, t.unread.unreadable())
	}
	if len(t.links) > 0 {
		to.warn("%s: linked folders are left out, as they are only followed with %s: %s", at.path, followLinks, quoted(t.links))
	}
	return nil
}
