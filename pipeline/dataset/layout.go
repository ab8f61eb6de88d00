package dataset

import (
	"errors"
	"slices"
	"strings"

	"tftl/pipeline"
)

// Layout says what the folders at the top of class folders are.
type Layout string

// The layouts. What Auto goes by, Open says.
const (
	LayoutAuto    Layout = ""
	LayoutParts   Layout = "parts"   // those named train, val and test, and no others, which hold the class folders
	LayoutClasses Layout = "classes" // all of them, whatever they are called
)

// LayoutError is about folders that can be taken for parts or for classes:
// Options.Layout settles it.
type LayoutError struct{ Err error }

func (e *LayoutError) Error() string { return e.Err.Error() }
func (e *LayoutError) Unwrap() error { return e.Err }

// settled is an error that is no LayoutError where the layout was said.
func (l Layout) settled(err error) error {
	var doubt *LayoutError
	if l != LayoutAuto && errors.As(err, &doubt) {
		return doubt.Err
	}
	return err
}

// partNamed tells which part a folder of this name is.
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

// partFolders finds the parts' folders, and whether there are any. They must
// be all that holds images: a class beside them, or a part taken for a class,
// would be trained on without anyone noticing.
func (t *tree) partFolders(l *listing, layout Layout) (dirs [3]string, err error) {
	if layout == LayoutClasses {
		return dirs, nil
	}
	if err := t.linkedParts(); err != nil {
		return dirs, err
	}
	depth := map[string]int{} // how far below a top folder its images lie
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
			err := pipeline.Errorf(pipeline.BadData, "%s: both %s and %s are the %v part", t.root, dirs[p], dir, p)
			return dirs, &LayoutError{pipeline.WithHint(err, "leave one of them")}
		}
		dirs[p], named = dir, append(named, dir)
	}
	l.split = len(named) > 0
	switch {
	case layout == LayoutParts && !l.split:
		return dirs, pipeline.Errorf(pipeline.BadData, "%s has no folder named train, val or test", t.root)
	case layout == LayoutParts, !l.split, len(others) == 0:
		return dirs, nil
	case len(named) == 1 && depth[named[0]] == 1 && (dirs[train] != "" || len(others) == 1):
		l.split = false
		l.warn("%s is taken for a class, for it holds images and lies beside %s", named[0], quoted(others))
		return [3]string{}, nil
	}
	err = pipeline.Errorf(pipeline.BadData, "%s: beside the parts %s there are other folders of images: %s", t.root, quoted(without(dirs[:], []string{""})), quoted(others))
	return dirs, &LayoutError{pipeline.WithHint(err, "keep either class folders or train, val and test, which hold them")}
}

// linkedParts refuses a part that is a link and not followed: it would be cut
// from train instead.
func (t *tree) linkedParts() error {
	if t.follow {
		return nil // those that are left lead back
	}
	at := slices.IndexFunc(t.links, func(link string) bool { _, ok := partNamed(link); return ok })
	if at < 0 {
		return nil
	}
	p, _ := partNamed(t.links[at])
	err := pipeline.Errorf(pipeline.BadData, "%s: %s is a linked folder, which is not followed, and the %v part by its name", t.root, t.links[at], p)
	return pipeline.WithHint(err, "--follow-symlinks follows it; without the link, there is no such part")
}

// notFollowed is a hint that links may be the reason.
func notFollowed(links []string) string {
	return "linked folders are not followed without --follow-symlinks: " + quoted(links)
}
