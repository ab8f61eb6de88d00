package check

import (
	"cmp"
	"fmt"
	"slices"
)

// Kind is what a finding is about.
type Kind string

// The kinds of finding, in the order in which they are shown. Those that spoil a
// run or its metrics come first; the others are warnings.
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

// kinds lists them, each with the heading of its findings.
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
		{MissingClass, "classes that are missing from a part"},
		{LeakedDuplicate, "duplicates across parts"},
		{LeakedNearDuplicate, "near duplicates across parts"},
		{Imbalance, "imbalanced classes"},
		{WrongExtension, "images with the extension of another format"},
		{Duplicate, "duplicates within a part"},
		{NearDuplicate, "near duplicates within a part"},
	}
}

// Spoils says whether a finding of this kind spoils a run or its metrics.
func (k Kind) Spoils() bool {
	switch k {
	case Unreadable, Blank, MissingClass, LeakedDuplicate, LeakedNearDuplicate:
		return true
	}
	return false
}

// File is an image with its part and class.
type File struct {
	Path  string `json:"path"`
	Part  string `json:"part"`
	Class string `json:"class"`
}

// Finding is something that is wrong or worth a look. If it is about duplicates,
// it has two files or more.
type Finding struct {
	Kind   Kind   `json:"kind"`
	Spoils bool   `json:"spoils"`
	Detail string `json:"detail,omitempty"`
	Files  []File `json:"files,omitempty"`
}

// Class is a class and its number of images.
type Class struct {
	Name   string `json:"name"`
	Images [3]int `json:"images"` // by part, as pipeline.Parts
}

// Range is the size of images in one direction, in pixels.
type Range struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	Max    int `json:"max"`
}

// Report is the result of a check.
type Report struct {
	TakenFor  string         `json:"taken_for"`
	Warnings  []string       `json:"warnings,omitempty"` // from opening the data set
	Ignored   int            `json:"ignored_files"`
	NoImages  map[string]int `json:"no_images,omitempty"` // of these, by extension
	Images    int            `json:"images"`
	Classes   []Class        `json:"classes"`
	Imbalance float64        `json:"imbalance"` // of train: largest class over smallest; 0 if one is empty
	Formats   map[string]int `json:"formats"`
	Width     *Range         `json:"width,omitempty"` // of the images that can be decoded
	Height    *Range         `json:"height,omitempty"`
	Notes     Notes          `json:"notes"`
	Findings  []Finding      `json:"findings"`
}

// Spoiled counts the findings that spoil a run or its metrics.
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

// findAlike adds a finding about images that are alike: of kind within if they
// are all in one part, else across.
func (r *Report) findAlike(within, across Kind, files []File) {
	kind, detail := within, ""
	for i := range files {
		if files[i].Part != files[0].Part {
			kind = across
		}
		if files[i].Class != files[0].Class {
			detail = "in different classes"
		}
	}
	r.find(kind, detail, files...)
}

// muchMore is the ratio from which classes count as imbalanced. Of two classes,
// the larger then has three quarters of the images, so always guessing it has an
// accuracy of 0.75.
const muchMore = 3

// weigh compares the largest with the smallest class of the training part.
func (r *Report) weigh() {
	if len(r.Classes) == 0 {
		return
	}
	byTrain := func(a, b Class) int { return cmp.Compare(a.Images[0], b.Images[0]) }
	small, large := slices.MinFunc(r.Classes, byTrain), slices.MaxFunc(r.Classes, byTrain)
	if small.Images[0] == 0 {
		return // that has been reported as a missing class
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
		if im.decoded {
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

// sort puts the findings in the order of their kinds. Those of a kind keep theirs.
func (r *Report) sort() {
	order := map[Kind]int{}
	for i, k := range kinds() {
		order[k.Kind] = i
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(order[a.Kind], order[b.Kind]) })
}
