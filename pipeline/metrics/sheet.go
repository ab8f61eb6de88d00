package metrics

import (
	"cmp"
	"slices"

	"tftl/internal/machine"
	"tftl/pipeline"
)

// sheet is a table with everything that stays the same however often each
// sample is counted, so that a resample costs one recount and no more.
type sheet struct {
	classes []string
	columns []column
	rows    [][]float32 // probabilities at the decision's temperature
	topK    int         // 0: there is no top-k accuracy
	label   []int
	choice  []int // the predicted class
	loss    []float64
	brier   []float64
	top     []bool // the class is among the topK most likely; nil if topK is 0
	belief  []belief
	answering
}

func newSheet(t Table, o Options) (*sheet, error) {
	if len(t.Predictions) == 0 {
		return nil, pipeline.Errorf(pipeline.BadData, "no samples to evaluate")
	}
	if err := checkClasses(t.Classes); err != nil {
		return nil, err
	}
	if err := machine.Fits(8 * int64(len(t.Classes)) * int64(len(t.Classes))); err != nil { // the confusion matrix
		return nil, err
	}
	t, err := t.Decide(o.Decision)
	if err != nil {
		return nil, err
	}
	s := &sheet{classes: t.Classes, topK: effectiveTopK(o.TopK, len(t.Classes)), loss: t.Loss}
	s.columns = slices.DeleteFunc(columns(s.classes, s.topK), func(c column) bool { return c.needs != nil && !c.needs(o.Decision) })
	for _, p := range t.Predictions {
		s.rows = append(s.rows, p.Probabilities)
		s.label = append(s.label, p.Sample.Label)
		s.choice = append(s.choice, o.Decision.Class(p.Probabilities))
		s.brier = append(s.brier, brier(p))
		s.belief = append(s.belief, newBelief(p, Bins))
		if s.topK > 0 {
			s.top = append(s.top, moreLikely(p.Probabilities, p.Sample.Label) < s.topK)
		}
	}
	s.answering = newAnswering(s, o.Decision)
	return s, nil
}

func checkRows(p pipeline.Prediction, classes int) error {
	if n := len(p.Probabilities); n != classes {
		return pipeline.Errorf(pipeline.BadModel, "sample %q: %d probabilities for %d classes", p.Sample.ID, n, classes)
	}
	if n := len(p.Logits); p.Logits != nil && n != classes {
		return pipeline.Errorf(pipeline.BadModel, "sample %q: %d logits for %d classes", p.Sample.ID, n, classes)
	}
	return nil
}

// effectiveTopK is Options.TopK for a number of classes; 0 if it would count all
// of them, or only one, which is the accuracy.
func effectiveTopK(asked, classes int) int {
	k := cmp.Or(asked, 5)
	if k < 2 || k >= classes {
		return 0
	}
	return k
}

// brier is the squared distance of a row from the truth. It is halved for two
// classes, whose terms are equal: scikit-learn's scale_by_half="auto".
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

// moreLikely is how many classes are more likely than this one. Among equally
// likely classes the last counts as the most likely, and NaN counts as more likely
// than any number: numpy's order, reversed.
func moreLikely(row []float32, class int) int {
	v, before := row[class], 0
	for i, w := range row {
		if w > v || w == v && i > class || w != w && (v == v || i > class) {
			before++
		}
	}
	return before
}

// report is the report of a count of every sample, without intervals.
func (s *sheet) report(c *count, values []float64) Report {
	r := Report{Samples: c.samples, TopK: s.topK, Values: Values{}}
	for i, name := range s.classes {
		r.Classes = append(r.Classes, Class{Name: name, Support: c.support[i], Values: Values{}})
	}
	for i, column := range s.columns {
		if column.index >= 0 {
			r.Classes[column.index].Values[column.definition.name] = values[i]
		} else {
			r.Values[column.name] = values[i]
		}
	}
	r.ConfusionMatrix = make([][]int, len(s.classes))
	for i := range r.ConfusionMatrix {
		r.ConfusionMatrix[i] = make([]int, len(s.classes))
	}
	for i, label := range s.label {
		r.ConfusionMatrix[label][s.choice[i]]++
	}
	return r
}
