package audit

import (
	"cmp"
	"fmt"
	"slices"

	"tftl/pipeline"
)

// Labels is what confident learning says about the labels of a data set (Northcutt,
// Jiang and Chuang: Confident Learning, 2021).
type Labels struct {
	Images int
	// Joint estimates how many images there are by given class and, in each row, by
	// the class that is probably right. A row adds up to the images with that label.
	Joint    [][]int
	Errors   Estimate // how many labels are wrong, found or not
	Confused []Pair   // from the joint, most frequent first
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
			if likely != given && n > 0 {
				judged.Confused = append(judged.Confused, Pair{classes[given], classes[likely], n})
			}
		}
	}
	slices.SortStableFunc(judged.Confused, func(a, b Pair) int { return cmp.Compare(b.Images, a.Images) })
	for _, i := range l.rank(l.prune(judged.Joint)) {
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

// prune is cleanlab's filter prune_by_noise_rate. It takes from each pair of
// classes as many images as the joint says are wrong: those for which the other class
// is most ahead of the given one. It leaves each class an image, and images whose
// given class is the most probable.
//
// docs/audit.md compares it with confident_learning, which takes all that is off the
// diagonal: that is right more often and finds fewer.
func (l labels) prune(joint [][]int) (wrong []int) {
	of := make([][]int, l.classes)
	for i, given := range l.given {
		of[given] = append(of[given], i)
	}
	for given, row := range joint {
		if len(of[given]) < 2 {
			continue
		}
		pruned := map[int]bool{}
		for other, n := range keepOne(row, given) {
			if other == given || n == 0 {
				continue
			}
			ahead := func(i int) float32 { return l.row(i)[other] - l.row(i)[given] }
			order := slices.Clone(of[given])
			slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ahead(b), ahead(a)) })
			for _, i := range order[:min(n, len(order))] {
				pruned[i] = true
			}
		}
		for _, i := range of[given] {
			if pruned[i] && !l.agrees(i) {
				wrong = append(wrong, i)
			}
		}
	}
	return wrong
}

// keepOne takes from the other entries of a row of the joint what its class needs to
// keep one image.
func keepOne(row []int, class int) []int {
	if row[class] > 0 {
		return row
	}
	others := 0
	for _, n := range row {
		others += min(n, 1)
	}
	share := 1 / float64(max(others-1, 1)) // as in cleanlab
	kept := make([]int, len(row))
	for other, n := range row {
		kept[other] = int(max(float64(n)-share, 0))
	}
	kept[class] = 1
	return kept
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
