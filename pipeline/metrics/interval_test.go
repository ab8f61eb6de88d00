package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// answers is a model of two classes that gets only the first samples right.
func answers(right, samples int) metrics.Table {
	t := metrics.Table{Classes: []string{"cat", "dog"}}
	for i := range samples {
		p := predict(0, 0.25, 0.75)
		if i < right {
			p = predict(0, 0.75, 0.25)
		}
		t.Predictions = append(t.Predictions, p)
	}
	return t
}

func metric(t *testing.T, r metrics.Report, name string) metrics.Metric {
	t.Helper()
	m, err := r.Metric(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestIntervalsOfProportionsAgreeWithSciPy(t *testing.T) {
	for _, want := range readBook(t).Wilson {
		r, err := metrics.Evaluate(t.Context(), answers(int(want[0]), int(want[1])), metrics.Options{Resamples: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"accuracy", "recall[cat]", "f1_micro"} {
			f := metric(t, r, name)
			if !near(f.Lower, want[2]) || !near(f.Upper, want[3]) || f.Method != "wilson" {
				t.Errorf("%s of %v in %v: got %+v, want from %v to %v", name, want[0], want[1], f, want[2], want[3])
			}
		}
	}
}

// SciPy resamples with other random numbers, so this holds up to a fraction of
// the interval's width.
func TestBootstrapAgreesWithSciPy(t *testing.T) {
	want := readBook(t).Bootstrap
	r, err := metrics.Evaluate(t.Context(), want.table(), metrics.Options{Resamples: 5000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	loss := metric(t, r, "loss")
	width := want.Loss[1] - want.Loss[0]
	if math.Abs(loss.Lower-want.Loss[0]) > 0.04*width || math.Abs(loss.Upper-want.Loss[1]) > 0.04*width {
		t.Errorf("loss: got %+v, want %v", loss, want.Loss)
	}
	for name, deviation := range want.Deviations {
		f := metric(t, r, name)
		if got := (f.Upper - f.Lower) / (2 * 1.96); math.Abs(got/deviation-1) > 0.05 {
			t.Errorf("%s: got a deviation of %v, want %v", name, got, deviation)
		}
		if !(f.Lower < f.Value && f.Value < f.Upper) || f.Method != "bootstrap" {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func TestIntervalsFollowFromTheSeedAlone(t *testing.T) {
	table := readBook(t).Bootstrap.table()
	evaluate := func(processors int, seed uint64) metrics.Report {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		r, err := metrics.Evaluate(t.Context(), table, metrics.Options{Resamples: 50, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one := evaluate(1, 7)
	if many := evaluate(8, 7); !reflect.DeepEqual(one, many) {
		t.Errorf("8 processors: got %v, want %v", many.Intervals, one.Intervals)
	}
	if other := evaluate(1, 8); reflect.DeepEqual(one.Intervals["loss"], other.Intervals["loss"]) {
		t.Error("two seeds have the same interval")
	}
}

// A model without mistakes may make one on the next sample.
func TestIntervalsOfAModelWithoutAMistake(t *testing.T) {
	for classes := 2; classes <= 12; classes++ {
		table := metrics.Table{}
		for i := range classes * 20 {
			row := make([]float32, classes)
			row[i%classes] = 1
			table.Predictions = append(table.Predictions, predict(i%classes, row...))
		}
		for i := range classes {
			table.Classes = append(table.Classes, fmt.Sprint(i))
		}
		r, err := metrics.Evaluate(t.Context(), table, metrics.Options{Resamples: 100})
		if err != nil {
			t.Fatal(err)
		}
		accuracy := metric(t, r, "accuracy")
		for _, name := range []string{"f1", "balanced_accuracy", "roc_auc", "f1_weighted"} {
			if f := metric(t, r, name); !near(f.Lower, accuracy.Lower) || !near(f.Upper, 1) {
				t.Errorf("%d classes: %+v, want the bounds of %+v", classes, f, accuracy)
			}
		}
		if f, recall := metric(t, r, "f1[1]"), metric(t, r, "recall[1]"); !near(f.Lower, recall.Lower) || recall.Lower >= accuracy.Lower {
			t.Errorf("%d classes: %+v, want the bounds of %+v", classes, f, recall)
		}
		if f := metric(t, r, "kappa"); !near(f.Lower, 2*accuracy.Lower-1) || !near(f.Upper, 1) {
			t.Errorf("%d classes: %+v", classes, f)
		}
	}
}

func TestEveryMetricHasAnIntervalThatHoldsIt(t *testing.T) {
	for _, c := range references(t) {
		r, err := metrics.Evaluate(t.Context(), c.table(), metrics.Options{TopK: c.TopK, Resamples: 40})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Metrics() {
			of, class, perClass := strings.Cut(f.Name, "[")
			absent := perClass && (of == "precision" || of == "recall" || of == "f1") // of no samples
			switch {
			case math.IsNaN(f.Value):
				if f.Method != "" {
					t.Errorf("%s: %+v", c.Name, f)
				}
			case math.IsNaN(f.Lower) || math.IsNaN(f.Upper):
				if !absent {
					t.Errorf("%s: %+v of %s has no interval", c.Name, f, class)
				}
			case of == "ece" || of == "loss" || of == "brier":
				// Corrected for bias, few samples may have an interval that misses the metric.
			case f.Lower > f.Value+tolerance || f.Upper < f.Value-tolerance:
				t.Errorf("%s: %+v", c.Name, f)
			}
		}
	}
}

func TestMetricListsWhatIsKnown(t *testing.T) {
	r := report(t, []string{"cat", "a\nb"}, diagonal(2, 3))
	if f, err := r.Metric("recall[a\nb]"); err != nil || f.Value != 1 {
		t.Errorf("got %+v and %v", f, err)
	}
	for name, want := range map[string]string{
		"acuracy":     `metric "acuracy": must be one of `,
		"recall[cow]": `metric "recall[cow]": the model has no class "cow", only cat, a\nb`,
		"loss[cat]":   `metric "loss[cat]": must be one of `,
		"recall[cat":  `metric "recall[cat": must be one of `,
	} {
		_, err := r.Metric(name)
		if err == nil || !strings.HasPrefix(err.Error(), want) || pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	_, err := r.Metric("acuracy")
	for _, name := range metrics.All() {
		if name != "top_5_accuracy" && !strings.Contains(err.Error()+",", " "+name+",") { // of two classes there is none
			t.Errorf("%v does not list %s", err, name)
		}
	}
}

func TestLowerIsBetter(t *testing.T) {
	for name, want := range map[string]bool{
		"loss": true, "brier": true, "ece": true, "accuracy": false, "top_5_accuracy": false, "f1_micro": false, "recall[loss]": false, "unknown": false,
	} {
		if got := metrics.LowerIsBetter(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// impatient is a context that is cancelled after it was asked a number of times.
type impatient struct {
	context.Context
	left atomic.Int64
}

func (c *impatient) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// The bootstrap asks before each draw: a million would take minutes.
func TestTheBootstrapCanBeInterrupted(t *testing.T) {
	a, b := rivals(300, 300, 300)
	o := metrics.Options{Resamples: 1_000_000}
	ctx := &impatient{Context: t.Context()}
	ctx.left.Store(20)
	if _, err := metrics.Evaluate(ctx, a, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Evaluate: %v", err)
	}
	ctx.left.Store(20)
	if _, err := metrics.Compare(ctx, a, b, metrics.Decision{}, metrics.Decision{}, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Compare: %v", err)
	}
	if ctx.left.Load() < -1000 {
		t.Errorf("it went on and asked %d more times", -ctx.left.Load())
	}
}
