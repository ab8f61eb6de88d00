package metrics

import (
	"cmp"
	"math"
	"slices"
)

// most is the most samples in either list of Choose.
const most = 24

// Choose picks the samples worth a look, as indexes of the table's predictions:
// the most confident mistakes, and the least certain predictions, right or wrong.
// These are the ones with the smallest gap between the two largest probabilities,
// or between the probability and the threshold if there is one. If the decision
// abstains, they are the nearest to the confidence that gets an answer. At most half of
// a small set counts as uncertain.
func (t Table) Choose(d Decision) (mistakes, uncertain []int) {
	predictions := t.Calibrate(d)
	sure := make([]float32, len(predictions)) // probability of the predicted class
	gap := make([]float32, len(predictions))
	for i, p := range predictions {
		class := d.Class(p.Probabilities)
		sure[i] = p.Probabilities[class]
		gap[i] = margin(p.Probabilities)
		if d.Threshold > 0 && len(p.Probabilities) == 2 {
			gap[i] = float32(math.Abs(float64(p.Probabilities[1]) - d.Threshold))
		}
		if d.Abstains() {
			gap[i] = float32(math.Abs(float64(d.ConfidenceOf(p.Probabilities)) - d.Confidence))
		}
		if class != p.Sample.Label {
			mistakes = append(mistakes, i)
		}
		uncertain = append(uncertain, i)
	}
	slices.SortStableFunc(mistakes, func(a, b int) int { return cmp.Compare(sure[b], sure[a]) })
	slices.SortStableFunc(uncertain, func(a, b int) int { return cmp.Compare(gap[a], gap[b]) })
	return mistakes[:min(len(mistakes), most)], uncertain[:min((len(uncertain)+1)/2, most)]
}

// margin is the distance between the two largest probabilities.
func margin(probabilities []float32) float32 {
	first, second := float32(0), float32(0)
	for _, p := range probabilities {
		switch {
		case p > first:
			first, second = p, first
		case p > second:
			second = p
		}
	}
	return first - second
}
