package metrics

import (
	"context"
	"maps"
	"math"
	"math/big"
	"slices"

	"tftl/pipeline"
)

// Comparison is the result of two models on the same samples. A is the baseline.
type Comparison struct {
	Samples     int          `json:"samples"`
	A           Report       `json:"a"`
	B           Report       `json:"b"`
	Differences []Difference `json:"differences"` // in the order of Metrics
	OnlyA       int          `json:"only_a"`      // samples that only A gets right
	OnlyB       int          `json:"only_b"`      // samples that only B gets right
	McNemar     float64      `json:"mcnemar"`     // probability that OnlyA and OnlyB differ at least this much by chance
	Flipped     []Flip       `json:"flipped"`     // every sample on which A and B disagree, in A's order
	Resamples   int          `json:"resamples,omitempty"`
	Seed        uint64       `json:"seed,omitempty"`
	Warnings    []string     `json:"warnings,omitempty"`
}

// Difference is B minus A for one metric, with its 95% interval. Both bounds are
// NaN if it has none.
type Difference struct {
	Name                           string
	A, B, Difference, Lower, Upper float64
}

// Flip is a sample for which two models predict different classes.
type Flip struct {
	ID           string  `json:"path"`
	Label        string  `json:"label"`
	A            string  `json:"a"` // the predicted class
	B            string  `json:"b"`
	ProbabilityA float32 `json:"probability_a"` // of the predicted class
	ProbabilityB float32 `json:"probability_b"`
}

// Compare measures two models on the same samples. They are paired by ID and may
// be in another order, but labels and classes must be the same. Its bootstrap
// draws samples, so each draw measures both models on the same ones. Cancelling
// ctx stops it.
func Compare(ctx context.Context, a, b Table, da, db Decision, o Options) (Comparison, error) {
	a, err := a.Decide(da)
	if err != nil {
		return Comparison{}, err
	}
	if b, err = b.Decide(db); err != nil {
		return Comparison{}, err
	}
	if b, err = pair(a, b); err != nil {
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
	share(sa, sb)
	rows, err := measure(ctx, []*sheet{sa, sb}, o.Resamples, o.Seed, every)
	if err != nil {
		return Comparison{}, err
	}
	ca, cb := sa.count(once(len(sa.label))), sb.count(once(len(sb.label)))
	va, vb, drawn := rows[0][:len(sa.columns)], rows[0][len(sa.columns):], rows[1:]
	c := Comparison{Samples: len(a.Predictions), A: sa.report(ca, va), B: sb.report(cb, vb)}
	c.A.Decision, c.B.Decision = da, db
	c.flips(a, sa, sb)
	c.McNemar = McNemar(c.OnlyA, c.OnlyB)
	c.Warnings = warnings(c.A)
	if o.Resamples > 0 {
		c.Resamples, c.Seed = o.Resamples, o.Seed
		c.A.Intervals, c.B.Intervals = ca.intervals(va, drawn, every), cb.intervals(vb, second(drawn), every)
	}
	for i, column := range sa.columns {
		samples := math.Inf(1)
		if !column.ofProbabilities {
			samples = min(ca.size(column), cb.size(column))
		}
		d := Difference{Name: column.name, A: va[i], B: vb[i], Difference: vb[i] - va[i]}
		interval := paired(d.Difference, between(drawn, i), samples)
		most := column.max - column.min // that two values can differ
		d.Lower, d.Upper = max(interval[0], -most), min(interval[1], most)
		c.Differences = append(c.Differences, d)
	}
	return c, nil
}

// share leaves each of two sheets the columns that the other has too.
func share(a, b *sheet) {
	lacks := func(s *sheet) func(column) bool {
		has := map[string]bool{}
		for _, c := range s.columns {
			has[c.name] = true
		}
		return func(c column) bool { return !has[c.name] }
	}
	a.columns = slices.DeleteFunc(a.columns, lacks(b))
	b.columns = slices.DeleteFunc(b.columns, lacks(a))
}

// second is the second half of each row.
func second(drawn [][]float64) [][]float64 {
	halves := make([][]float64, len(drawn))
	for i, row := range drawn {
		halves[i] = row[len(row)/2:]
	}
	return halves
}

// between is B minus A of one column in each resample that has both.
func between(drawn [][]float64, i int) (differences []float64) {
	for _, row := range drawn {
		if d := row[len(row)/2+i] - row[i]; !math.IsNaN(d) {
			differences = append(differences, d)
		}
	}
	return differences
}

// flips finds the samples on which the two models disagree.
func (c *Comparison) flips(t Table, a, b *sheet) {
	for i, label := range a.label {
		classA, classB := a.choice[i], b.choice[i]
		if classA == classB {
			continue
		}
		if classA == label {
			c.OnlyA++
		}
		if classB == label {
			c.OnlyB++
		}
		c.Flipped = append(c.Flipped, Flip{
			ID: t.Predictions[i].Sample.ID, Label: a.classes[label],
			A: a.classes[classA], ProbabilityA: a.rows[i][classA],
			B: a.classes[classB], ProbabilityB: b.rows[i][classB],
		})
	}
}

// pair is b with its samples in a's order. Both are decided.
func pair(a, b Table) (Table, error) {
	if !slices.Equal(a.Classes, b.Classes) {
		return Table{}, pipeline.Errorf(pipeline.BadData, "the two models differ in their classes or in the order of these: %s; %s", quoted(a.Classes), quoted(b.Classes))
	}
	index := make(map[string]int, len(b.Predictions))
	for i, p := range b.Predictions {
		if _, twice := index[p.Sample.ID]; twice {
			return Table{}, pipeline.Errorf(pipeline.BadData, "sample %q is listed twice", p.Sample.ID)
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
		delete(index, p.Sample.ID) // so that a duplicate in a is not found again
		if b.Predictions[i].Sample.Label != p.Sample.Label {
			relabelled = append(relabelled, p.Sample.ID)
		}
		paired.Predictions, paired.Loss = append(paired.Predictions, b.Predictions[i]), append(paired.Loss, b.Loss[i])
	}
	const others = "the two models were not measured on the same samples: "
	switch {
	case len(missing) > 0:
		return Table{}, pipeline.Errorf(pipeline.BadData, others+"the second lacks %s", quoted(missing))
	case len(index) > 0:
		return Table{}, pipeline.Errorf(pipeline.BadData, others+"the first lacks %s", quoted(slices.Sorted(maps.Keys(index))))
	case len(relabelled) > 0:
		return Table{}, pipeline.Errorf(pipeline.BadData, "samples whose label changed between the two: %s", quoted(relabelled))
	}
	return paired, nil
}

// McNemar is the exact two-sided p value of McNemar's test: that of a fair coin
// which came up heads a times and tails b times. It is computed in integers,
// which lose nothing to rounding and do not overflow.
func McNemar(a, b int) float64 {
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
