// Command coverage measures how often the 95% intervals of a report hold the
// true value, over simulated test sets of a model whose true figures are known,
// and those of a comparison the true difference of two models.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"text/tabwriter"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func main() {
	sets := flag.Int("sets", 1000, "test sets that are simulated")
	samples := flag.Int("samples", 1000, "samples of each")
	resamples := flag.Int("resamples", 1000, "of the bootstrap")
	truth := flag.Int("truth", 2_000_000, "samples of the set whose figures are taken for the true ones")
	skill := flag.Float64("skill", 2, "how far the right class's logit lies above the others: higher, fewer mistakes")
	seed := flag.Uint64("seed", 1, "of the simulation")
	flag.Parse()
	if err := run(*sets, *samples, *resamples, *truth, *seed, *skill); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

func run(sets, samples, resamples, truth int, seed uint64, skill float64) error {
	// The seeds of the sets follow on that of the truth.
	compare := func(n, resamples, set int) (metrics.Comparison, error) {
		a, b := simulate(n, rand.New(rand.NewPCG(seed, uint64(set))), skill)
		return metrics.Compare(context.Background(), a, b, metrics.Decision{}, metrics.Decision{}, metrics.Options{Seed: uint64(set), Resamples: resamples})
	}
	whole, err := compare(truth, 0, 0)
	if err != nil {
		return err
	}
	want := whole.A.Figures()
	figures, differences := make([]hits, len(want)), make([]hits, len(want))
	for set := range sets {
		c, err := compare(samples, resamples, set+1)
		if err != nil {
			return err
		}
		for i, f := range c.A.Figures() {
			figures[i].add(f.Lower, f.Upper, want[i].Value)
		}
		for i, d := range c.Differences {
			differences[i].add(d.Lower, d.Upper, whole.Differences[i].Difference)
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "figure\ttrue value\tcovered\tbelow\tabove\twidth\tdifference\tcovered\tbelow\tabove\twidth\t\n")
	for i, f := range want {
		fmt.Fprintf(table, "%s\t%.4f\t%s%.4f\t%s\n", f.Name, f.Value, figures[i], whole.Differences[i].Difference, differences[i])
	}
	return table.Flush()
}

// hits counts intervals: those that hold the true value, and those that lie
// below and above it.
type hits struct {
	sets, covered, below, above int
	width                       float64
}

func (h *hits) add(lower, upper, value float64) {
	h.sets++
	h.width += upper - lower
	switch {
	case upper < value:
		h.below++
	case lower > value:
		h.above++
	case lower <= value && value <= upper:
		h.covered++
	}
}

func (h hits) String() string {
	percent := func(n int) string { return strconv.FormatFloat(100*float64(n)/float64(h.sets), 'f', 1, 64) }
	return fmt.Sprintf("%s%%\t%s\t%s\t%.4f\t", percent(h.covered), percent(h.below), percent(h.above), h.width/float64(h.sets))
}

// simulate is what two models say of the same samples of three unequal classes.
// Most of what misleads one misleads the other, and the second is a little better.
func simulate(n int, random *rand.Rand, skill float64) (a, b metrics.Table) {
	classes := []string{"half", "third", "rest"}
	a, b = metrics.Table{Classes: classes}, metrics.Table{Classes: classes}
	for i := range n {
		label := 2
		if u := random.Float64(); u < 0.5 {
			label = 0
		} else if u < 5./6 {
			label = 1
		}
		sample := pipeline.Sample{ID: strconv.Itoa(i), Label: label, Weight: 1}
		first, second := make([]float32, len(classes)), make([]float32, len(classes))
		for k := range classes {
			shared, one, other := random.NormFloat64(), random.NormFloat64(), random.NormFloat64()
			first[k], second[k] = float32(shared+0.5*one), float32(shared+0.5*other)
		}
		first[label] += float32(skill)
		second[label] += float32(skill * 1.05)
		a.Predictions = append(a.Predictions, pipeline.Prediction{Sample: sample, Logits: first, Probabilities: pipeline.Softmax(first)})
		b.Predictions = append(b.Predictions, pipeline.Prediction{Sample: sample, Logits: second, Probabilities: pipeline.Softmax(second)})
	}
	return a, b
}
