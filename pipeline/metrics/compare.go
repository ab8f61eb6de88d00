package metrics

import (
	"math"
	"slices"

	"tftl/pipeline"
)

// Comparison is what two models made of the same samples. A is the one that
// is measured against.
type Comparison struct {
	Samples     int          `json:"samples"`
	A           Report       `json:"a"`
	B           Report       `json:"b"`
	Differences []Difference `json:"differences"` // in the order of Figures
	OnlyA       int          `json:"only_a"`      // right in A alone
	OnlyB       int          `json:"only_b"`      // right in B alone
	McNemar     float64      `json:"mcnemar"`     // how likely OnlyA and OnlyB are at least so far apart by chance
	Flipped     []Flip       `json:"flipped"`     // every sample that A and B put into different classes, in A's order
	Resamples   int          `json:"resamples,omitempty"`
	Seed        uint64       `json:"seed,omitempty"`
}

// Difference is B minus A of one figure, with its 95% interval. Both bounds
// are NaN where there is none.
type Difference struct {
	Name                           string
	A, B, Difference, Lower, Upper float64
}

// Flip is a sample that two models put into different classes.
type Flip struct {
	ID           string  `json:"path"`
	Label        string  `json:"label"`
	A            string  `json:"a"` // the class it was put into
	B            string  `json:"b"`
	ProbabilityA float32 `json:"probability_a"` // of that class
	ProbabilityB float32 `json:"probability_b"`
}

// Compare measures two models on the same samples, which are paired by their
// ID: in another order, but with the same labels and classes. Its bootstrap
// draws samples, so that both models are measured on the same ones each time.
func Compare(a, b Table, da, db Decision, o Options) (Comparison, error) {
	b, err := pair(a, b)
	if err != nil {
		return Comparison{}, err
	}
	oa, ob := o, o
	oa.Decision, ob.Decision = da, db
	sa, err := newSheet(a, oa)
	if err != nil {
		return Comparison{}, err
	}
	sb, err := newSheet(b, ob)
	if err != nil {
		return Comparison{}, err
	}
	ra, rb := sa.report(), sb.report()
	ra.Decision, rb.Decision = da, db
	c := Comparison{Samples: len(a.Predictions), A: ra, B: rb}
	for i, label := range sa.label {
		rightA, rightB := sa.predicted[i] == label, sb.predicted[i] == label
		switch {
		case rightA && !rightB:
			c.OnlyA++
		case rightB && !rightA:
			c.OnlyB++
		}
		if classA, classB := sa.predicted[i], sb.predicted[i]; classA != classB {
			c.Flipped = append(c.Flipped, Flip{
				ID: a.Predictions[i].Sample.ID, Label: a.Classes[label], A: a.Classes[classA], B: a.Classes[classB],
				ProbabilityA: da.calibrate(a.Predictions[i]).Probabilities[classA], ProbabilityB: db.calibrate(b.Predictions[i]).Probabilities[classB],
			})
		}
	}
	c.McNemar = mcNemar(c.OnlyA, c.OnlyB)
	c.Differences = differences(sa, sb, ra, rb, o)
	if o.Resamples > 0 {
		c.Resamples, c.Seed = o.Resamples, o.Seed
	}
	return c, nil
}

// pair is b with its classes as they are and its samples in a's order.
func pair(a, b Table) (Table, error) {
	if !slices.Equal(a.Classes, b.Classes) {
		return Table{}, pipeline.Errorf(pipeline.BadData, "the two models have other classes: %d and %d of them, or in another order", len(a.Classes), len(b.Classes))
	}
	index := make(map[string]int, len(b.Predictions))
	for i, p := range b.Predictions {
		if _, twice := index[p.Sample.ID]; twice {
			return Table{}, pipeline.Errorf(pipeline.BadData, "sample %q is there twice", p.Sample.ID)
		}
		index[p.Sample.ID] = i
	}
	if len(a.Predictions) != len(b.Predictions) {
		return Table{}, pipeline.Errorf(pipeline.BadData, "the two models were not measured on the same samples: %d and %d", len(a.Predictions), len(b.Predictions))
	}
	paired := Table{Classes: a.Classes}
	for _, p := range a.Predictions {
		i, ok := index[p.Sample.ID]
		if !ok {
			return Table{}, pipeline.Errorf(pipeline.BadData, "the two models were not measured on the same samples: the second has no %q", p.Sample.ID)
		}
		delete(index, p.Sample.ID) // one that is there twice in a is found no second time
		q := b.Predictions[i]
		if q.Sample.Label != p.Sample.Label {
			return Table{}, pipeline.Errorf(pipeline.BadData, "sample %q has another label in the second: it changed between the two", p.Sample.ID)
		}
		paired.Predictions = append(paired.Predictions, q)
	}
	return paired, nil
}

func differences(sa, sb *sheet, ra, rb Report, o Options) []Difference {
	minus := func(b, a []float64) []float64 {
		for i := range b {
			b[i] -= a[i]
		}
		return b
	}
	drawn := resample(len(sa.label), o.Resamples, o.Seed, func(times []uint8) []float64 {
		again, before := sb.count(times), sa.count(times)
		return minus(again.values(), before.values())
	})
	va, vb := ra.values(), rb.values()
	var all []Difference
	for i, name := range ra.names() {
		d := Difference{Name: name, A: va[i], B: vb[i], Difference: vb[i] - va[i]}
		interval := percentile(d.Difference, column(drawn, i))
		d.Lower, d.Upper = interval[0], interval[1]
		all = append(all, d)
	}
	return all
}

// mcNemar is the exact two-sided p value of McNemar's test: that of a fair coin
// which fell a times on one side and b times on the other.
func mcNemar(a, b int) float64 {
	n, least := a+b, min(a, b)
	if n == 0 || 2*least == n {
		return 1
	}
	whole, _ := math.Lgamma(float64(n + 1))
	var tail float64
	for k := range least + 1 {
		ways, _ := math.Lgamma(float64(k + 1))
		rest, _ := math.Lgamma(float64(n - k + 1))
		tail += math.Exp(whole - ways - rest - float64(n)*math.Ln2)
	}
	return min(2*tail, 1)
}
