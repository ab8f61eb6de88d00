// Package dataset finds labelled images and says which part of a data set each
// belongs to: train, validation or test.
//
// Every kind of source (Kinds lists them) makes a listing: each image with its
// class and, if the source defines parts, its part. The rest is the same for all
// kinds: choosing images, numbering classes, splitting, and the checks without
// which training would fail late or, worse, not fail at all. Images are listed,
// not decoded. Decoding, augmenting and shuffling happen elsewhere, and so does
// finding out whether the bytes are an image.
package dataset

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"tftl/internal/printable"
	"tftl/internal/regular"
	"tftl/pipeline"
)

// Set is a data set: its classes and its parts, which share no image.
type Set struct {
	// Description says in one line what the data was taken for.
	Description string
	// Classes are named by ClassName and sorted bytewise, as in Keras.
	// Sample.Label is an index into them.
	Classes []string
	// The parts are sorted by Sample.ID. A missing part is empty. If the set was
	// not opened for training, everything without a part is in Test.
	Train, Validation, Test Part
	// Columns are the names of Part.Column's columns.
	Columns []string
	// Layout is what class folders were taken for. It is empty for other sources.
	Layout Layout
	// FoldCount is the manifest's number of folds if one was held out, else 0.
	FoldCount int
	// Ignored counts the files in the data's folder that are left out: those that
	// are not images, and everything next to files of records. Hidden files do not
	// count.
	Ignored int
	// NoImages counts the ignored files that are not images by extension, in lower
	// case.
	NoImages Endings
	// Warnings are what a person should know before trusting the set.
	Warnings []pipeline.Message
}

// Parts are the parts in the order of pipeline.Parts.
func (s *Set) Parts() [3]Part { return [3]Part{s.Train, s.Validation, s.Test} }

// Part returns a part by its name: one of pipeline.Parts, or pipeline.AllParts
// for all three together. It may be empty.
func (s *Set) Part(name string) (Part, error) {
	parts, names := s.Parts(), pipeline.Parts()
	if p := slices.Index(names[:], name); p >= 0 {
		return parts[p], nil
	}
	if name == pipeline.AllParts {
		all := slices.Concat(parts[train].entries, parts[validation].entries, parts[test].entries)
		slices.SortFunc(all, byID)
		return Part{all}, nil
	}
	return Part{}, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be %s or %s", pipeline.Option("part"), name, strings.Join(names[:], ", "), pipeline.AllParts)
}

// class is the name of an image's class, or empty if it has none.
func (s *Set) class(e entry) string {
	if e.sample.Label < 0 {
		return ""
	}
	return s.Classes[e.sample.Label]
}

// Digest is the SHA-256, in hex, of the classes and of every image's part,
// label and weight. It does not cover what the images show or where they are.
func (s *Set) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "classes %q\n", s.Classes)
	for i, p := range s.Parts() {
		fmt.Fprintf(h, "%v %s\n", part(i), p.Digest())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Part is one part of a data set. It implements pipeline.Encoded; the zero
// Part is empty.
type Part struct{ entries []entry }

// entry is an image with its place in the data set.
type entry struct {
	sample pipeline.Sample
	key    string  // as in item
	more   *listed // nil for nothing
	stored stored
}

// listed is what few sources say of an image. It is kept apart, because a set may
// have millions of images.
type listed struct {
	group, fold string   // empty for none
	values      []string // by listing.values; nil if the source has no columns
}

func (e entry) listed() listed {
	if e.more == nil {
		return listed{}
	}
	return *e.more
}

// stored is an image as its source stores it. Each kind of source has a type.
type stored interface{ read() ([]byte, error) }

// file is an image that is a file of its own: a folder and a slash path from there,
// or no folder and the path as it was given. So all images of a folder share one
// string for it, and each shares its path with its ID.
type file struct{ folder, name string }

func (f file) path() string {
	if f.folder == "" {
		return f.name
	}
	return filepath.Join(f.folder, filepath.FromSlash(f.name))
}

func (f file) read() ([]byte, error) { return regular.Read(f.path(), maxBytes) }

func byID(a, b entry) int { return cmp.Compare(a.sample.ID, b.sample.ID) }

// Len is the number of images.
func (p Part) Len() int { return len(p.entries) }

// Sample is image i without its bytes.
func (p Part) Sample(i int) pipeline.Sample { return p.entries[i].sample }

// Bytes reads all of image i as it is stored.
func (p Part) Bytes(i int) ([]byte, error) {
	b, err := p.entries[i].stored.read()
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadData, "%w", err) // it names the file
	}
	return b, nil
}

// Path is the file that image i is. ok is false for an image inside a file of
// records.
func (p Part) Path(i int) (path string, ok bool) {
	f, ok := p.entries[i].stored.(file)
	if !ok {
		return "", false
	}
	return f.path(), true
}

// Column holds each image's value in the k-th of Options.Columns, in the part's
// order. It is empty if the image's source has no such column.
func (p Part) Column(k int) []string {
	values := make([]string, len(p.entries))
	for i, e := range p.entries {
		if of := e.listed().values; k < len(of) {
			values[i] = of[k]
		}
	}
	return values
}

// Digest is the SHA-256, in hex, of the images' IDs, labels and weights in
// order.
func (p Part) Digest() string {
	h := sha256.New()
	for _, e := range p.entries {
		fmt.Fprintf(h, "%q %d", e.sample.ID, e.sample.Label)
		if e.sample.Weight != 1 {
			fmt.Fprintf(h, " %g", e.sample.Weight)
		}
		fmt.Fprintln(h)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// part is an index into a data set's three parts.
type part int

const (
	train part = iota
	validation
	test
)

// String is what messages call the part.
func (p part) String() string { return [...]string{"train", "validation", "test"}[p] }

// name is what options and files call it.
func (p part) name() string { return pipeline.Parts()[p] }

// quoted lists names for a message: the first few if there are many.
func quoted(names []string) string {
	const most = 5
	var b strings.Builder
	for i, name := range names[:min(len(names), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", printable.Shorten(name, 200))
	}
	if more := len(names) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
