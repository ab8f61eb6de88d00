package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func TestParseGate(t *testing.T) {
	for text, want := range map[string]metrics.Gate{
		"accuracy=0.95":     {Name: "accuracy", Bound: 0.95},
		" ece = 5e-2 ":      {Name: "ece", Bound: 0.05},
		"recall[cat]=.9":    {Name: "recall[cat]", Bound: 0.9},
		"recall[a=b]=1":     {Name: "recall[a=b]", Bound: 1},
		"recall[[x] y]=0.5": {Name: "recall[[x] y]", Bound: 0.5},
		"mcc=-0.5":          {Name: "mcc", Bound: -0.5},
		"loss=12":           {Name: "loss", Bound: 12},
		"brier=1.5":         {Name: "brier", Bound: 1.5},
	} {
		for _, most := range []bool{false, true} {
			want.Max = most
			if got, err := metrics.ParseGate(text, most); err != nil || got != want {
				t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
			}
		}
	}
	for text, want := range map[string]string{
		"":              `min "": must be NAME=X`,
		"accuracy":      `min "accuracy": must be NAME=X`,
		"=0.5":          `min "=0.5": must be NAME=X`,
		"accuracy=":     `"" is not a number`,
		"accuracy=95%":  `"95%" is not a number`,
		"accuracy=NaN":  `"NaN" is not a number`,
		"loss=Inf":      `"Inf" is not a number`,
		"acuracy=95":    `min acuracy=95: metric "acuracy": must be one of loss, accuracy, `,
		"accuracy=95":   `min "accuracy=95": accuracy is never above 1`,
		"recall[x]=1.1": `min "recall[x]=1.1": recall[x] is never above 1`,
		"mcc=-2":        `min "mcc=-2": mcc is never below -1`,
	} {
		_, err := metrics.ParseGate(text, false)
		if err == nil || pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// gatesReport is a report with intervals on 20 samples, 19 of them right.
func gatesReport(t *testing.T) metrics.Report {
	t.Helper()
	var all []pipeline.Prediction
	for i := range 20 {
		p := predict(i%2, 0.9, 0.1)
		if i%2 == 1 && i != 7 {
			p = predict(1, 0.2, 0.8)
		}
		all = append(all, p)
	}
	r, err := metrics.Evaluate(t.Context(), metrics.Table{Classes: []string{"cat", "dog"}, Predictions: all}, metrics.Options{Resamples: 200, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGates(t *testing.T) {
	r := gatesReport(t)
	for _, c := range []struct {
		text              string
		most, pessimistic bool
		passed            bool
		want              string // of String
	}{
		{"accuracy=0.95", false, false, true, "accuracy 0.9500 (0.764 to 0.991) is at least 0.95"},
		{"accuracy=0.9501", false, false, false, "accuracy 0.9500 (0.764 to 0.991) is below 0.9501"},
		{"accuracy=0.95", true, false, true, "accuracy 0.9500 (0.764 to 0.991) is at most 0.95"},
		{"accuracy=0.9", true, false, false, "accuracy 0.9500 (0.764 to 0.991) is above 0.9"},
		{"accuracy=0.95", false, true, false, "accuracy 0.9500 (0.764 to 0.991): its lower bound 0.7639 is below 0.95"},
		{"accuracy=0.75", false, true, true, "accuracy 0.9500 (0.764 to 0.991): its lower bound 0.7639 is at least 0.75"},
		{"accuracy=0.98", true, true, false, "accuracy 0.9500 (0.764 to 0.991): its upper bound 0.9911 is above 0.98"},
		{"recall[dog]=0.9", false, false, true, "recall[dog] 0.9000 (0.596 to 0.982) is at least 0.9"},
		// A value that looks like its bound with four decimals has all of them.
		{"accuracy=0.94999999", true, false, false, "accuracy 0.9500 (0.764 to 0.991) is above 0.94999999"},
		{"precision[cat]=0.9091", false, false, false, "precision[cat] 0.9090909090909091 (0.623 to 0.984) is below 0.9091"},
	} {
		g, err := metrics.ParseGate(c.text, c.most)
		if err != nil {
			t.Fatal(err)
		}
		o, err := g.Check(r, c.pessimistic)
		if err != nil {
			t.Fatal(err)
		}
		if o.Passed != c.passed || o.String() != c.want {
			t.Errorf("%+v, pessimistic %v: passed %v, %q; want %v, %q", g, c.pessimistic, o.Passed, o, c.passed, c.want)
		}
	}
}

// A mean recall of 0.9 on paper may come out slightly less.
func TestAMetricEqualsItsBoundUpToRounding(t *testing.T) {
	for name, c := range map[string]struct {
		most   bool
		value  float64
		passed bool
	}{
		"less by rounding": {false, 0.9 - 2e-16, true},
		"more by rounding": {true, 0.9 + 2e-16, true},
		"less":             {false, 0.9 - 1e-9, false},
		"more":             {true, 0.9 + 1e-9, false},
	} {
		o, err := metrics.Gate{Name: "kappa", Bound: 0.9, Max: c.most}.Check(metrics.Report{Values: metrics.Values{"kappa": c.value}}, false)
		if err != nil || o.Passed != c.passed {
			t.Errorf("%s: passed %v, %v", name, o.Passed, err)
		}
	}
}

func TestUndefinedMetricsFail(t *testing.T) {
	r, err := metrics.Evaluate(t.Context(), metrics.Table{Classes: []string{"cat", "dog"}, Predictions: []pipeline.Prediction{predict(0, 0.9, 0.1)}}, metrics.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		gate        metrics.Gate
		pessimistic bool
		want        string
	}{
		{metrics.Gate{Name: "roc_auc", Bound: 0}, false, "roc_auc is undefined on these samples"},
		{metrics.Gate{Name: "roc_auc[dog]", Bound: 1, Max: true}, false, "roc_auc[dog] is undefined on these samples"},
		{metrics.Gate{Name: "accuracy", Bound: 0}, true, "accuracy 1.0000 has no interval, so no lower bound"},
		{metrics.Gate{Name: "loss", Bound: 9, Max: true}, true, "loss 0.1054 has no interval, so no upper bound"},
	} {
		o, err := c.gate.Check(r, c.pessimistic)
		if err != nil || o.Passed || o.String() != c.want {
			t.Errorf("%+v: passed %v, %q, %v; want %q", c.gate, o.Passed, o, err, c.want)
		}
	}
	o, err := metrics.Gate{Name: "loss", Bound: 9, Max: true}.Check(metrics.Report{Values: metrics.Values{"loss": math.Inf(1)}}, false)
	if err != nil || o.Passed || o.String() != "loss +Inf is above 9" {
		t.Errorf("an infinite loss: %q, %v", o, err)
	}
}

func TestUnknownGates(t *testing.T) {
	cats := []string{"cat", "dog"}
	many := strings.Split("abcdefgh", "")
	for _, c := range []struct {
		name    string
		classes []string
		topK    int
		want    string // empty: known
	}{
		{"accuracy", nil, 0, ""},
		{"recall[cow]", nil, 0, ""}, // the classes are not known yet
		{"top_3_accuracy", nil, 0, ""},
		{"acuracy", nil, 0, "must be one of loss, accuracy, "},
		{"rceall[cat]", nil, 0, "recall[CLASS]"},
		{"recall[cat", nil, 0, "must be one of "},
		{"", nil, 0, "must be one of "},
		{"accuracy", cats, 5, ""},
		{"recall[cat]", cats, 5, ""},
		{"recall[cow]", cats, 5, "only cat, dog"},
		{"accuracy[cat]", cats, 5, "must be one of"},
		{"top_5_accuracy", cats, 5, "must be one of"},
		{"top_5_accuracy", many, 5, ""},
		{"top_5_accuracy", many, 0, ""},
		{"top_3_accuracy", many, 5, "top_5_accuracy"},
		{"top_3_accuracy", many, 3, ""},
	} {
		for _, most := range []bool{false, true} {
			err := metrics.Gate{Name: c.name, Bound: 0.5, Max: most}.Known(c.classes, c.topK)
			switch {
			case c.want == "" && err == nil:
			case c.want == "" || err == nil || pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), c.want):
				t.Errorf("%q of %v: %v, want %q", c.name, c.classes, err, c.want)
			}
		}
	}
	// You can gate on every metric of a report.
	r := gatesReport(t)
	for _, m := range r.Metrics() {
		g := metrics.Gate{Name: m.Name, Bound: 0.5}
		if err := g.Known(cats, 5); err != nil {
			t.Error(err)
		}
		if err := g.Known(nil, 5); err != nil {
			t.Error(err)
		}
		if o, err := g.Check(r, false); err != nil || o.Value != m.Value && !math.IsNaN(m.Value) {
			t.Errorf("%+v: %+v, %v", m, o, err)
		}
	}
}

func TestGatesOfHostileNames(t *testing.T) {
	name := "recall[\x1b[31m\u202ered\n]"
	g := metrics.Gate{Name: name, Bound: 0.5}
	err := g.Known([]string{"a", "b"}, 0)
	for _, text := range []string{g.Demand(), g.String(), metrics.Outcome{Gate: g}.String(), err.Error()} {
		if strings.ContainsAny(text, "\x1b\u202e\n") || !strings.Contains(text, `\x1b[31m\u202ered\n`) {
			t.Errorf("%q", text)
		}
	}
}

func TestOutcomesAsJSON(t *testing.T) {
	r := gatesReport(t)
	var want []metrics.Outcome
	for _, g := range []metrics.Gate{{Name: "accuracy", Bound: 0.9}, {Name: "loss", Bound: 1, Max: true}} {
		for _, pessimistic := range []bool{false, true} {
			o, err := g.Check(r, pessimistic)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, o)
		}
	}
	r.Gates = want
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back metrics.Report
	if err := json.Unmarshal(data, &back); err != nil || !slices.Equal(back.Gates, want) {
		t.Errorf("%+v, %v, want %+v", back.Gates, err, want)
	}

	nan := math.NaN()
	none := metrics.Outcome{Gate: metrics.Gate{Name: "roc_auc", Bound: 0.5}, Metric: metrics.Metric{Name: "roc_auc", Value: nan, Lower: nan, Upper: nan}, Value: nan}
	data, err = json.Marshal(none)
	if got := `{"name":"roc_auc","bound":0.5,"max":false,"value":null,"lower":null,"upper":null,"compared":null,"passed":false}`; err != nil || string(data) != got {
		t.Errorf("%s, %v", data, err)
	}
	var o metrics.Outcome
	if err := json.Unmarshal(data, &o); err != nil || fmt.Sprint(o) != fmt.Sprint(none) || !math.IsNaN(o.Metric.Lower) {
		t.Errorf("%+v, %v", o, err)
	}
}
