package check

import (
	"cmp"
	"fmt"
	"slices"
)

// Kind is what a finding is about.
type Kind string

// The kinds of finding, in the order in which they are told. Those that spoil a
// run or its figures come first; the others are warnings.
const (
	Unreadable          Kind = "unreadable"
	Blank               Kind = "blank"
	MissingClass        Kind = "missing-class"
	LeakedDuplicate     Kind = "duplicate-across-parts"
	LeakedNearDuplicate Kind = "near-duplicate-across-parts"

	Imbalance      Kind = "imbalance"
	WrongExtension Kind = "wrong-extension"
	Duplicate      Kind = "duplicate"
	NearDuplicate  Kind = "near-duplicate"
)

// kinds are all of them, each with the words under which its findings are listed.
func kinds() []struct {
	Kind
	words string
} {
	return []struct {
		Kind
		words string
	}{
		{Unreadable, "images that cannot be read"},
		{Blank, "blank images"},
		{MissingClass, "classes that a part lacks"},
		{LeakedDuplicate, "images that are in several parts"},
		{LeakedNearDuplicate, "images with a near duplicate in another part"},
		{Imbalance, "unequal classes"},
		{WrongExtension, "images under another format's extension"},
		{Duplicate, "images that are there more than once"},
		{NearDuplicate, "images with a near duplicate in their part"},
	}
}

// Spoils says whether a finding of this kind spoils a run or its figures.
func (k Kind) Spoils() bool {
	switch k {
	case Unreadable, Blank, MissingClass, LeakedDuplicate, LeakedNearDuplicate:
		return true
	}
	return false
}

// File is an image and its place.
type File struct {
	Path  string `json:"path"`
	Part  string `json:"part"`
	Class string `json:"class"`
}

// Finding is one thing that is wrong, or worth a look. One about duplicates has
// two files or more.
type Finding struct {
	Kind   Kind   `json:"kind"`
	Spoils bool   `json:"spoils"`
	Detail string `json:"detail,omitempty"`
	Files  []File `json:"files,omitempty"`
}

// Class is a class and how many images of it there are.
type Class struct {
	Name   string `json:"name"`
	Images [3]int `json:"images"` // train, val, test
}

// Range is how large images are in one direction, in pixels.
type Range struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	Max    int `json:"max"`
}

// Report is what a check came to.
type Report struct {
	TakenFor  string         `json:"taken_for"`
	Warnings  []string       `json:"warnings,omitempty"` // of opening the data set
	Ignored   int            `json:"ignored_files"`
	NoImages  map[string]int `json:"no_images,omitempty"` // of them, by how their names end
	Images    int            `json:"images"`
	Classes   []Class        `json:"classes"`
	Imbalance float64        `json:"imbalance"` // of train: its largest class over its smallest; 0 where one is empty
	Formats   map[string]int `json:"formats"`
	Width     *Range         `json:"width,omitempty"` // of the images that can be decoded
	Height    *Range         `json:"height,omitempty"`
	Notes     Notes          `json:"notes"`
	Findings  []Finding      `json:"findings"`
}

// Spoiled counts the findings that spoil a run or its figures.
func (r *Report) Spoiled() (n int) {
	for _, f := range r.Findings {
		if f.Spoils {
			n++
		}
	}
	return n
}

func (r *Report) find(kind Kind, detail string, files ...File) {
	r.Findings = append(r.Findings, Finding{kind, kind.Spoils(), detail, files})
}

// findAlike tells of images that are alike, by whether one part has them all.
func (r *Report) findAlike(within, across Kind, images []image, group []int) {
	kind, detail := within, ""
	files := make([]File, len(group))
	for i, at := range group {
		files[i] = images[at].File
		if files[i].Part != files[0].Part {
			kind = across
		}
		if files[i].Class != files[0].Class {
			detail = "in different classes"
		}
	}
	r.find(kind, detail, files...)
}

// muchMore is from when on classes are called unequal: of two, the larger one
// then has three quarters of the images, which is the accuracy of guessing it
// always.
const muchMore = 3

// weigh compares the largest with the smallest class of the training part.
func (r *Report) weigh() {
	if len(r.Classes) == 0 {
		return
	}
	byTrain := func(a, b Class) int { return cmp.Compare(a.Images[0], b.Images[0]) }
	small, large := slices.MinFunc(r.Classes, byTrain), slices.MaxFunc(r.Classes, byTrain)
	if small.Images[0] == 0 {
		return // it is missing, which has been said
	}
	r.Imbalance = float64(large.Images[0]) / float64(small.Images[0])
	if r.Imbalance >= muchMore {
		r.find(Imbalance, fmt.Sprintf("train has %.1f times as many images of %s (%d) as of %s (%d)",
			r.Imbalance, large.Name, large.Images[0], small.Name, small.Images[0]))
	}
}

func (r *Report) measure(images []image) {
	var widths, heights []int
	for _, im := range images {
		if im.header.Format != "" {
			r.Formats[im.header.Format]++
		}
		if im.thumbnail != nil {
			widths, heights = append(widths, im.header.Width), append(heights, im.header.Height)
		}
	}
	r.Width, r.Height = rangeOf(widths), rangeOf(heights)
}

func rangeOf(values []int) *Range {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	return &Range{values[0], values[len(values)/2], values[len(values)-1]}
}

// sort puts the findings in the kinds' order, and leaves those of a kind in theirs.
func (r *Report) sort() {
	order := map[Kind]int{}
	for i, k := range kinds() {
		order[k.Kind] = i
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(order[a.Kind], order[b.Kind]) })
}
