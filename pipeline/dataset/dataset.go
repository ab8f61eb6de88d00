// Package dataset says where labelled images come from and which part of a
// data set, train, validation or test, each belongs to.
//
// A kind of source (folders with a sub-folder per class, a CSV or TSV manifest,
// TFRecord files, CIFAR's binary files) makes a listing: every image with its
// class, and with its part where the source tells parts apart. What follows is
// the same for all kinds: leaving out what is not wanted, numbering the
// classes, cutting the parts that are not given, and the checks without which
// training would fail late or, worse, not at all. Images are listed and not
// decoded: decoding, augmenting and shuffling are others' work, and whether the
// bytes are an image is found out there.
package dataset

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"tftl/pipeline"
)

// Set is a data set: its classes and its parts, which have no image in common.
type Set struct {
	// Description says what the data was taken for, in one line.
	Description string
	// Classes are named as ClassName has it, in bytewise order, as Keras has
	// them. Sample.Label is an index of it.
	Classes []string
	// The parts are ordered by Sample.ID. A part that the data set does not
	// have is empty. A set that was opened for no training has what it does
	// not tell apart in Test.
	Train, Validation, Test Part
	// Layout is what class folders were taken for; of other sources it is empty.
	Layout Layout
	// FoldCount is how many the manifest has where one was held out; else 0.
	FoldCount int
	// Ignored counts the files that were taken for no image. Hidden files are
	// not among them.
	Ignored int
	// NoImages counts those of them by how their names end, in lower case, that
	// are images of no format, read or not.
	NoImages Endings
	// Warnings are what a person should know before trusting the set, a line
	// each.
	Warnings []string
}

// Subset is a part by the name that the command line has for it: train, val,
// test, or all for the three together. It may be empty.
func (s *Set) Subset(name string) (Part, error) {
	switch name {
	case "train":
		return s.Train, nil
	case "val":
		return s.Validation, nil
	case "test":
		return s.Test, nil
	case "all":
		all := slices.Concat(s.Train.entries, s.Validation.entries, s.Test.entries)
		slices.SortFunc(all, byID)
		return Part{all}, nil
	}
	return Part{}, pipeline.Errorf(pipeline.BadUsage, "unknown subset %q: it is one of train, val, test, all", name)
}

// Digest is the SHA-256, in hex, of the classes and of which image is in
// which part, under which label and with which weight. It does not cover what
// the images show, nor where the root lies.
func (s *Set) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "classes %q\n", s.Classes)
	for i, p := range [...]Part{s.Train, s.Validation, s.Test} {
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
	key    string // as item has it
	group  string
	fold   string
	values []string // as item has them
	stored stored
}

// stored is an image where it lies. A kind of source has one type of it.
type stored interface{ read() ([]byte, error) }

// file is an image that has a file to itself.
type file string

// maxBytes is the largest image that is read: the largest that is decoded.
const maxBytes = 256 << 20

func (f file) read() ([]byte, error) {
	info, err := os.Stat(string(f))
	if err != nil {
		return nil, err
	}
	if info.Size() > maxBytes {
		return nil, fmt.Errorf("%s: its %d bytes are more than the limit of %d", string(f), info.Size(), maxBytes)
	}
	return os.ReadFile(string(f))
}

func byID(a, b entry) int { return cmp.Compare(a.sample.ID, b.sample.ID) }

// Len is the number of images.
func (p Part) Len() int { return len(p.entries) }

// Sample is image i without its bytes.
func (p Part) Sample(i int) pipeline.Sample { return p.entries[i].sample }

// Bytes reads image i whole, as it is stored.
func (p Part) Bytes(i int) ([]byte, error) {
	b, err := p.entries[i].stored.read()
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadData, "%w", err) // it names the file
	}
	return b, nil
}

// Column is what each image has in the k-th of Options.Columns, in the part's
// order: empty where its source has no such column.
func (p Part) Column(k int) []string {
	values := make([]string, len(p.entries))
	for i, e := range p.entries {
		if k < len(e.values) {
			values[i] = e.values[k]
		}
	}
	return values
}

// Digest is the SHA-256, in hex, of the images' IDs, labels and weights in
// their order.
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

// part is an index of a data set's three parts.
type part int

const (
	train part = iota
	validation
	test
)

func (p part) String() string { return [...]string{"train", "validation", "test"}[p] }

// quoted lists names for a message, the first few of many.
func quoted(names []string) string {
	const most = 5
	var b strings.Builder
	for i, name := range names[:min(len(names), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", name)
	}
	if more := len(names) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
