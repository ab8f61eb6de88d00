package metrics

import (
	"cmp"
	"math"

	"tftl/pipeline"
)

// sheet is a table with everything that is the same however often each of its
// samples is counted, so that a resample costs a recount and no more.
type sheet struct {
	classes     []string
	predictions []pipeline.Prediction // at the decision's temperature
	topK        int                   // 0: no such figure
	label       []int
	predicted   []int
	loss        []float64
	brier       []float64
	top         []bool // the label is among the topK most likely; nil where topK is 0
	belief      []belief
	rankings    []ranking // by class
}

func newSheet(t Table, o Options) (*sheet, error) {
	if len(t.Predictions) == 0 {
		return nil, noSamples()
	}
	if err := o.Decision.Check(len(t.Classes)); err != nil {
		return nil, err
	}
	s := &sheet{classes: t.Classes, topK: effectiveTopK(o.TopK, len(t.Classes))}
	for _, p := range t.Predictions {
		if err := checkRows(p, len(t.Classes)); err != nil {
			return nil, err
		}
		p = o.Decision.calibrate(p)
		loss, err := Loss(p)
		if err != nil {
			return nil, err
		}
		s.predictions = append(s.predictions, p)
		s.label = append(s.label, p.Sample.Label)
		s.predicted = append(s.predicted, o.Decision.Class(p.Probabilities))
		s.loss = append(s.loss, loss)
		s.brier = append(s.brier, brier(p))
		s.belief = append(s.belief, newBelief(p, Bins))
		if s.topK > 0 {
			s.top = append(s.top, rank(p.Probabilities, p.Sample.Label) < s.topK)
		}
	}
	for class := range t.Classes {
		s.rankings = append(s.rankings, newRanking(s.predictions, class))
	}
	return s, nil
}

// effectiveTopK is Options.TopK for so many classes; 0 where it counts no less
// than all of them, or one alone, which is the accuracy.
func effectiveTopK(asked, classes int) int {
	k := cmp.Or(asked, 5)
	if k < 2 || k >= classes {
		return 0
	}
	return k
}

// brier is the squared distance of a row from the truth, halved for two
// classes, where both terms are the same: scikit-learn's scale_by_half="auto".
func brier(p pipeline.Prediction) float64 {
	var sum float64
	for i, q := range p.Probabilities {
		d := float64(q)
		if i == p.Sample.Label {
			d--
		}
		sum += d * d
	}
	if len(p.Probabilities) < 3 {
		sum /= 2
	}
	return sum
}

// rank is how many classes are more likely. Of equally likely ones the last is
// the most likely, and a NaN is more so than any number: numpy's order, reversed.
func rank(row []float32, class int) int {
	v, before := row[class], 0
	for i, w := range row {
		if w > v || w == v && i > class || w != w && (v == v || i > class) {
			before++
		}
	}
	return before
}

// report counts every sample once.
func (s *sheet) report() Report {
	r := s.count(once(len(s.label)))
	r.ConfusionMatrix = make([][]int, len(s.classes))
	for i := range r.ConfusionMatrix {
		r.ConfusionMatrix[i] = make([]int, len(s.classes))
	}
	for i, label := range s.label {
		r.ConfusionMatrix[label][s.predicted[i]]++
	}
	return r
}

// count counts sample i as often as times[i] says. The confusion matrix is left
// out: no figure needs all of it.
func (s *sheet) count(times []uint8) Report {
	counts := newTally(len(s.classes))
	var loss, brier float64
	top := 0
	for i, t := range times {
		if t == 0 {
			continue
		}
		n := int(t)
		counts.add(s.label[i], s.predicted[i], n)
		loss += float64(n) * s.loss[i]
		brier += float64(n) * s.brier[i]
		if s.topK > 0 && s.top[i] {
			top += n
		}
	}
	r := counts.summarize(s.classes)
	n := float64(r.Samples)
	r.Loss, r.Brier, r.ECE = loss/n, brier/n, calibrationError(s.belief, times)
	r.TopK, r.TopKAccuracy = s.topK, float64(top)/n
	var areas, averages mean
	for class, ranking := range s.rankings {
		c := &r.Classes[class]
		c.ROCAUC, c.AveragePrecision = ranking.areas(times)
		areas.add(c.ROCAUC)
		averages.add(c.AveragePrecision)
	}
	r.ROCAUC, r.AveragePrecision = areas.value(), averages.value()
	return r
}

// mean is over the values that are numbers, and NaN where there is none.
type mean struct {
	sum   float64
	count int
}

func (m *mean) add(v float64) {
	if !math.IsNaN(v) {
		m.sum += v
		m.count++
	}
}

func (m *mean) value() float64 { return m.sum / float64(m.count) }
