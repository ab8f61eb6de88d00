package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// rivals are two models, with the number of samples that only one of them gets right.
func rivals(onlyA, onlyB, both int) (a, b metrics.Table) {
	a, b = answers(onlyA, onlyA+onlyB), answers(onlyB, onlyA+onlyB)
	slices.Reverse(b.Predictions)
	extra := answers(both, both)
	a.Predictions, b.Predictions = append(a.Predictions, extra.Predictions...), append(b.Predictions, extra.Predictions...)
	for i := range a.Predictions {
		id := fmt.Sprintf("%d.jpg", i)
		a.Predictions[i].Sample.ID, b.Predictions[i].Sample.ID = id, id
	}
	return a, b
}

func compare(t *testing.T, a, b metrics.Table, o metrics.Options) metrics.Comparison {
	t.Helper()
	c, err := metrics.Compare(t.Context(), a, b, metrics.Decision{}, metrics.Decision{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMcNemarAgreesWithSciPy(t *testing.T) {
	for _, want := range readBook(t).McNemar {
		a, b := rivals(int(want[0]), int(want[1]), 3)
		c := compare(t, a, b, metrics.Options{})
		if c.OnlyA != int(want[0]) || c.OnlyB != int(want[1]) || !near(c.McNemar, want[2]) {
			t.Errorf("%v: got %d and %d alone, and %v", want, c.OnlyA, c.OnlyB, c.McNemar)
		}
		if len(c.Flipped) != c.OnlyA+c.OnlyB || c.Samples != len(c.Flipped)+3 {
			t.Errorf("%v: %d of %d samples are flipped", want, len(c.Flipped), c.Samples)
		}
	}
}

func TestCompareNamesWhatFlipped(t *testing.T) {
	a, b := rivals(1, 1, 1)
	slices.Reverse(b.Predictions) // paired by name
	want := []metrics.Flip{
		{ID: "0.jpg", Label: "cat", A: "cat", B: "dog", ProbabilityA: 0.75, ProbabilityB: 0.75},
		{ID: "1.jpg", Label: "cat", A: "dog", B: "cat", ProbabilityA: 0.75, ProbabilityB: 0.75},
	}
	if got := compare(t, a, b, metrics.Options{}).Flipped; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCompareTurnsAround(t *testing.T) {
	a := readBook(t).Bootstrap.table()
	b := metrics.Table{Classes: a.Classes, Predictions: metrics.Decision{Temperature: 3}.Calibrate(a.Predictions)}
	for i := range 40 {
		slices.Reverse(b.Predictions[i].Probabilities)
		slices.Reverse(b.Predictions[i].Logits)
	}
	there, back := compare(t, a, b, metrics.Options{Resamples: 200}), compare(t, b, a, metrics.Options{Resamples: 200})
	if there.McNemar != back.McNemar || there.OnlyA != back.OnlyB || there.OnlyB != back.OnlyA || there.OnlyA == 0 {
		t.Errorf("%d, %d, %v one way, %d, %d, %v the other", there.OnlyA, there.OnlyB, there.McNemar, back.OnlyA, back.OnlyB, back.McNemar)
	}
	for i, d := range there.Differences {
		e := back.Differences[i]
		if d.Name != e.Name || !near(d.Difference, -e.Difference) || !near(d.Lower, -e.Upper) || !near(d.Upper, -e.Lower) {
			t.Errorf("%+v one way, %+v the other", d, e)
		}
		if !near(d.Difference, d.B-d.A) || !(d.Lower <= d.Difference && d.Difference <= d.Upper) {
			t.Errorf("%+v", d)
		}
	}
	alone, err := metrics.Evaluate(t.Context(), b, metrics.Options{Resamples: 200})
	if err != nil {
		t.Fatal(err)
	}
	if got := there.B.Intervals; !reflect.DeepEqual(got, alone.Intervals) {
		t.Errorf("the second model has the intervals %v, alone %v", got, alone.Intervals)
	}
}

// Two models that agree on a set need not be equal.
func TestCompareOfEqualDecisions(t *testing.T) {
	a, b := rivals(0, 0, 50)
	d := compare(t, a, b, metrics.Options{Resamples: 50}).Differences[1]
	if d.Name != "accuracy" || d.Difference != 0 || math.Abs(d.Lower+1.96/50) > 1e-5 || math.Abs(d.Upper-1.96/50) > 1e-5 {
		t.Errorf("%+v, want an interval as if they differed on one more sample", d)
	}
}

func TestComparisonAsJSON(t *testing.T) {
	a, b := rivals(2, 3, 1)
	c := compare(t, a, b, metrics.Options{Resamples: 20})
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `{"name":"roc_auc","a":null,"b":null,"difference":null,"lower":null,"upper":null}`) {
		t.Errorf("a difference that is not defined is in %s", data)
	}
	var back metrics.Comparison
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(data) {
		t.Errorf("read back as %s and %v, want %s", again, err, data)
	}
}

func TestCompareRefuses(t *testing.T) {
	good, _ := rivals(1, 1, 1)
	change := func(f func(*metrics.Table)) metrics.Table {
		t, _ := rivals(1, 1, 1)
		f(&t)
		return t
	}
	for message, b := range map[string]metrics.Table{
		"differ in their classes":                              change(func(t *metrics.Table) { t.Classes = []string{"dog", "cat"} }),
		`the second lacks "2.jpg"`:                             change(func(t *metrics.Table) { t.Predictions = t.Predictions[:2] }),
		`the second lacks "1.jpg"`:                             change(func(t *metrics.Table) { t.Predictions[1].Sample.ID = "other.jpg" }),
		`"0.jpg" is listed twice`:                              change(func(t *metrics.Table) { t.Predictions[1].Sample.ID = "0.jpg" }),
		`samples whose label changed between the two: "2.jpg"`: change(func(t *metrics.Table) { t.Predictions[2].Sample.Label = 1 }),
	} {
		_, err := metrics.Compare(t.Context(), good, b, metrics.Decision{}, metrics.Decision{}, metrics.Options{})
		if err == nil || !strings.Contains(err.Error(), message) || pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("got %v, want %q", err, message)
		}
	}
}

// A difference cannot exceed the range of its metric.
func TestDifferencesArePossible(t *testing.T) {
	a := metrics.Table{Classes: []string{"cat", "dog"}}
	b := metrics.Table{Classes: a.Classes}
	for i := range 6 {
		p := predict(i%2, 0.9, 0.1)
		p.Sample.ID = string(rune('a' + i))
		a.Predictions = append(a.Predictions, p)
		p.Probabilities = []float32{0.1, 0.9}
		b.Predictions = append(b.Predictions, p)
	}
	c, err := metrics.Compare(t.Context(), a, b, metrics.Decision{}, metrics.Decision{}, metrics.Options{Seed: 1, Resamples: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.Differences {
		if most := 2.0; d.Name != "loss" && (d.Lower < -most || d.Upper > most) {
			t.Errorf("%s: %v to %v", d.Name, d.Lower, d.Upper)
		}
		if strings.HasPrefix(d.Name, "precision") && (d.Lower < -1 || d.Upper > 1) {
			t.Errorf("%s: %v to %v", d.Name, d.Lower, d.Upper)
		}
		if strings.HasPrefix(d.Name, "recall") && (d.Lower < -1 || d.Upper > 1) {
			t.Errorf("%s: %v to %v", d.Name, d.Lower, d.Upper)
		}
	}
}
