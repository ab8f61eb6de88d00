package report

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"
)

// rendered is a run's Markdown report, rendered as GitHub does but with HTML left
// in.
func rendered(t *testing.T, name string, s sketch) *nethtml.Node {
	t.Helper()
	run, _ := makePage(t, name, s)
	var source, out bytes.Buffer
	check(t, Markdown(&source, run))
	check(t, os.WriteFile(run.File("report.md"), source.Bytes(), 0o644))
	reader := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	check(t, reader.Convert(source.Bytes(), &out))
	root, err := nethtml.Parse(&out)
	check(t, err)
	return root
}

func TestMarkdownHasNothingButWhatWasMeant(t *testing.T) {
	meant := strings.Fields("html head body h2 h3 p code strong blockquote table thead tbody tr th td")
	for name, s := range sketches() {
		root := rendered(t, name, s)
		for _, n := range elements(root, "") {
			if !slices.Contains(meant, n.Data) {
				t.Errorf("%s: <%s> %q", name, n.Data, textOf(n))
			}
		}
		for _, table := range elements(root, "table") {
			columns := len(elements(table, "th"))
			for _, row := range elements(table, "tr") {
				if n := len(elements(row, "td")); n != columns && n != 0 {
					t.Errorf("%s: %d cells below %d headings: %q", name, n, columns, textOf(row))
				}
			}
		}
	}
}

func TestMarkdownShowsNamesAsTheyAre(t *testing.T) {
	root := rendered(t, "hostile", sketches()["hostile"])
	var got []string
	for _, row := range elements(elements(root, "table")[1], "tr")[1:] {
		got = append(got, strings.TrimSpace(textOf(elements(row, "td")[0])))
	}
	var want []string
	for _, name := range hostile() {
		want = append(want, strings.TrimSpace(shorten(name, nameRunes)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMarkdownHasTheMetrics(t *testing.T) {
	s := sketches()["two"]
	run, _ := makePage(t, "two", s)
	c, err := read(run, nil)
	check(t, err)
	var b bytes.Buffer
	check(t, Markdown(&b, run))
	accuracy, err := c.evaluation.Metric("accuracy")
	check(t, err)
	for _, want := range []string{
		"## `two`\n\nvgg16, `cat` and `dog`, evaluated on 60 images",
		"| Accuracy | " + decimals(accuracy.Value) + " | " + interval(accuracy.Lower, accuracy.Upper) + " |",
		"Predicts `dog` if its probability is at least 0.62 (f1 on validation), otherwise `cat`.",
		"23 epochs in the stages head and block5; the best was epoch 8",
		"### By `camera`",
		"| `<i>` |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}
