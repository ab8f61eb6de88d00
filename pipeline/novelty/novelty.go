// Package novelty finds out which images are unlike those that a model was trained on:
// photographs of other things, drawings, noise.
//
// Classes learns the directions of the training images' features, and Limit says how far
// from them most familiar images are. What the distance is, pipeline.Novelty defines.
// This package is not for images of known things that the model is unsure of.
package novelty

import (
	"math"
	"slices"

	"tftl/pipeline"
)

// Option is the option that asks for the check.
const Option = pipeline.Option("novelty")

// Classes learns the mean direction of each class.
type Classes struct {
	space pipeline.Novelty
	sums  [][]float64
}

// NewClasses learns from the inputs of a head, which have width features at each of some
// positions.
func NewClasses(classes, positions, width int) *Classes {
	return &Classes{pipeline.Novelty{Positions: positions, Width: width}, make([][]float64, classes)}
}

// Add adds a training image, from the inputs of the head.
func (c *Classes) Add(inputs []float32, label int) error {
	if len(inputs) != c.space.Width*c.space.Positions {
		return pipeline.Errorf(pipeline.BadModel, "the head has %d inputs, but its network %d features at %d positions", len(inputs), c.space.Width, c.space.Positions)
	}
	if c.sums[label] == nil {
		c.sums[label] = make([]float64, c.space.Width)
	}
	for k, v := range c.space.Direction(inputs) {
		if math.IsNaN(v) {
			return pipeline.Errorf(pipeline.BadModel, "the features of an image are not finite")
		}
		c.sums[label][k] += v
	}
	return nil
}

// Space returns what was learnt, without a limit. A class without images, or whose
// features are all 0, has no direction.
func (c *Classes) Space() (*pipeline.Novelty, error) {
	space := c.space
	for _, sum := range c.sums {
		squares := 0.0
		for _, v := range sum {
			squares += v * v
		}
		if !(squares > 0) {
			continue
		}
		for _, v := range sum {
			space.Centers = append(space.Centers, float32(v/math.Sqrt(squares)))
		}
	}
	if len(space.Centers) == 0 {
		return nil, pipeline.Errorf(pipeline.BadData, "%s: no training image has features other than 0", Option)
	}
	return &space, nil
}

// smallest is the smallest limit: of validation images that all equal the training
// images, up to rounding.
const smallest = 1e-6

// Limit is the distance that a share of familiar images keep, chosen on images that
// were not trained on. With n of them it is the one in place ⌈share·(n+1)⌉ from below,
// so a new image that is drawn as they were keeps it with a probability of at least
// share (split conformal prediction; Vovk et al., 2005).
func Limit(distances []float64, share float64) (float32, error) {
	n := len(distances)
	rank := int(math.Ceil(share*float64(n+1) - 1e-9)) // 0.95 times 20 is 19
	if rank > n {
		least := int(math.Ceil(share/(1-share) - 1e-9))
		err := pipeline.Errorf(pipeline.BadData, "%s %v: cannot be promised: %d images of the validation part are too few: it takes at least %d", Option, share, n, least)
		if n == 0 {
			return 0, err
		}
		return 0, pipeline.WithHint(err, "the most that this validation part can promise is %v", math.Floor(1000*float64(n)/float64(n+1))/1000)
	}
	sorted := slices.Clone(distances)
	slices.Sort(sorted)
	// Rounded up, so that the image that decides is familiar.
	limit := float32(max(sorted[max(rank, 1)-1], smallest))
	return math.Nextafter32(limit, 3), nil
}
