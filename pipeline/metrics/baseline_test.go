package metrics_test

import (
	"math"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func TestBaselines(t *testing.T) {
	r := report(t, []string{"cat", "dog"}, [][]int{{20, 10}, {0, 10}})
	for name, c := range map[string]struct {
		train []int
		want  map[string]metrics.Baseline
	}{
		"of the samples": {nil, map[string]metrics.Baseline{
			"accuracy": {0.5, 0.75}, "balanced_accuracy": {0.5, 0.5}, "loss": {math.Ln2, -0.75*math.Log(0.75) - 0.25*math.Log(0.25)},
		}},
		"of train": {[]int{10, 30}, map[string]metrics.Baseline{
			"accuracy": {0.5, 0.25}, "balanced_accuracy": {0.5, 0.5}, "loss": {math.Ln2, -0.75*math.Log(0.25) - 0.25*math.Log(0.75)},
		}},
	} {
		got := metrics.Baselines(r, c.train)
		for metric, want := range c.want {
			if g := got[metric]; !near(g.Chance, want.Chance) || !near(g.Frequent, want.Frequent) {
				t.Errorf("%s: %s is %v, want %v", name, metric, g, want)
			}
		}
	}
}

// A model that is often right, but certain when it is wrong.
func TestAModelThatIsTooCertain(t *testing.T) {
	table := metrics.Table{Classes: []string{"cat", "dog"}}
	for i := range 200 {
		p := predict(i%2, 0, 0)
		p.Logits = []float32{0, 0}
		p.Logits[i%2] = 30
		if i%10 == 0 {
			p.Logits[i%2] = -30
		}
		p.Probabilities = pipeline.Softmax(p.Logits)
		table.Predictions = append(table.Predictions, p)
	}
	for name, c := range map[string]struct {
		decision metrics.Decision
		want     string
	}{
		"as it is":           {metrics.Decision{}, "it is too certain; a temperature"},
		"with a small one":   {metrics.Decision{Temperature: 2}, "it is too certain"},
		"with a fitting one": {metrics.Decision{Temperature: 20}, ""},
	} {
		r, err := metrics.Evaluate(t.Context(), table, metrics.Options{Decision: c.decision, Resamples: 10})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Warnings, ""); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
