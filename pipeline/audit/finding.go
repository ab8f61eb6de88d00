// Package audit has what is wrong with a data set: labels, copies, outliers and bad
// images. It knows numbers and findings; who computes features and probabilities, and
// who decodes images, is elsewhere.
package audit

// Kind is what a finding is about.
type Kind string

// The kinds of finding, in the order in which they are shown.
const (
	LabelError  Kind = "label-error" // the given class is probably wrong
	Duplicate   Kind = "duplicate"   // files with the same bytes
	SamePixels  Kind = "same-pixels" // files with the same pixels in other bytes
	NearCopy    Kind = "near-copy"   // resized, recompressed, mirrored, rotated, cropped or brightened
	Outlier     Kind = "outlier"     // far from all other images in feature space
	Unreadable  Kind = "unreadable"  // cannot be decoded
	Blank       Kind = "blank"       // one colour
	Dark        Kind = "dark"
	Overexposed Kind = "overexposed"
	Blurred     Kind = "blurred"
	Tiny        Kind = "tiny"      // far fewer pixels than the others
	OddShape    Kind = "odd-shape" // an aspect ratio far from the others'
)

// Kinds lists the kinds in order.
func Kinds() []Kind {
	return []Kind{LabelError, Duplicate, SamePixels, NearCopy, Outlier, Unreadable, Blank, Dark, Overexposed, Blurred, Tiny, OddShape}
}

// Finding is one image with something that is wrong or worth a look. Images of one
// group are copies of each other; each of them is a finding of its own.
type Finding struct {
	Image string // its ID in the data set
	Kind  Kind
	// Score is how bad it is, from 0 to 1, and comparable within a kind: 1 is worst.
	Score     float64
	Label     string   // its class in the data set
	Suggested string   // a class that suits it better; empty if there is none
	Part      string   // train, val or test
	Group     int      // of copies, from 1; 0 for none
	Others    []string // IDs of other images of the group, at most MostOthers, or of the nearest image
	Leak      bool     // the group has images of several parts
	Detail    string   // in words, such as "mirrored" or "class cat: 0.02, class dog: 0.97"
}
