package report

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// figured is a run of a batch with a validation figure and an accuracy.
func figured(name, group string, loss, accuracy float64, gates ...metrics.Outcome) BatchRun {
	return BatchRun{
		Name: name, Group: group, Folder: name, State: "done",
		Best:   &pipeline.Epoch{Stage: "head", Epoch: 1, Validation: []pipeline.Metric{{Name: "loss", Value: loss}, {Name: "accuracy", Value: accuracy}}},
		Report: &metrics.Report{Samples: 10, Accuracy: accuracy, Loss: loss, Gates: gates},
	}
}

func order(b Batch) string {
	var names []string
	for _, r := range b.rows() {
		names = append(names, r.cells()[0]+" "+r.Name)
	}
	return strings.Join(names, ", ")
}

func TestRunsAreRankedByValidation(t *testing.T) {
	failed := BatchRun{Name: "failed", Group: "failed", State: "failed", Error: "why"}
	b := Batch{RankedBy: "val_loss", Runs: []BatchRun{
		failed, figured("b", "b", 0.5, 0.9), figured("nan", "nan", math.NaN(), 1), figured("a", "a", 0.2, 0.1), figured("c", "c", 0.5, 0.2),
	}}
	if got, want := order(b), "1 a, 2 b, 3 c, – failed, – nan"; got != want {
		t.Errorf("by loss: %s, want %s", got, want)
	}
	b.RankedBy = "val_accuracy"
	if got, want := order(b), "1 nan, 2 b, 3 c, 4 a, – failed"; got != want {
		t.Errorf("by accuracy: %s, want %s", got, want)
	}
	if b.Best() != "nan" {
		t.Errorf("the best is %q", b.Best())
	}
}

// A row of folds has their mean, or none where one is missing.
func TestFoldsAreOneRow(t *testing.T) {
	missed := metrics.Outcome{Gate: metrics.Gate{Name: "accuracy", Bound: 1}}
	b := Batch{RankedBy: "val_accuracy", Runs: []BatchRun{
		figured("x/fold-0", "x", 1, 0.8), figured("y/fold-0", "y", 1, 1), figured("x/fold-1", "x", 3, 0.9, missed),
		{Name: "y/fold-1", Group: "y", State: "to do"},
	}}
	rows := b.rows()
	if got := order(b); got != "1 x, – y" {
		t.Fatalf("order %s", got)
	}
	x := rows[0]
	if math.Abs(x.Test[0].Value-0.85) > 1e-12 || x.Test[0].Method != "student" || x.Test[2].Value != 2 || x.Folds != 2 || x.Gates != "1 of 1 failed" || !x.Failed {
		t.Errorf("%+v", x)
	}
	if y := rows[1]; !math.IsNaN(y.Test[0].Value) || y.state() != "1 done, 1 to do" || b.Best() != "" {
		t.Errorf("%+v", y)
	}
}

func TestHostileNamesAreInert(t *testing.T) {
	evil := "<script>alert(1)</script>`|\n\u202e\x1b[2J"
	gate := metrics.Outcome{Gate: metrics.Gate{Name: "recall[" + evil + "]", Bound: 1}}
	run := figured(evil, evil, 1, 1, gate)
	run.State, run.Error = "failed", evil
	b := Batch{Name: evil, RankedBy: "val_loss", Runs: []BatchRun{run}}
	c := Comparison{A: evil, B: evil, Gate: &NoWorse{Metric: "recall[" + evil + "]"}, Found: metrics.Comparison{
		Flipped:     []metrics.Flip{{ID: evil, Label: evil, A: evil, B: "x"}},
		Differences: []metrics.Difference{{Name: "recall[" + evil + "]"}}, Warnings: []string{evil},
	}}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"table":            func(w *bytes.Buffer) error { return b.WriteTable(w) },
		"Markdown":         func(w *bytes.Buffer) error { return b.Markdown(w) },
		"HTML":             func(w *bytes.Buffer) error { return b.HTML(w) },
		"comparison":       func(w *bytes.Buffer) error { return c.WriteTable(w) },
		"comparison, HTML": func(w *bytes.Buffer) error { return c.HTML(w) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text := out.String(); strings.ContainsAny(text, "\u202e\x1b") || strings.Contains(name, "HTML") && strings.Contains(text, "<script") {
			t.Errorf("%s: %s", name, text)
		}
	}
	var out bytes.Buffer
	if err := b.Markdown(&out); err != nil || strings.Contains(out.String(), "| 1 | <script") {
		t.Errorf("Markdown: %s, %v", out.String(), err)
	}
	for _, document := range []any{b, c} {
		if data, err := json.Marshal(document); err != nil || !json.Valid(data) {
			t.Errorf("JSON: %s, %v", data, err)
		}
	}
}

func TestNoWorse(t *testing.T) {
	for name, test := range map[string]struct {
		metric       string
		lower, upper float64
		margin       float64
		passed       bool
	}{
		"better":              {"accuracy", 0.01, 0.03, 0, true},
		"a little worse":      {"accuracy", -0.01, 0.03, 0.01, true},
		"worse":               {"accuracy", -0.011, 0.03, 0.01, false},
		"no interval":         {"accuracy", math.NaN(), math.NaN(), 1, false},
		"loss that is more":   {"loss", 0.1, 0.3, 0.2, false},
		"loss that is less":   {"loss", -0.4, -0.3, 0, true},
		"loss, either is fit": {"loss", -0.4, 0.2, 0.2, true},
	} {
		gate := &NoWorse{Metric: test.metric, Margin: test.margin}
		c := Comparison{Gate: gate, Found: metrics.Comparison{Differences: []metrics.Difference{{Name: test.metric, Lower: test.lower, Upper: test.upper}}}}
		if err := c.Judge(); err != nil || gate.Passed != test.passed {
			t.Errorf("%s: passed %v, %v", name, gate.Passed, err)
		}
	}
}
