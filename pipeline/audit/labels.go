package audit

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"tftl/pipeline"
)

// Labels is what confident learning says about the labels of a data set (Northcutt,
// Jiang and Chuang: Confident Learning, 2021).
type Labels struct {
	Images int
	// Joint estimates how many images there are by given class and, in each row, by
	// the class that is probably right. A row adds up to the images with that label.
	Joint    [][]float64
	Errors   Estimate // how many labels are wrong, found or not
	Confused []Pair   // most frequent first
	// Findings are the labels that are probably wrong, worst first, without a part.
	// The score is how improbable the given class is.
	Findings []Finding
}

// Pair is two classes of which one is given to images of the other.
type Pair struct {
	Given, Likely string
	Images        int // about so many, from the joint
}

// JudgeLabels compares given classes with predictions of models that did not learn
// from the image in question. The seed draws the images of the bootstrap.
func JudgeLabels(predictions []pipeline.Prediction, classes []string, seed uint64) (*Labels, error) {
	l, err := collect(predictions, len(classes))
	if err != nil {
		return nil, err
	}
	joint := l.joint()
	judged := &Labels{Images: len(l.given), Joint: calibrated(joint, l.counts()), Errors: l.estimate(joint, seed)}
	for given, row := range judged.Joint {
		for likely, n := range row {
			if likely != given && n >= 0.5 {
				judged.Confused = append(judged.Confused, Pair{classes[given], classes[likely], int(math.Round(n))})
			}
		}
	}
	slices.SortStableFunc(judged.Confused, func(a, b Pair) int { return cmp.Compare(b.Images, a.Images) })
	for _, i := range l.rank(l.offDiagonal()) {
		judged.Findings = append(judged.Findings, l.finding(i, predictions[i].Sample.ID, classes))
	}
	return judged, nil
}

// collect checks predictions.
func collect(predictions []pipeline.Prediction, classes int) (labels, error) {
	l := labels{classes: classes, given: make([]int, len(predictions)), probabilities: make([]float32, 0, len(predictions)*classes)}
	for i, p := range predictions {
		if p.Sample.Label < 0 || p.Sample.Label >= classes {
			return l, pipeline.Errorf(pipeline.BadData, "image %s: has no class, so its label cannot be judged", p.Sample.ID)
		}
		if len(p.Probabilities) != classes {
			return l, pipeline.Errorf(pipeline.BadModel, "image %s: has %d probabilities for %d classes", p.Sample.ID, len(p.Probabilities), classes)
		}
		for _, v := range p.Probabilities {
			if !(v >= 0 && v <= 1+equal) {
				return l, pipeline.Errorf(pipeline.BadModel, "image %s: a probability is %v", p.Sample.ID, v)
			}
		}
		l.given[i] = p.Sample.Label
		l.probabilities = append(l.probabilities, p.Probabilities...)
	}
	return l, nil
}

// offDiagonal lists the images that belong confidently to another class, unless their
// own is the most probable.
func (l labels) offDiagonal() []int {
	thresholds := l.thresholds()
	var wrong []int
	for i, given := range l.given {
		if class := l.confident(i, thresholds); class >= 0 && class != given && !l.agrees(i) {
			wrong = append(wrong, i)
		}
	}
	return wrong
}

// agrees reports whether the given class of an image is its most probable.
func (l labels) agrees(i int) bool {
	row := l.row(i)
	own := float64(row[l.given[i]]) + equal
	for class, p := range row {
		if class != l.given[i] && (float64(p) > own || float64(p) == own && class < l.given[i]) {
			return false
		}
	}
	return true
}

// likely is the most probable class but the given one, or -1 if there is none.
func (l labels) likely(i int) int {
	best := -1
	for class, p := range l.row(i) {
		if class != l.given[i] && (best < 0 || p > l.row(i)[best]) {
			best = class
		}
	}
	return best
}

// rank sorts images by self-confidence, the probability of the given class. Of equal
// ones that with the larger margin of another class comes first.
func (l labels) rank(images []int) []int {
	self := func(i int) float32 { return l.row(i)[l.given[i]] }
	other := func(i int) float32 { return l.row(i)[l.likely(i)] }
	slices.SortStableFunc(images, func(a, b int) int {
		return cmp.Or(cmp.Compare(self(a), self(b)), cmp.Compare(other(b), other(a)))
	})
	return images
}

// finding describes an image whose label is probably wrong.
func (l labels) finding(i int, id string, classes []string) Finding {
	given, likely, row := l.given[i], l.likely(i), l.row(i)
	return Finding{
		Image: id, Kind: LabelError, Score: min(max(1-float64(row[given]), 0), 1),
		Label: classes[given], Suggested: classes[likely],
		Detail: fmt.Sprintf("class %s: %.2f, class %s: %.2f", classes[given], row[given], classes[likely], row[likely]),
	}
}
