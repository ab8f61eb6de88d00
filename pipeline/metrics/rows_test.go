package metrics_test

import (
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// Over all reference cases no value exceeds the bounds of its row, and the worst
// one reaches the worse bound: wider bounds would scale intervals and gates wrongly.
func TestValuesReachTheWorseBound(t *testing.T) {
	never := []string{"average_precision"} // above 0 if the class has a sample
	alwaysWrong := metrics.Table{Classes: []string{"cat", "dog"}, Predictions: []pipeline.Prediction{predict(0, 0, 1), predict(1, 1, 0)}}
	cases := []metrics.Table{alwaysWrong}
	for _, c := range references(t) {
		cases = append(cases, c.table())
	}
	worst := map[string]float64{}
	for _, table := range cases {
		r, err := metrics.Evaluate(t.Context(), table, metrics.Options{TopK: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Metrics() {
			row := metrics.Row(m.Name)
			if lowest, highest := metrics.Bounds(row); m.Value < lowest-tolerance || m.Value > highest+tolerance {
				t.Errorf("%s is %v, not between %v and %v", m.Name, m.Value, lowest, highest)
			}
			old, seen := worst[row]
			switch {
			case math.IsNaN(m.Value):
			case !seen:
				worst[row] = m.Value
			case metrics.LowerIsBetter(row):
				worst[row] = max(old, m.Value)
			default:
				worst[row] = min(old, m.Value)
			}
		}
	}
	for row, value := range worst {
		bound, highest := metrics.Bounds(row)
		if metrics.LowerIsBetter(row) {
			bound = highest
		}
		if reached := near(value, bound); !math.IsInf(bound, 0) && reached == slices.Contains(never, row) {
			t.Errorf("%s: its worst value is %v, its worse bound %v", row, value, bound)
		}
	}
}

// A proportion of n samples is a whole number of them. A score is not, in at
// least one of the reference cases.
func TestOnlyProportionsCountSamples(t *testing.T) {
	method, whole := map[string]string{}, map[string]bool{}
	for _, c := range references(t) {
		o := metrics.Options{TopK: c.TopK}
		r, err := metrics.Evaluate(t.Context(), c.table(), o)
		if err != nil {
			t.Fatal(err)
		}
		bases, err := metrics.Bases(c.table(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Metrics() {
			of, _, perClass := strings.Cut(m.Name, "[")
			if perClass {
				of += "[CLASS]"
			}
			basis := bases[m.Name]
			if old, seen := whole[of]; !seen || old {
				k := m.Value * basis.Size
				whole[of] = near(k, math.Round(k)) || math.IsNaN(k)
			}
			method[of] = basis.Method
		}
	}
	for of, counts := range whole {
		if counts != (method[of] == "wilson") {
			t.Errorf("%s: counts samples is %v, but its interval is %q", of, counts, method[of])
		}
	}
}

// The table in docs/evaluation.md lists every metric and no other.
func TestDocsListEveryMetric(t *testing.T) {
	text, err := os.ReadFile("../../docs/evaluation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var listed []string
	for _, row := range regexp.MustCompile(`(?m)^\| `+"`.*?"+` \|`).FindAllString(section, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row, -1) {
			listed = append(listed, name[1])
		}
	}
	known := metrics.All()
	for _, name := range known {
		if !slices.Contains(listed, name) {
			t.Errorf("docs/evaluation.md lacks a row for %s", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(known, name) {
			t.Errorf("docs/evaluation.md lists %s, which is not a metric", name)
		}
	}
}
