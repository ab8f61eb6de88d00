package dataset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tftl/pipeline"
)

// Kind describes a kind of source for help and docs.
type Kind struct {
	Name    string // "class folders"
	Usage   string // what to pass, in one line
	Example string // such a path, or the paths of its images
	// Files says that each image is a file of its own, so that a manifest can list it.
	Files bool
	// Unlabelled says that the function Unlabelled takes it.
	Unlabelled bool
}

// source is a kind of source. Only the list of sources knows which kinds there
// are.
type source struct {
	Kind
	// recognizes says whether a location is of this kind, and nothing else.
	recognizes func(location) (bool, error)
	// list lists the images with their classes and, if the source defines them,
	// their parts. An error without a kind counts as pipeline.BadData.
	list func(location, Options) (listing, error)
	// unlabelled adds the images to those without labels. It is nil for a kind that
	// Unlabelled does not take. It only looks at the path and the mode of a folder.
	unlabelled func(location, Options, *unlabelled) error
}

// sources lists the kinds. A location is offered to the last one first, as the
// first takes any folder. CONTRIBUTING.md says how to add a kind.
func sources() []source {
	return []source{classFolders(), manifests(), tfrecords(), cifars()}
}

// Kinds lists the kinds of source, the most common first.
func Kinds() []Kind {
	var kinds []Kind
	for _, s := range sources() {
		s.Unlabelled = s.unlabelled != nil
		kinds = append(kinds, s.Kind)
	}
	return kinds
}

// FileKinds lists the kinds whose images are files of their own.
func FileKinds() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !k.Files })
}

// UnlabelledKinds lists the kinds that Unlabelled takes.
func UnlabelledKinds() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !k.Unlabelled })
}

// Usage says in one line what to pass for any of the kinds.
func Usage(kinds []Kind) string {
	usages := make([]string, len(kinds))
	for i, k := range kinds {
		usages[i] = k.Usage
	}
	return strings.Join(usages, "; ")
}

// location is a path that a user gave, looked at once.
type location struct {
	path    string
	mode    fs.FileMode // 0 for a file and for a pattern
	pattern bool
	dir     string   // the folder, or the one that the file or all matches are in
	files   []string // the files directly in the folder, the file itself, or all matches
	folders []string // the names of the folders directly in the folder
}

func locate(path string) (location, error) {
	at, err := glance(path)
	if err != nil || !at.mode.IsDir() {
		return at, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return at, pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	for _, e := range entries {
		switch kind := e.Type(); {
		case unseen(e.Name()):
		case kind.IsDir():
			at.folders = append(at.folders, e.Name())
		case kind.IsRegular(), kind == fs.ModeSymlink:
			at.files = append(at.files, filepath.Join(path, e.Name()))
		}
	}
	return at, nil
}

// glance is locate for one who does not ask what is in a folder.
func glance(path string) (location, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(path, "*?[") {
		return match(path)
	}
	if err != nil {
		return location{}, pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	at := location{path: path, mode: info.Mode().Type(), dir: filepath.Dir(path)}
	if at.mode == 0 {
		at.files = []string{path}
	}
	if info.IsDir() {
		at.dir = path
	}
	return at, nil
}

func match(pattern string) (location, error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return location{}, pipeline.Errorf(pipeline.BadData, "%s: %w", pattern, err)
	}
	if len(files) == 0 {
		return location{}, pipeline.Errorf(pipeline.BadData, "%s matches no file", pattern)
	}
	dir := filepath.Dir(pattern[:strings.IndexAny(pattern, "*?[")] + "x")
	return location{path: pattern, pattern: true, dir: dir, files: files}, nil
}

// names are the names of the files.
func (at location) names() []string {
	var names []string
	for _, file := range at.files {
		names = append(names, filepath.Base(file))
	}
	return names
}

// list finds out what kind of source a path is, and lists it.
func list(path string, options Options) (listing, error) {
	at, err := locate(path)
	if err != nil {
		return listing{}, err
	}
	s, err := at.source()
	if err != nil {
		return listing{}, err
	}
	l, err := s.list(at, options)
	err = badData(err)
	if err == nil && options.Fold != nil && l.folds == 0 {
		err = pipeline.Errorf(pipeline.BadUsage, "%s: %s is not a manifest", pipeline.Option("fold"), path)
		err = pipeline.WithHint(err, foldsHint, pipeline.Option("folds"))
	}
	return l, err
}

// badData gives an error that has no kind the kind pipeline.BadData.
func badData(err error) error {
	if err == nil || pipeline.KindOf(err) != pipeline.Other {
		return err
	}
	return pipeline.Errorf(pipeline.BadData, "%w", err)
}

// source is the kind that a location is of.
func (at location) source() (source, error) {
	var names []string
	for _, s := range slices.Backward(sources()) {
		ok, err := s.recognizes(at)
		if err != nil {
			return s, badData(err)
		}
		if ok {
			return s, nil
		}
		names = append(names, s.Name)
	}
	slices.Reverse(names)
	err := pipeline.Errorf(pipeline.BadData, "%s is not a known kind of data (%s)", at.path, strings.Join(names, ", "))
	return source{}, pipeline.WithHint(err, "pass %s", Usage(Kinds()))
}
