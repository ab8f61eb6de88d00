package metrics

import "math"

// tally is of each class how many samples are of it, were predicted to be, and
// both: every figure of the confusion matrix follows from these.
type tally struct{ support, predicted, hits []int }

func newTally(classes int) tally {
	return tally{support: make([]int, classes), predicted: make([]int, classes), hits: make([]int, classes)}
}

func (t tally) add(label, predicted, times int) {
	t.support[label] += times
	t.predicted[predicted] += times
	if label == predicted {
		t.hits[label] += times
	}
}

// summarize computes the figures that follow from decisions alone. At least one
// sample must have been counted.
func (t tally) summarize(classes []string) Report {
	r := Report{Classes: make([]Class, len(classes))}
	correct, present := 0, 0
	for i, n := range t.support {
		r.Samples += n
		correct += t.hits[i]
		if n > 0 {
			present++
		}
	}
	for i, name := range classes {
		s := Scores{
			Precision: ratio(t.hits[i], t.predicted[i]),
			Recall:    ratio(t.hits[i], t.support[i]),
			F1:        ratio(2*t.hits[i], t.support[i]+t.predicted[i]),
		}
		r.Classes[i] = Class{Name: name, Support: t.support[i], Scores: s}
		r.Macro.add(s, 1/float64(len(classes)))
		r.Weighted.add(s, ratio(t.support[i], r.Samples))
		r.BalancedAccuracy += s.Recall / float64(present) // recall is 0 without support
	}
	r.Accuracy = ratio(correct, r.Samples)
	r.Micro = Scores{Precision: r.Accuracy, Recall: r.Accuracy, F1: r.Accuracy}
	r.Kappa, r.MCC = t.agreement(correct, r.Samples)
	return r
}

// agreement is Cohen's kappa, NaN where chance alone would agree everywhere,
// and Matthews' correlation, 0 where truth or prediction does not vary.
func (t tally) agreement(correct, samples int) (kappa, mcc float64) {
	var both, truth, predicted float64 // sums of products of the margins
	for i, n := range t.support {
		s, p := float64(n), float64(t.predicted[i])
		both, truth, predicted = both+s*p, truth+s*s, predicted+p*p
	}
	n, c := float64(samples), float64(correct)
	kappa = 1 - (n-c)/(n-both/n)
	if both == n*n {
		kappa = math.NaN()
	}
	if variance := (n*n - truth) * (n*n - predicted); variance > 0 {
		mcc = (c*n - both) / math.Sqrt(variance)
	}
	return kappa, mcc
}

func (s *Scores) add(t Scores, weight float64) {
	s.Precision += weight * t.Precision
	s.Recall += weight * t.Recall
	s.F1 += weight * t.F1
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
