package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// batchOf is a batch with one run.
func batchOf(run BatchRun, by string) Batch {
	return Batch{Name: run.Name, Runs: []BatchRun{run}, Ranking: metrics.Rank([]metrics.Run{run.Run}, by)}
}

// done is a run that was evaluated.
func done(name, group string, gates ...metrics.Outcome) metrics.Run {
	return metrics.Run{
		Name: name, Group: group,
		Best:   &pipeline.Epoch{Stage: "head", Epoch: 1, Validation: []pipeline.Metric{{Name: "loss", Value: 1}}},
		Report: &metrics.Report{Samples: 10, Values: metrics.Values{"accuracy": 1, "loss": 1}, Gates: gates},
	}
}

// Folds share a row, with a state for each.
func TestBatchOfFolds(t *testing.T) {
	missed := metrics.Outcome{Gate: metrics.Gate{Name: "accuracy", Bound: 1}}
	runs := []metrics.Run{done("x/fold-0", "x"), done("x/fold-1", "x", missed), {Name: "y/fold-0", Group: "y"}, done("y/fold-1", "y")}
	b := Batch{Name: "runs.yaml", Ranking: metrics.Rank(runs, "val_loss")}
	for i, run := range runs {
		b.Runs = append(b.Runs, BatchRun{Run: run, State: []string{"done", "done", "failed", "done"}[i], Error: []string{"", "", "why", ""}[i]})
	}
	var out bytes.Buffer
	check(t, b.WriteTable(&out))
	const want = `rank  run         val_loss                test accuracy           test f1  test loss               gates          state
1     x, 2 folds  1.0000 (1.000 to 1.000)  1.0000 (1.000 to 1.000)  –  1.0000 (1.000 to 1.000)  1 of 1 failed  done
–     y, 2 folds  –                       –                       –        –                       –              1 failed, 1 done

x/fold-1: accuracy 0.0000 (0.000 to 0.000) is below 1
y/fold-0: why
`
	if got := strings.Join(strings.Fields(out.String()), " "); got != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if rows := b.rows(); !rows[0].failed() || !rows[1].failed() {
		t.Error("a failed gate or run does not make its row failed")
	}
}

func TestHostileNamesAreInert(t *testing.T) {
	evil := "<script>alert(1)</script>`|\n\u202e\x1b[2J"
	gate := metrics.Outcome{Gate: metrics.Gate{Name: "recall[" + evil + "]", Bound: 1}}
	b := batchOf(BatchRun{Run: done(evil, evil, gate), State: "failed", Error: evil}, "val_loss")
	c := Comparison{A: evil, B: evil, Gate: &metrics.Verdict{NoWorse: metrics.NoWorse{Metric: "recall[" + evil + "]"}}, Found: metrics.Comparison{
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
