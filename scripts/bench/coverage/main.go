// Command coverage measures how often the 95% intervals of an evaluation
// contain the true value, and those of a comparison the true difference of two
// models. It simulates test sets for models whose true metrics are known.
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
	sets := flag.Int("sets", 1000, "simulate `N` test sets")
	samples := flag.Int("samples", 1000, "samples per test set")
	resamples := flag.Int("resamples", 1000, "bootstrap resamples")
	truth := flag.Int("truth", 2_000_000, "samples of the set that gives the true metrics")
	skill := flag.Float64("skill", 2, "how much larger the logit of the right class is; larger means fewer mistakes")
	seed := flag.Uint64("seed", 1, "seed of the simulation")
	flag.Parse()
	if err := run(*sets, *samples, *resamples, *truth, *seed, *skill); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

func run(sets, samples, resamples, truth int, seed uint64, skill float64) error {
	// The truth has seed 0 and the test sets have those after it.
	compare := func(n, resamples, set int) (metrics.Comparison, error) {
		a, b := simulate(n, rand.New(rand.NewPCG(seed, uint64(set))), skill)
		return metrics.Compare(context.Background(), a, b, metrics.Decision{}, metrics.Decision{}, metrics.Options{Seed: uint64(set), Resamples: resamples})
	}
	whole, err := compare(truth, 0, 0)
	if err != nil {
		return err
	}
	want := whole.A.Metrics()
	values, differences := make([]hits, len(want)), make([]hits, len(want))
	for set := range sets {
		c, err := compare(samples, resamples, set+1)
		if err != nil {
			return err
		}
		for i, f := range c.A.Metrics() {
			values[i].add(f.Lower, f.Upper, want[i].Value)
		}
		for i, d := range c.Differences {
			differences[i].add(d.Lower, d.Upper, whole.Differences[i].Difference)
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "metric\ttrue value\tcovered\tbelow\tabove\twidth\tdifference\tcovered\tbelow\tabove\twidth\t\n")
	for i, f := range want {
		fmt.Fprintf(table, "%s\t%.4f\t%s%.4f\t%s\n", f.Name, f.Value, values[i], whole.Differences[i].Difference, differences[i])
	}
	return table.Flush()
}

// hits counts the intervals that contain the true value, and those below and
// above it.
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

// simulate returns the predictions of two models for the same samples of three
// unequal classes. They mostly make the same mistakes, and the second is a
// little better.
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
