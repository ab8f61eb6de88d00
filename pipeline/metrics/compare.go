package metrics

import (
	"context"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"

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
	Warnings    []string     `json:"warnings,omitempty"`
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
// draws samples, so that both models are measured on the same ones each time; it
// ends with ctx.
func Compare(ctx context.Context, a, b Table, da, db Decision, o Options) (Comparison, error) {
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
	c := Comparison{Samples: len(a.Predictions), A: sa.report(), B: sb.report()}
	c.A.Decision, c.B.Decision = da, db
	c.count(sa, sb)
	c.McNemar = mcNemar(c.OnlyA, c.OnlyB)
	c.Warnings = warnings(c.A)
	var drawn [][]float64
	if o.Resamples > 0 {
		c.Resamples, c.Seed = o.Resamples, o.Seed
		drawn, err = resample(ctx, c.Samples, o.Resamples, o.Seed, func(times []uint8) []float64 {
			return append(sa.count(times).values(), sb.count(times).values()...)
		})
		if err != nil {
			return Comparison{}, err
		}
		c.A.Intervals, c.B.Intervals = sa.intervals(c.A, drawn), sb.intervals(c.B, second(drawn))
	}
	c.Differences = differences(c.A, c.B, drawn)
	return c, nil
}

// second is the second half of each row.
func second(drawn [][]float64) [][]float64 {
	halves := make([][]float64, len(drawn))
	for i, row := range drawn {
		halves[i] = row[len(row)/2:]
	}
	return halves
}

// count finds the samples on which the two models differ.
func (c *Comparison) count(a, b *sheet) {
	for i, label := range a.label {
		classA, classB := a.predicted[i], b.predicted[i]
		if classA == classB {
			continue
		}
		if classA == label {
			c.OnlyA++
		}
		if classB == label {
			c.OnlyB++
		}
		p, q := a.predictions[i], b.predictions[i]
		c.Flipped = append(c.Flipped, Flip{
			ID: p.Sample.ID, Label: a.classes[label],
			A: a.classes[classA], ProbabilityA: p.Probabilities[classA],
			B: a.classes[classB], ProbabilityB: q.Probabilities[classB],
		})
	}
}

// pair is b with its classes as they are and its samples in a's order.
func pair(a, b Table) (Table, error) {
	if !slices.Equal(a.Classes, b.Classes) {
		return Table{}, pipeline.Errorf(pipeline.BadData, "the two models have other classes, or in another order: %s; %s", quoted(a.Classes), quoted(b.Classes))
	}
	index := make(map[string]int, len(b.Predictions))
	for i, p := range b.Predictions {
		if _, twice := index[p.Sample.ID]; twice {
			return Table{}, pipeline.Errorf(pipeline.BadData, "sample %q is there twice", p.Sample.ID)
		}
		index[p.Sample.ID] = i
	}
	paired := Table{Classes: a.Classes}
	var missing, relabelled []string
	for _, p := range a.Predictions {
		i, ok := index[p.Sample.ID]
		if !ok {
			missing = append(missing, p.Sample.ID)
			continue
		}
		delete(index, p.Sample.ID) // one that is there twice in a is found no second time
		if b.Predictions[i].Sample.Label != p.Sample.Label {
			relabelled = append(relabelled, p.Sample.ID)
		}
		paired.Predictions = append(paired.Predictions, b.Predictions[i])
	}
	const others = "the two models were not measured on the same samples: "
	switch {
	case len(missing) > 0:
		return Table{}, pipeline.Errorf(pipeline.BadData, others+"the second has no %s", quoted(missing))
	case len(index) > 0:
		return Table{}, pipeline.Errorf(pipeline.BadData, others+"the first has no %s", quoted(slices.Sorted(maps.Keys(index))))
	case len(relabelled) > 0:
		return Table{}, pipeline.Errorf(pipeline.BadData, "samples that have another label in the second, for it changed between the two: %s", quoted(relabelled))
	}
	return paired, nil
}

// quoted lists names for a message, the first few of many.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strconv.Quote(name)
	}
	return some(list, 3)
}

// differences are B's figures minus A's, with the intervals of these.
func differences(a, b Report, drawn [][]float64) []Difference {
	va, vb := a.values(), b.values()
	sizesA, sizesB := a.sizes(), b.sizes()
	all := make([]Difference, len(va))
	for i, t := range a.titles() {
		var between []float64
		for _, row := range drawn {
			if d := row[len(va)+i] - row[i]; !math.IsNaN(d) {
				between = append(between, d)
			}
		}
		d := Difference{Name: t.name, A: va[i], B: vb[i], Difference: vb[i] - va[i]}
		samples := math.Inf(1)
		if t.decided() {
			samples = min(sizesA.of(t), sizesB.of(t))
		}
		interval := paired(d.Difference, between, samples)
		most := largest(t.name) - smallest(t.name) // that two of them can differ
		d.Lower, d.Upper = max(interval[0], -most), min(interval[1], most)
		all[i] = d
	}
	return all
}

// mcNemar is the exact two-sided p value of McNemar's test: that of a fair coin
// which fell a times on one side and b times on the other. It is computed in
// whole numbers, for these cancel nothing and overflow nowhere.
func mcNemar(a, b int) float64 {
	n, least := a+b, min(a, b)
	if 2*least == n {
		return 1
	}
	tail, ways := new(big.Int), big.NewInt(1) // n over k
	for k := range least + 1 {
		tail.Add(tail, ways)
		ways.Mul(ways, big.NewInt(int64(n-k)))
		ways.Quo(ways, big.NewInt(int64(k+1)))
	}
	p, _ := new(big.Float).SetMantExp(new(big.Float).SetInt(tail), 1-n).Float64() // of both tails
	return p
}
