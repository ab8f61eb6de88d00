package metrics

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"tftl/pipeline"
)

func TestNoveltyIsMeasuredAsByScikitLearn(t *testing.T) {
	data, err := os.ReadFile("../novelty/testdata/reference.json")
	var cases []struct {
		Distances     [2][]float32
		ROCAUC, FPR95 float64
	}
	if err == nil {
		err = json.Unmarshal(data, &cases)
	}
	if err != nil || len(cases) == 0 {
		t.Fatal(err)
	}
	for i, c := range cases {
		r := Report{Values: Values{}, Intervals: map[string]Interval{}, Resamples: 200, Seed: 1}
		if err := r.AddNovelty(t.Context(), c.Distances[0], c.Distances[1]); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float64{"novelty_roc_auc": c.ROCAUC, "novelty_fpr95": c.FPR95} {
			m, err := r.Metric(name)
			if err != nil || math.Abs(m.Value-want) > 1e-9 {
				t.Errorf("case %d: %s is %v, %v, scikit-learn's is %v", i, name, m.Value, err, want)
			}
			if !(m.Lower <= m.Value && m.Value <= m.Upper && m.Lower >= 0 && m.Upper <= 1 && m.Lower < m.Upper) {
				t.Errorf("case %d: %s %v has the interval %v to %v", i, name, m.Value, m.Lower, m.Upper)
			}
		}
	}
}

func TestNoveltyAtTheEdges(t *testing.T) {
	same, nan := []float32{0.5, 0.5, 0.5, 2}, float32(math.NaN())
	for name, c := range map[string]struct {
		samples, others []float32
		want            map[string]float64
	}{
		"no others":    {same, nil, map[string]float64{"familiar": 0.75}},
		"all the same": {same[:3], same[:3], map[string]float64{"familiar": 1, "novelty_recall": 0, "novelty_roc_auc": 0.5, "novelty_fpr95": 1}},
		"no numbers":   {[]float32{nan, 0.5, nan}, []float32{2, nan}, map[string]float64{"familiar": 1.0 / 3, "novelty_recall": 1, "novelty_roc_auc": 0.5, "novelty_fpr95": 1}},
		"apart":        {same[:3], []float32{2, 3}, map[string]float64{"familiar": 1, "novelty_recall": 1, "novelty_roc_auc": 1, "novelty_fpr95": 0}},
	} {
		r := Report{Values: Values{}}
		if err := r.AddNovelty(t.Context(), c.samples, c.others); err != nil {
			t.Fatal(err)
		}
		if len(r.Values) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, r.Values, c.want)
		}
		for metric, want := range c.want {
			if got := r.Values[metric]; got != want {
				t.Errorf("%s: %s is %v, want %v", name, metric, got, want)
			}
		}
	}
	r := Report{Values: Values{}}
	if _, err := r.Metric("familiar"); err == nil || !strings.Contains(err.Error(), "every image is familiar") {
		t.Errorf("a report without it: %v", err)
	}
}

func TestUnfamiliarComesFirst(t *testing.T) {
	p := pipeline.Prediction{Probabilities: []float32{0.5, 0.5}, Novelty: 1}
	d := Decision{Confidence: 0.9, Novelty: 0.2}
	if got := d.WhyUnsure(p); got != UnsureOfClass {
		t.Errorf("at the limit: %q", got)
	}
	for _, v := range []float32{1.001, float32(math.NaN()), float32(math.Inf(1))} {
		if p.Novelty = v; d.WhyUnsure(p) != Unfamiliar {
			t.Errorf("novelty %v: %q", v, d.WhyUnsure(p))
		}
	}
	if d.Novelty = 0; d.WhyUnsure(p) != UnsureOfClass {
		t.Error("novelty counts although the decision does not check it")
	}
}
