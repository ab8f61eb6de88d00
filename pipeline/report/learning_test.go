package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tftl/pipeline/curve"
	"tftl/pipeline/metrics"
)

// learned is a curve of two classes, the second of which has a name that is markup.
func learned(t *testing.T, recall func(images int, class int) float64) LearningCurve {
	t.Helper()
	v := curve.Validation{Classes: []string{"cat", "<b>dog & co</b>", "=cmd()"}, Images: []int{120, 120, 2}}
	var heads []curve.Head
	for seed := range uint64(3) {
		for _, n := range curve.Sizes(400, 3, curve.DefaultSizes) {
			h := curve.Head{Images: n, Seed: seed + 1, Epoch: 7, Loss: 0.31}
			for class, images := range v.Images {
				k := int(math.Round(float64(images) * (recall(n, class) + 0.01*math.Sin(float64(n)+5*float64(seed)))))
				h.Right = append(h.Right, min(k, images))
				h.Accuracy += float64(h.Right[class]) / 242
				h.BalancedAccuracy += float64(h.Right[class]) / float64(images) / 3
			}
			heads = append(heads, h)
		}
	}
	heads[1] = curve.Head{Images: heads[1].Images, Seed: 1, Diverged: true}
	found, err := curve.Analyse(heads, v, curve.Accuracy)
	if err != nil {
		t.Fatal(err)
	}
	set, err := metrics.NewTestSet(0.02, found.Now.Value, (*metrics.Interval)(&found.Now.General), []metrics.Rate{{Name: "cat", Value: 0.9}, {Name: "<b>dog & co</b>", Value: 0.8}})
	if err != nil {
		t.Fatal(err)
	}
	return LearningCurve{Data: "/photos/cats", Model: "/models/vgg16", Found: found, Test: &set}
}

func uneven(n, class int) float64 {
	if class == 1 {
		return 1 - 4/math.Sqrt(float64(n))
	}
	return 0.96
}

func TestLearningCurveInWords(t *testing.T) {
	for name, c := range map[string]struct {
		recall func(int, int) float64
		want   []string
	}{
		"rising": {uneven, []string{
			"More photographs help: with four times as many, the accuracy should rise by 0.", "The class that gains most is <b>dog & co</b>: its recall is 0.8", "Too few validation images to say anything about: =cmd().",
			"Left out, because training diverged: 1 head of 18.",
		}},
		"flat":    {func(int, int) float64 { return 0.9 }, []string{"More photographs of this kind will not help: ", "Fine-tune deeper, or use another network.", "Which class would gain most cannot be told from the noise."}},
		"perfect": {func(int, int) float64 { return 1.01 }, []string{"Every one of the 242 validation images is right already"}},
		"falling": {func(n, _ int) float64 { return 0.95 - float64(n)/2000 }, []string{"Heads with all images are worse than heads with fewer, by more than chance."}},
	} {
		var out strings.Builder
		if err := learned(t, c.recall).WriteTable(&out); err != nil {
			t.Fatal(err)
		}
		for _, want := range append(c.want, "400 (now) ", "800 (twice as many) ", "1600 (four times as many) ", "on the 242 validation images of this data", "a 95% interval of the accuracy that is 0.02 wide from end to end") {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, out.String())
			}
		}
	}
}

func TestLearningCurvePage(t *testing.T) {
	var page bytes.Buffer
	if err := learned(t, uneven).HTML(&page); err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("REPORT_DIR"); dir != "" { // for make check-report
		if err := os.MkdirAll(filepath.Join(dir, "curve"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "curve", "report.html"), page.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	root, err := html.Parse(&page)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(elements(root, "b")) + len(elements(root, "script")); n > 0 {
		t.Errorf("%d elements from the name of a class", n)
	}
	text := textOf(root)
	for _, want := range []string{"<b>dog & co</b>", "Would more photographs help?", "How many test images?", "cats", "fitted curve"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if len(elements(root, "figure")) != 1 || len(elements(root, "table")) != 4 {
		t.Errorf("%d plots and %d tables", len(elements(root, "figure")), len(elements(root, "table")))
	}
}

// The table has every head as it is, and JSON everything.
func TestLearningCurveFiles(t *testing.T) {
	c := learned(t, uneven)
	var out bytes.Buffer
	if err := c.WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 1+18 || rows[0][8] != "val_recall[<b>dog & co</b>]" || rows[2][2] != "true" || rows[2][4] != "" || rows[1][3] != "7" {
		t.Errorf("%d rows, %q: %v", len(rows), rows[:3], err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Verdict  string
		MostGain string `json:"most_gain"`
		Expected []struct {
			Images int
			Here   [2]float64
		}
		Heads   []map[string]any
		TestSet struct{ Accuracy struct{ Images int } } `json:"test_set"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	if document.Verdict != "helps" || document.MostGain != "<b>dog & co</b>" || document.Expected[1].Images != 1600 || len(document.Heads) != 18 || document.TestSet.Accuracy.Images != c.Test.Accuracy.Images {
		t.Errorf("%+v", document)
	}
}
