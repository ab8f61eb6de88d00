// Package curve has the numbers of a learning curve: on which images to train, how
// the error falls with their number, and what to expect of more.
//
// The error of a head trained on n images is taken for a power law with a floor,
//
//	error(n) = a + b n^-c, and never more than that of guessing,
//
// which is what Hestness et al. (2017) and Rosenfeld et al. (2020) found for deep
// networks. Viering and Loog (2021) show curves that are no power laws, so the law
// holds only up to a deviation that grows with the distance from what was measured.
// Fit does not choose one a, b and c, but weighs all of a grid by how well they agree
// with the heads that were trained: an interval has all of them in it.
//
// It trains nothing and knows no images. How sure an accuracy is for other images
// is a matter of package metrics.
package curve

import (
	"math"
	"slices"

	"tftl/pipeline"
)

// Bounds of what can be asked for.
const (
	LeastSizes   = 5  // numbers of images
	MostSizes    = 20 // numbers of images
	DefaultSizes = 6
	LeastSeeds   = 2
	MostSeeds    = 50
	DefaultSeeds = 5
)

// span is how many times as many images as the smallest number the largest has.
const span = 16

// Sizes are n numbers of images from a sixteenth of all, or two per class if that is
// more, to all, evenly spaced on a logarithmic scale. There are fewer if there are too
// few images.
func Sizes(total, classes, n int) []int {
	least := min(max(float64(total)/span, float64(2*classes)), float64(total))
	var sizes []int
	for i := range n {
		size := int(math.Round(least * math.Pow(float64(total)/least, float64(i)/float64(n-1))))
		if len(sizes) == 0 || size > sizes[len(sizes)-1] {
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// Nested returns the images, of which label has the classes, in an order whose
// beginnings are samples: each has every class as often as all images do, within one
// image, and at least once. Beginnings of one order are nested.
func Nested(label []int, seed uint64) []int {
	type place struct {
		at    float64
		image int
	}
	of := map[int]int{}
	for _, class := range label {
		of[class]++
	}
	seen := map[int]int{}
	places := make([]place, 0, len(label))
	for _, image := range pipeline.Order(seed, 0, len(label)) {
		class := label[image]
		at := -1.0 // the first of each class comes before all others
		if seen[class] > 0 {
			at = (float64(seen[class]) + 0.5) / float64(of[class])
		}
		seen[class]++
		places = append(places, place{at, image})
	}
	slices.SortStableFunc(places, func(a, b place) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	order := make([]int, len(places))
	for i, p := range places {
		order[i] = p.image
	}
	return order
}
