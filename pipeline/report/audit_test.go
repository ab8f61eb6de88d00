package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tftl/pipeline"
	"tftl/pipeline/audit"
	"tftl/pipeline/audit/findings"
)

// makeAudit makes an audit with findings of each kind in turn, of images and classes
// with these names.
func makeAudit(total int, names []string) Audit {
	a := Audit{Examples: map[string][]string{}, Parts: map[string]string{}, Labels: map[string]string{}}
	name := func(i int) string { return fmt.Sprintf("%s/%05d.jpg", names[i%len(names)], i) }
	class := func(i int) string { return names[i%len(names)] }
	for i := range total {
		kind := audit.Kinds()[i%len(audit.Kinds())]
		f := audit.Finding{
			Image: name(i), Kind: kind, Score: float64(i%100) / 100, Label: class(i), Part: pipeline.Parts()[i%3], Detail: "detail " + class(i),
		}
		switch {
		case kind == audit.LabelError:
			f.Suggested = class(i + 1)
		case kind.Copies():
			f.Group, f.Others, f.Leak = 1+i/3/11, []string{name(i + 3)}, i%2 == 0
		case kind == audit.Outlier:
			f.Others = []string{name(i + 1)}
		}
		a.Rows = append(a.Rows, findings.Row{Finding: f, Accepted: i%7 == 0})
		a.Parts[f.Image], a.Labels[f.Image] = f.Part, f.Label
		if len(a.Examples[f.Label]) < 4 {
			a.Examples[f.Label] = append(a.Examples[f.Label], f.Image)
		}
	}
	s := &a.Summary
	*s = findings.Summary{
		Tftl: "v0", Data: names[0], Model: names[1%len(names)], Images: 10 * total, Classes: len(names), Folds: 5, Accuracy: 0.9,
		LabelErrors: findings.Estimate{Images: 2, Share: 0.02, Lower: 0.01, Upper: 0.03},
		Confused:    []findings.Pair{{Label: names[0], Suggested: names[1%len(names)], Images: 3}},
		Baseline:    &findings.Known{Gone: names},
		Gates:       []findings.Result{{Name: "leaks", Bound: 0, Value: 3}, {Name: "findings", Bound: 3, Value: 3, Passed: true}},
	}
	s.Found, s.Copies = findings.Tally(a.Rows)
	return a
}

// pictures are small pictures, of which one in ten could not be made.
func pictures(t *testing.T, n int) (all [][]byte) {
	t.Helper()
	for i := range n {
		m := image.NewRGBA(image.Rect(0, 0, 24+i%24, 24))
		for p := range m.Pix {
			m.Pix[p] = uint8(p*i | 31)
		}
		m.Set(0, 0, color.White)
		var b bytes.Buffer
		check(t, jpeg.Encode(&b, m, nil))
		if all = append(all, b.Bytes()); i%10 == 9 {
			all[i] = nil
		}
	}
	return all
}

// makeAuditPage writes the page of an audit. REPORT_DIR keeps it for
// scripts/check_report.mjs.
func makeAuditPage(t *testing.T, name string, a Audit) (page string, root *html.Node) {
	t.Helper()
	var b bytes.Buffer
	check(t, a.HTML(&b, pictures(t, len(a.Wanted()))))
	if dir := os.Getenv("REPORT_DIR"); dir != "" && len(a.Rows) < 100 { // more is too much for its tools
		folder := filepath.Join(dir, "audit-"+name)
		check(t, os.MkdirAll(folder, 0o755))
		check(t, os.WriteFile(filepath.Join(folder, "report.html"), b.Bytes(), 0o644))
	}
	root, err := html.Parse(bytes.NewReader(b.Bytes()))
	check(t, err)
	return b.String(), root
}

// The page of an audit loads nothing else, and only its own script runs.
func TestAuditPageStandsAlone(t *testing.T) {
	for name, a := range map[string]Audit{
		"usual": makeAudit(22, []string{"cat", "dog"}), "hostile": makeAudit(88, hostile()), "clean": makeAudit(0, []string{"cat", "dog"}),
	} {
		page, root := makeAuditPage(t, name, a)
		scripts := elements(root, "script")
		if len(scripts) != 1 {
			t.Fatalf("%s: %d scripts", name, len(scripts))
		}
		sum := sha256.Sum256([]byte(textOf(scripts[0])))
		policy := "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		if got := attribute(elements(root, "meta")[4], "content"); got != policy {
			t.Errorf("%s: the policy is %q, want %q", name, got, policy)
		}
		for _, n := range elements(root, "") {
			switch n.Data {
			case "iframe", "object", "embed", "base", "img", "image", "use", "foreignobject":
				t.Errorf("%s: <%s>", name, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" || a.Key == "action" ||
					a.Key == "href" && !strings.HasPrefix(a.Val, "#f") && a.Val != "data:," {
					t.Errorf("%s: <%s> has %s=%.80q", name, n.Data, a.Key, a.Val)
				}
			}
		}
		for _, style := range elements(root, "style") {
			rest := regexp.MustCompile(`\.p\d+\{background-image:url\(data:image/jpeg;base64,[A-Za-z0-9+/=]+\)\}`).ReplaceAllString(textOf(style), "")
			if strings.Contains(rest, "url(") || strings.Contains(rest, "@import") {
				t.Errorf("%s: the style sheet leads elsewhere", name)
			}
		}
		if strings.Contains(page, "\u202e") || strings.Contains(page, "\x00") {
			t.Errorf("%s: a name turns the text around it", name)
		}
	}
}

// Every finding is there once, with the words that a person needs.
func TestAuditPageShowsEveryFinding(t *testing.T) {
	a := makeAudit(22, []string{"cat", "dog"})
	_, root := makeAuditPage(t, "usual", a)
	text := textOf(elements(root, "main")[0])
	for _, r := range a.Rows {
		if !strings.Contains(text, r.Image) {
			t.Errorf("%s is missing", r.Image)
		}
	}
	for _, want := range []string{"About 2.0% of the labels seem to be wrong (95% interval 1.0% to 3.0%)", "label error: cat that seems to be dog", "1 of 2 gates failed", "leaks <= 0", "accepted", "In the baseline, but not found again"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if !strings.Contains(textOf(byID(t, root, "list")), "examples of dog") {
		t.Error("a label error is without examples of the other class")
	}
	_, root = makeAuditPage(t, "clean", makeAudit(0, []string{"cat", "dog"}))
	if text := textOf(elements(root, "main")[0]); !strings.Contains(text, "Nothing was found.") {
		t.Error(text)
	}
}

// A page of many findings has a bound, and says what it leaves out.
func TestAuditPageOfManyFindingsStaysLight(t *testing.T) {
	a := makeAudit(5000, []string{"cat", "dog", "bird", "a rather long name of a class of animals"})
	wanted := a.Wanted()
	if len(wanted) != auditPictures {
		t.Errorf("%d pictures, want %d", len(wanted), auditPictures)
	}
	page, root := makeAuditPage(t, "many", a)
	cards := 0
	for _, n := range elements(root, "li") {
		if strings.HasPrefix(attribute(n, "class"), "finding") {
			cards++
		}
	}
	if want := len(a.cards()); cards != want || want < 3000 {
		t.Errorf("%d cards, want %d", cards, want)
	}
	if n := strings.Count(page, "url(data:image/jpeg"); n > auditPictures {
		t.Errorf("%d pictures", n)
	}
	without := regexp.MustCompile(`have pictures, so that the page stays light: \d+ findings here are without`)
	if !without.MatchString(textOf(elements(root, "main")[0])) || strings.Contains(page, "findings are not shown") {
		t.Error("the page does not say what it leaves out")
	}
	// Each kind has some: not only the first.
	known := map[string]bool{}
	for _, image := range wanted {
		known[image] = true
	}
	seen := map[audit.Kind]int{}
	for _, r := range a.Rows {
		if known[r.Image] {
			seen[r.Kind]++
		}
	}
	for _, kind := range audit.Kinds() {
		if seen[kind] < 10 {
			t.Errorf("%d pictures of %s", seen[kind], kind)
		}
	}
	a = makeAudit(60000, []string{"cat", "dog"})
	page, _ = makeAuditPage(t, "most", a)
	if more := len(a.cards()) - auditCards; more < 1 || !strings.Contains(page, fmt.Sprintf(" %d more findings are not shown.", more)) {
		t.Errorf("the page does not say that %d findings are missing", more)
	}
}

func TestAuditTableNamesWhatWasFound(t *testing.T) {
	var b bytes.Buffer
	check(t, makeAudit(22, hostile()).WriteTable(&b))
	for _, want := range []string{"220 images of ", "5 heads on ", "\nkind         images  accepted\nlabel error       2         1\n", "About 2.0% of the labels", "Baseline: 0 findings accepted, 0 new, "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	if strings.ContainsAny(b.String(), "\x00\u202e") {
		t.Error("names are not escaped")
	}
}
