package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// sketches are the runs of the tests.
func sketches() map[string]sketch {
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("class %02d", i)
	}
	return map[string]sketch{
		"two": {
			classes: []string{"cat", "dog"}, samples: 60, epochs: 23, stages: []string{"head", "block5"}, skill: 1.5, gallery: true, tuned: 50,
			decision: metrics.Decision{Threshold: 0.62, ThresholdFrom: "f1 on validation", Temperature: 1.3, TemperatureFrom: "validation"},
			slices:   map[string][]string{"camera": {"front", "rear", "<i>"}},
			gates:    []string{"accuracy=0.8", "recall[dog]=0.99"},
		},
		"hostile":   {classes: hostile(), samples: 300, epochs: 3, stages: []string{"head"}, skill: 2, gallery: true},
		"many":      {classes: many, samples: 300, epochs: 40, stages: []string{"head"}, skill: 3},
		"perfect":   {gates: []string{"accuracy=0.99"}, classes: []string{"a", "b", "c"}, samples: 9, epochs: 1, stages: []string{"head"}, skill: 50, gallery: true},
		"untested":  {classes: []string{"a", "b"}, epochs: 5, stages: []string{"head"}},
		"untrained": {classes: []string{"a", "b"}, stages: []string{"head"}},
	}
}

// makePage makes a run and its report. REPORT_DIR keeps them for
// scripts/check_report.mjs.
func makePage(t *testing.T, name string, s sketch) (rundir.Dir, *html.Node) {
	t.Helper()
	dir := os.Getenv("REPORT_DIR")
	if dir == "" {
		dir = t.TempDir()
	}
	run := makeRun(t, filepath.Join(dir, name), s)
	return run, parse(t, run)
}

func parse(t *testing.T, run rundir.Dir) *html.Node {
	t.Helper()
	var b bytes.Buffer
	check(t, HTML(&b, run))
	check(t, os.WriteFile(run.File("report.html"), b.Bytes(), 0o644))
	root, err := html.Parse(&b)
	check(t, err)
	return root
}

// elements are the elements with a name, or all, in document order.
func elements(root *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// byID is the element with an id.
func byID(t *testing.T, root *html.Node, id string) *html.Node {
	t.Helper()
	for _, n := range elements(root, "") {
		if attribute(n, "id") == id {
			return n
		}
	}
	t.Fatalf("no element has the id %q", id)
	return nil
}

func TestMetricsAreThoseOfTheEvaluation(t *testing.T) {
	for name, s := range sketches() {
		if s.samples == 0 {
			continue
		}
		run, root := makePage(t, name, s)
		data, err := os.ReadFile(run.File("evaluation.json"))
		check(t, err)
		var want struct {
			Accuracy float64 `json:"accuracy"`
			Balanced float64 `json:"balanced_accuracy"`
			Macro    struct {
				F1 float64 `json:"f1"`
			} `json:"macro"`
			ROCAUC  float64 `json:"roc_auc"`
			Loss    float64 `json:"loss"`
			ECE     float64 `json:"ece"`
			Classes []struct {
				Precision, Recall, F1 float64
			} `json:"classes"`
			Intervals map[string][2]float64 `json:"intervals"`
			Matrix    [][]int               `json:"confusion_matrix"`
		}
		check(t, json.Unmarshal(data, &want))
		values := []float64{want.Accuracy, want.Balanced, want.Macro.F1, want.ROCAUC, want.Loss, want.ECE}
		for _, c := range want.Classes {
			values = append(values, c.Precision, c.Recall, c.F1)
		}
		var got []float64
		for _, n := range elements(root, "data") {
			exact, err := strconv.ParseFloat(attribute(n, "value"), 64)
			check(t, err)
			got = append(got, exact)
			if shown := fmt.Sprintf("%.4f", exact); textOf(n) != shown {
				t.Errorf("%s: %s is shown as %s", name, shown, textOf(n))
			}
		}
		if !slices.Equal(got, values) {
			t.Errorf("%s: the page has %v, want %v", name, got, values)
		}
		bounds := want.Intervals["accuracy"]
		card := elements(root, "li")
		if i := slices.IndexFunc(card, func(n *html.Node) bool { return strings.HasPrefix(textOf(n), "Accuracy") }); i < 0 ||
			!strings.Contains(textOf(card[i]), fmt.Sprintf("%.3f to %.3f", bounds[0], bounds[1])) {
			t.Errorf("%s: the accuracy's interval is not %v", name, bounds)
		}
		if got, sum := matrixOf(t, root), 0; len(want.Matrix) <= matrixLimit && !slices.EqualFunc(got, want.Matrix, slices.Equal) {
			t.Errorf("%s: the matrix is %v, want %v", name, got, want.Matrix)
		} else {
			for _, row := range got {
				for _, n := range row {
					sum += n
				}
			}
			if sum != s.samples {
				t.Errorf("%s: the matrix counts %d images of %d", name, sum, s.samples)
			}
		}
	}
}

// matrixOf reads the confusion matrix from the page.
func matrixOf(t *testing.T, root *html.Node) (rows [][]int) {
	t.Helper()
	for _, table := range elements(root, "table") {
		if !strings.HasPrefix(attribute(table, "class"), "matrix") {
			continue
		}
		for _, tr := range elements(elements(table, "tbody")[0], "tr") {
			var row []int
			for _, span := range elements(tr, "span") {
				if attribute(span, "class") == "count" {
					n, err := strconv.Atoi(textOf(span))
					check(t, err)
					row = append(row, n)
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// The page loads nothing else, and nothing runs.
func TestPageStandsAlone(t *testing.T) {
	for name, s := range sketches() {
		_, root := makePage(t, name, s)
		for _, n := range elements(root, "") {
			switch n.Data {
			case "script", "iframe", "object", "embed", "base", "form", "video", "audio", "image", "use", "foreignobject":
				t.Errorf("%s: <%s>", name, n.Data)
			}
			for _, a := range n.Attr {
				switch value := a.Val; {
				case strings.HasPrefix(a.Key, "on"):
					t.Errorf("%s: <%s> has %s", name, n.Data, a.Key)
				case a.Key == "href" || a.Key == "src":
					if !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "data:image/") && value != "data:," {
						t.Errorf("%s: <%s> leads to %.80s", name, n.Data, value)
					}
				case a.Key == "srcset" || a.Key == "action" || a.Key == "background" || a.Key == "ping" || strings.Contains(value, "url("):
					t.Errorf("%s: <%s> has %s=%.80q", name, n.Data, a.Key, value)
				}
			}
		}
		for _, style := range elements(root, "style") {
			if css := textOf(style); strings.Contains(css, "url(") || strings.Contains(css, "@import") {
				t.Errorf("%s: the style sheet leads elsewhere", name)
			}
		}
	}
}

// A screen reader depends on this.
func TestPageIsInOrder(t *testing.T) {
	for name, s := range sketches() {
		_, root := makePage(t, name, s)
		ids := map[string]bool{}
		for _, n := range elements(root, "") {
			if id := attribute(n, "id"); id != "" {
				if ids[id] {
					t.Errorf("%s: two elements have the id %q", name, id)
				}
				ids[id] = true
			}
		}
		level := 0
		for _, n := range elements(root, "") {
			if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
				next := int(n.Data[1] - '0')
				if next > level+1 || (next == 1) != (level == 0) {
					t.Errorf("%s: <%s> %q after a heading of level %d", name, n.Data, textOf(n), level)
				}
				level = next
			}
			for _, id := range strings.Fields(attribute(n, "aria-labelledby") + " " + strings.TrimPrefix(attribute(n, "href"), "data:,")) {
				if id = strings.TrimPrefix(id, "#"); !ids[id] {
					t.Errorf("%s: no element has the id %q", name, id)
				}
			}
			switch {
			case n.Data == "img" && !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "alt" }):
				t.Errorf("%s: a picture without alt", name)
			case n.Data == "th" && attribute(n, "scope") == "":
				t.Errorf("%s: <th> %q has no scope", name, textOf(n))
			case n.Data == "table" && len(elements(n, "caption")) != 1:
				t.Errorf("%s: a table without a caption", name)
			}
		}
		if drawn := len(elements(root, "figure")); s.samples > 0 && drawn < 6 {
			t.Errorf("%s: %d plots and pictures", name, drawn)
		}
	}
}

// Every name is on the page as plain text.
func TestHostileNamesAreOnlyNames(t *testing.T) {
	_, root := makePage(t, "hostile", sketches()["hostile"])
	var names []string
	for _, table := range elements(root, "table") {
		if attribute(table, "class") == "classes" {
			for _, n := range elements(elements(table, "tbody")[0], "th") {
				names = append(names, textOf(n))
			}
		}
	}
	var want []string
	for _, name := range hostile() {
		want = append(want, shorten(name, nameRunes))
	}
	if !slices.Equal(names, want) {
		t.Errorf("the classes are shown as %q, want %q", names, want)
	}
	if all := textOf(root); strings.ContainsAny(all, "\u202e\u2066\x00\a") {
		t.Error("a name can change the direction of text")
	}
}

func TestUnfinishedRunSaysWhatIsMissing(t *testing.T) {
	run, root := makePage(t, "untested", sketches()["untested"])
	if all := textOf(root); !strings.Contains(all, "This run has not been evaluated. Run: tftl evaluate "+run.Path) || strings.Contains(all, "Confusion") {
		t.Error("the page does not say how to evaluate the run")
	}
	byID(t, root, "plot-loss-title")
	_, root = makePage(t, "untrained", sketches()["untrained"])
	if !strings.Contains(textOf(root), "This run has not finished an epoch yet") {
		t.Error("the page does not say that nothing was trained")
	}
}

func TestGatesAreNamed(t *testing.T) {
	_, root := makePage(t, "two", sketches()["two"])
	if all := textOf(root); !strings.Contains(all, "1 of 2 gates failed.") || !strings.Contains(all, "recall[dog] >= 0.99") {
		t.Error("the gate that failed is not named")
	}
	_, root = makePage(t, "perfect", sketches()["perfect"])
	if !strings.Contains(textOf(root), "1 gate passed.") {
		t.Error("the page does not say that the gate passed")
	}
}

func TestSameFolderSamePage(t *testing.T) {
	run, _ := makePage(t, "two", sketches()["two"])
	var first, second bytes.Buffer
	check(t, HTML(&first, run))
	check(t, os.WriteFile(run.File("decision.json"), []byte("{"), 0o644)) // evaluation.json has the decision
	check(t, HTML(&second, run))
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two reports of one folder differ")
	}
}

func TestGalleryOfOtherPredictionsIsNotShown(t *testing.T) {
	run, root := makePage(t, "two", sketches()["two"])
	if len(elements(root, "img")) == 0 {
		t.Fatal("there are no pictures")
	}
	path := run.File("predictions.csv")
	data, err := os.ReadFile(path)
	check(t, err)
	check(t, os.WriteFile(path, bytes.Replace(data, []byte("cat/0.jpg"), []byte("cat/x.jpg"), 1), 0o644))
	root = parse(t, run)
	if n := len(elements(root, "img")); n > 0 || !strings.Contains(textOf(root), "There are no pictures of these predictions. Run: tftl evaluate") {
		t.Errorf("%d pictures of other predictions", n)
	}
}

// If a file is damaged, or missing though another needs it, one error names it.
func TestDamagedFolderIsAnErrorThatNamesTheFile(t *testing.T) {
	whole, _ := makePage(t, "damaged", sketches()["two"])
	for file, damages := range map[string][]string{
		"config.json":            {"{", ""},
		"labels.txt":             {"gone"},
		"data.csv":               {"gone", "path,label,split\na,b\n", "path,label,split\na.jpg,cat,dev\n", "\"", "path,label,split\na.jpg,cow,train\n"},
		"history.jsonl":          {"{\"epoch\":\n", "nonsense\n"},
		"timing.jsonl":           {"[]\n"},
		"tune.json":              {"{", `{"settings": [], "chosen": 0}`},
		"evaluation.json":        {"{", "null x", `{"samples": 3}`},
		"predictions.csv":        {"gone", "", "path\n", "path,label,predicted,probability,p(cat),p(dog)\na,cat,cat,1,1,0\n"},
		"gallery/gallery.json":   {"{"},
		"gallery/mistake-00.jpg": {"gone", "no picture"},
	} {
		for _, damage := range damages {
			run := rundir.Dir{Path: filepath.Join(t.TempDir(), "damaged")}
			check(t, os.CopyFS(run.Path, os.DirFS(whole.Path)))
			if damage == "gone" {
				check(t, os.Remove(run.File(file)))
			} else {
				check(t, os.WriteFile(run.File(file), []byte(damage), 0o644))
			}
			var b bytes.Buffer
			err := HTML(&b, run)
			if err == nil || !strings.Contains(err.Error(), filepath.Base(file)) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s with %q: %v", file, damage, err)
			}
			if b.Len() > 0 {
				t.Errorf("%s with %q: something was written", file, damage)
			}
		}
	}
	if err := HTML(&bytes.Buffer{}, rundir.Dir{Path: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "is not a run folder") {
		t.Errorf("a folder that is not a run: %v", err)
	}
}

func TestGalleryNamesNoFileElsewhere(t *testing.T) {
	run, _ := makePage(t, "two", sketches()["two"])
	for _, name := range []string{"../config.json", "/etc/hostname", "a/../../b.jpg", ""} {
		digest, err := run.PredictionsDigest()
		check(t, err)
		check(t, WriteGallery(filepath.Dir(run.GalleryIndex()), Gallery{Predictions: digest, Mistakes: []Picture{{Thumb: name}}}))
		if err := HTML(&bytes.Buffer{}, run); err == nil || !strings.Contains(err.Error(), "gallery.json") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Every overall metric of evaluation.json is in the list.
func TestEveryMetricIsListed(t *testing.T) {
	run, root := makePage(t, "two", sketches()["two"])
	c, err := read(run, nil)
	check(t, err)
	all := map[string]bool{}
	for _, f := range c.evaluation.Metrics() {
		if !strings.Contains(f.Name, "[") {
			all[title(f.Name)] = true
		}
	}
	listed, _ := metricsOf(root)
	for _, name := range listed {
		delete(all, name)
	}
	if len(all) > 0 {
		t.Errorf("not listed: %v", slices.Sorted(maps.Keys(all)))
	}
}
