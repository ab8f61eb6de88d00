package dataset

import (
	"slices"
	"strings"

	"tftl/pipeline"
)

// Layout says what the top folders of class folders are.
type Layout string

// The layouts. LayoutAuto takes folders named train, val (or valid, or validation)
// and test, in any case, for parts. A single such folder that holds images itself
// is a class if exactly one other folder of images is next to it (valid and
// invalid, say), or any number if it is train (of vehicles). Anything else that
// is ambiguous is an error.
const (
	LayoutAuto    Layout = ""
	LayoutParts   Layout = "parts"   // only those named train, val and test count, and hold the class folders
	LayoutClasses Layout = "classes" // all are classes, whatever their names
)

// inDoubt adds a hint to an error about folders that could be parts or classes:
// unless the layout was given, giving it is another way out.
func (l Layout) inDoubt(err error, hint pipeline.Message) error {
	if l == LayoutAuto {
		hint = pipeline.Messagef("%s, or say what they are with %s parts or %s classes", hint, pipeline.Option("layout"), pipeline.Option("layout"))
	}
	return pipeline.WithHint(err, "%s", hint)
}

// partNamed returns the part that a folder of this name is.
func partNamed(name string) (part, bool) {
	switch strings.ToLower(name) {
	case "train":
		return train, true
	case "val", "valid", "validation":
		return validation, true
	case "test":
		return test, true
	}
	return 0, false
}

// partFolders finds the folders of the parts, if there are any. No other folder
// may hold images: a class beside the parts, or a part taken for a class, would
// be trained on without anyone noticing.
func (t *tree) partFolders(l *listing, layout Layout) (dirs [3]string, err error) {
	if layout == LayoutClasses {
		return dirs, nil
	}
	if err := t.linkedParts(); err != nil {
		return dirs, err
	}
	depth := map[string]int{} // of the deepest image below a top folder
	for _, image := range t.images {
		top, rest, _ := strings.Cut(image, "/")
		depth[top] = max(depth[top], 1+strings.Count(rest, "/"))
	}
	var named, others []string
	for _, dir := range t.folders["."] {
		p, ok := partNamed(dir)
		if !ok {
			if depth[dir] > 0 {
				others = append(others, dir)
			}
			continue
		}
		if dirs[p] != "" {
			err := pipeline.Errorf(pipeline.BadData, "%s: %s and %s are both the %v part", t.root, dirs[p], dir, p)
			return dirs, layout.inDoubt(err, pipeline.Messagef("keep one of them"))
		}
		dirs[p], named = dir, append(named, dir)
	}
	l.ownParts = len(named) > 0
	switch {
	case layout == LayoutParts && !l.ownParts:
		return dirs, pipeline.Errorf(pipeline.BadData, "%s has no folder named train, val or test", t.root)
	case layout == LayoutParts, !l.ownParts, len(others) == 0:
		return dirs, nil
	case len(named) == 1 && depth[named[0]] == 1 && (dirs[train] != "" || len(others) == 1):
		l.ownParts = false
		l.warn("%s is taken for a class because it holds images and is next to %s", named[0], quoted(others))
		return [3]string{}, nil
	}
	err = pipeline.Errorf(pipeline.BadData, "%s: next to the parts %s there are other folders of images: %s", t.root, quoted(without(dirs[:], []string{""})), quoted(others))
	return dirs, layout.inDoubt(err, pipeline.Messagef("keep only class folders, or only train, val and test with class folders in them"))
}

// linkedParts refuses a part that is a link which is not followed: the part
// would be split from train instead.
func (t *tree) linkedParts() error {
	if t.follow {
		return nil // those that are left lead back
	}
	at := slices.IndexFunc(t.links, func(link string) bool { _, ok := partNamed(link); return ok })
	if at < 0 {
		return nil
	}
	p, _ := partNamed(t.links[at])
	err := pipeline.Errorf(pipeline.BadData, "%s: %s is named like the %v part but is a linked folder, which is not followed", t.root, t.links[at], p)
	return pipeline.WithHint(err, "follow it with %s, or remove the link to do without the part", followLinks)
}

// followLinks is the option that has linked folders followed.
const followLinks = pipeline.Option("follow-symlinks")

// notFollowed is a hint that links may be the reason.
func notFollowed(links []string) pipeline.Message {
	return pipeline.Messagef("linked folders are only followed with %s: %s", followLinks, quoted(links))
}
