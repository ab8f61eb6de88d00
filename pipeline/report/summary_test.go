package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// summaryOf is the summary of a model whose classes have one image each and a gate
// that nothing passes.
func summaryOf(t *testing.T, model string, classes []string) string {
	t.Helper()
	table := metrics.Table{Classes: classes, Slices: map[string][]string{"<b>of</b>": classes}}
	for i := range classes {
		p := pipeline.Prediction{Sample: pipeline.Sample{ID: classes[i], Label: i, Weight: 1}, Probabilities: make([]float32, len(classes))}
		p.Probabilities[i] = 1
		table.Predictions = append(table.Predictions, p)
	}
	r, err := metrics.Evaluate(t.Context(), table, metrics.Options{Resamples: 20})
	check(t, err)
	for _, class := range classes {
		o, err := metrics.Gate{Name: "recall[" + class + "]", Bound: 2}.Check(r, false)
		check(t, err)
		r.Gates = append(r.Gates, o)
	}
	var b bytes.Buffer
	check(t, Summary(&b, model, r))
	return b.String()
}

func TestSummary(t *testing.T) {
	got := summaryOf(t, "runs/first", []string{"cat", "dog"})
	for _, want := range []string{
		"## `runs/first`\n\nEvaluated on 2 images.\n\n**2 of 2 gates failed.**\n",
		"| recall\\[dog\\] \\>= 2 | FAILED | recall\\[dog\\] 1.0000 (0.207 to 1.000) is below 2 |\n",
		"| Accuracy | 1.0000 | 0.342 to 1.000 | chance 0.5000 |\n",
		"### By `<b>of</b>`\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	var b bytes.Buffer
	check(t, Summary(&b, "m", metrics.Report{Gates: []metrics.Outcome{{Gate: metrics.Gate{Name: "accuracy"}, Passed: true}}}))
	if !strings.Contains(b.String(), "\n1 gate passed.\n") {
		t.Errorf("a gate that passed:\n%s", b.String())
	}
}

func TestSummaryOfHostileNames(t *testing.T) {
	var page bytes.Buffer
	reader := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	check(t, reader.Convert([]byte(summaryOf(t, "<script>`x`</script>", hostile())), &page))
	root, err := nethtml.Parse(&page)
	check(t, err)
	for _, n := range elements(root, "") {
		if !slices.Contains(strings.Fields("html head body h2 h3 p code strong blockquote table thead tbody tr th td"), n.Data) {
			t.Errorf("<%s> %q", n.Data, textOf(n))
		}
	}
	gates := elements(elements(root, "table")[0], "tr")[1:]
	if len(gates) != len(hostile()) {
		t.Fatalf("%d gates, want %d", len(gates), len(hostile()))
	}
	for i, row := range gates {
		if cells := elements(row, "td"); len(cells) != 3 || textOf(cells[1]) != "FAILED" || !strings.HasPrefix(textOf(cells[0]), "recall[") {
			t.Errorf("the gate of %q is shown as %q", hostile()[i], textOf(row))
		}
	}
}
