package metrics

import (
	"math"

	"tftl/pipeline"
)

// TestSet says how many test images a 95% interval of a width takes.
type TestSet struct {
	Width float64 `json:"width"` // from the lower to the upper bound
	// Accuracy is the value that the interval is of, as it is now, and at its
	// least likely value, which takes most images.
	Accuracy Needed  `json:"accuracy"`
	AtWorst  *Needed `json:"at_worst,omitempty"` // nil if how sure the value is is not known
	// Balanced is that of the balanced accuracy, with as many images of each class. nil
	// if the classes' recalls are not known.
	Balanced *Needed       `json:"balanced_accuracy,omitempty"`
	Classes  []NeededClass `json:"classes,omitempty"`
}

// Needed is how many images an interval takes at a value.
type Needed struct {
	Value  float64 `json:"value"`
	Images int     `json:"images"`
}

// NeededClass is how many images of a class its recall takes.
type NeededClass struct {
	Class string `json:"class"`
	Needed
}

// Rate is a share of samples, such as a recall, by name.
type Rate struct {
	Name  string
	Value float64
}

// NewTestSet computes how many images the interval of an accuracy takes, and that of
// each recall. bounds, if it is not nil, is an interval of the accuracy.
func NewTestSet(width, accuracy float64, bounds *Interval, recalls []Rate) (TestSet, error) {
	t := TestSet{Width: width}
	if !(width >= leastWidth && width < 1) {
		return t, pipeline.Errorf(pipeline.BadUsage, "%s %v: must be from %v to below 1", pipeline.Option("width"), width, leastWidth)
	}
	if !(accuracy >= 0 && accuracy <= 1) {
		return t, pipeline.Errorf(pipeline.BadUsage, "%s %v: must be from 0 to 1", pipeline.Option("accuracy"), accuracy)
	}
	t.Accuracy = needed(accuracy, width, 1)
	if bounds != nil {
		worst := needed(min(max(0.5, bounds[0]), bounds[1]), width, 1)
		t.AtWorst = &worst
	}
	var sum, variance float64
	for _, r := range recalls {
		t.Classes = append(t.Classes, NeededClass{r.Name, needed(r.Value, width, 1)})
		sum, variance = sum+r.Value, variance+r.Value*(1-r.Value)
	}
	if n := float64(len(recalls)); n > 0 {
		mean := sum / n
		share := 1.0
		if mean > 0 && mean < 1 {
			share = variance / n / (mean * (1 - mean)) // of the variance of a proportion
		}
		balanced := needed(mean, width, share)
		balanced.Images = len(recalls) * ceil(float64(balanced.Images)/n)
		t.Balanced = &balanced
	}
	return t, nil
}

// leastWidth takes 38 million images.
const leastWidth = 0.0005

// needed is the least number of samples with which Wilson's interval of a value is not
// wider than width, if the value varies a share as much as a proportion.
func needed(value, width, share float64) Needed {
	low, high := 0.0, 1.0
	wide := func(n float64) bool {
		i := wilson(value, n)
		return i[1]-i[0] > width
	}
	for wide(high) {
		low, high = high, 2*high
	}
	for range 60 {
		if middle := (low + high) / 2; wide(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	if share == 1 { // the value is a number of samples, so there are no parts of them
		return Needed{value, ceil(high)}
	}
	return Needed{value, max(ceil(high*share), 1)}
}

// ceil rounds up, but not what only rounding made larger.
func ceil(v float64) int { return int(math.Ceil(v - 1e-6)) }
