package dataset

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"tftl/pipeline"
)

// listFolder lists class folders, which lie directly below the root or below
// the folders of its parts.
func listFolder(root string, options Options) (listing, error) {
	t, err := walk(root, options.FollowSymlinks)
	if err != nil {
		return listing{}, err
	}
	l := listing{root: root, ignored: t.ignored, others: t.others}
	t.warnOfLinks(&l)
	if len(t.unread) > 0 {
		l.warn("images whose format is not read are left out: %s", t.unread.unreadable())
	}
	dirs, err := t.partFolders(&l, options.Layout)
	if err != nil {
		return listing{}, options.Layout.settled(err)
	}
	l.what, l.layout = "class folders", LayoutParts
	if !l.split {
		l.layout = LayoutClasses
		dirs[train] = "."
		if options.Layout == LayoutAuto {
			t.warnOfParts(&l)
		}
	}
	var names, listed []string
	for p, dir := range dirs {
		if dir == "" {
			continue
		}
		names = append(names, dir+"/")
		if l.parts[p], err = t.classFolders(dir, part(p) == train, options.Classes); err != nil {
			return listing{}, options.Layout.settled(err)
		}
		for _, im := range l.parts[p] {
			listed = append(listed, im.id)
		}
	}
	if l.split {
		l.what += " in " + strings.Join(names, ", ")
	}
	if stray := without(t.images, listed); len(stray) > 0 {
		l.ignored += len(stray)
		l.warn("images in no class folder are left out: %s", quoted(stray))
	}
	return l, nil
}

// classFolders lists the images of the class folders in dir. Each of those that
// are wanted must have one where all are needed; no names stand for all of them.
func (t *tree) classFolders(dir string, all bool, wanted []string) ([]item, error) {
	where := path.Join(t.root, dir)
	var items []item
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
	hint := "put the images of each class into a folder of its own there"
	if len(t.links) > 0 && !t.follow {
		hint = notFollowed(t.links)
	}
	if len(t.unread) > 0 {
		hint = fmt.Sprintf("there are images whose format is not read: %s", t.unread.unreadable())
	}
	switch {
	case len(classes) == 0 && stray:
		err := pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "%s has images but no class folders", where), "%s", hint)
		if dir != "." {
			err = &LayoutError{err}
		}
		return nil, err
	case len(classes) == 0:
		return nil, pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "%s has no class folders", where), "%s", hint)
	case len(items) == 0:
		err := pipeline.Errorf(pipeline.BadData, "%s: no %s in its class folders", where, formats)
		return nil, pipeline.WithHint(err, "%s", hint)
	}
	empty := without(classes, slices.Collect(maps.Keys(filled)))
	if wanted = classNames(wanted); len(wanted) > 0 {
		empty = slices.DeleteFunc(empty, func(class string) bool { return !slices.Contains(wanted, ClassName(class)) })
	}
	if all && len(empty) > 0 {
		err := pipeline.Errorf(pipeline.BadData, "%s: no %s in class folder %s", where, formats, quoted(empty))
		if len(t.unread) == 0 {
			hint = "remove it, or put the images of the class into it"
		}
		return nil, pipeline.WithHint(err, "%s", hint)
	}
	return items, nil
}

// warnOfParts sees the mistake of parts under other names, training_set and
// test_set say, which look like classes: all hold folders of the same names.
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
		l.warn("links that lead back to a folder they lie in were not followed: %s", quoted(t.links))
	case len(t.links) > 0:
		l.links = t.links
		l.warn("linked folders were not followed, and what they hold is left out (--follow-symlinks): %s", quoted(t.links))
	}
}
