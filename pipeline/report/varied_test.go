package report

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func TestMarks(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{"1e-3", "1e-2", "1e-2", "0.1"}, "logarithmic 1e-3:-3 1e-2:-2 1e-2:-2 0.1:-1"},
		{[]string{"0", "1e-4", "1e-3"}, "logarithmic 0:-5 1e-4:-4 1e-3:-3"},
		{[]string{"8", "16", "32"}, "8:8 16:16 32:32"},
		{[]string{"-1", "100"}, "-1:-1 100:100"},
		{[]string{"0", "0"}, "0:0 0:0"},
		{[]string{"16", "32+8"}, "16:0 32+8:1"},
		{[]string{"1e-3", "", "1e-2"}, "1e-3:0 default:1 1e-2:2"},
		{[]string{"sgd", "adam", "sgd"}, "sgd:0 adam:1 sgd:0"},
	} {
		marks, log := Varied{"x", c.values}.marks()
		var got []string
		if log {
			got = append(got, "logarithmic")
		}
		for _, m := range marks {
			got = append(got, fmt.Sprintf("%s:%g", m.text, math.Round(m.at*1e9)/1e9))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q: %q, want %s", c.values, got, c.want)
		}
	}
}

// seeded is a batch of two settings with two seeds each, and a run that failed.
func seeded() Batch {
	b := Batch{Name: "runs.yaml", Varied: []Varied{{"lr", []string{"1e-3", "1e-3", "1e-2", "1e-2", "1e30"}}, {"optimizer", []string{"a name that is too long to be a label of the axis", "", "", "", ""}}}}
	var runs []metrics.Run
	for i, loss := range []float64{1, 3, 1, 2, math.NaN()} {
		run := done("", "")
		run.Group, run.Seed = "lr="+b.Varied[0].Values[i], fmt.Sprint(i%2+1)
		run.Name = run.Group + ",seed=" + run.Seed
		run.Best.Validation = []pipeline.Metric{{Name: "loss", Value: loss}}
		if math.IsNaN(loss) {
			run.Name, run.Seed = run.Group, ""
			run.Best, run.Report = nil, nil
		}
		runs = append(runs, run)
		b.Runs = append(b.Runs, BatchRun{Run: run, Folder: run.Name, State: "done"})
	}
	b.Ranking = metrics.Rank(runs, "val_loss")
	return b
}

// Seeds share a row with their mean and deviation; the runs are listed below.
func TestBatchOfSeeds(t *testing.T) {
	b := seeded()
	for name, c := range map[string]struct {
		write func(*bytes.Buffer) error
		want  []string
	}{
		"table": {func(w *bytes.Buffer) error { return b.WriteTable(w) }, []string{
			"1 lr=1e-2, 2 seeds 1.5000 ± 0.7071 1.0000 ± 0.0000 ", "2 lr=1e-3, 2 seeds 2.0000 ± 1.4142 ", "– lr=1e30 – ",
			"run val_loss test accuracy test f1 test loss state lr=1e-2,seed=1 1.0000 1.0000", "lr=1e-3,seed=2 3.0000 ",
		}},
		"Markdown": {func(w *bytes.Buffer) error { return b.Markdown(w) }, []string{
			"| 1 | lr=1e-2, 2 seeds | 1.5000 ± 0.7071 |", "<summary>Single runs</summary>", "| lr=1e-3,seed=2 | 3.0000 |", "the standard deviation over them",
		}},
		"HTML": {func(w *bytes.Buffer) error { return b.HTML(w) }, []string{
			`<a href="lr=1e-2,seed=1/report.html"><bdi>seed 1</bdi></a> 1.0000`, "1.5000 ± 0.7071", "val_loss by lr", "lr, logarithmic", "1: a name that is",
			"not drawn: 1 far worse", "<td class=\"n\">2.0000</td><td class=\"n\">1.0000</td><td class=\"n\">3.0000</td>",
		}},
		"JSON": {func(w *bytes.Buffer) error {
			data, err := b.MarshalJSON()
			w.Write(data)
			return err
		}, []string{`"seeds":2,"validation":{"name":"val_loss","value":1.5,"lower":null,"upper":null,"standard_deviation":0.70710678118654`}},
	} {
		var out bytes.Buffer
		if err := c.write(&out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		text := strings.Join(strings.Fields(out.String()), " ")
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, text)
			}
		}
	}
	if best := b.Best(); best != 2 {
		t.Errorf("the best run is %d", best)
	}
}
