package findings

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/audit"
)

// found is what an audit of a small set could find.
func found() []audit.Finding {
	return []audit.Finding{
		{Image: "red/b.jpg", Kind: audit.LabelError, Score: 0.5, Label: "red", Suggested: "blue", Part: "train", Detail: "class red: 0.2, class blue: 0.8"},
		{Image: "blue/=a;b.jpg", Kind: audit.LabelError, Score: 0.9, Label: "blue", Suggested: "red", Part: "val"},
		{Image: "red/c.jpg", Kind: audit.Duplicate, Score: 1, Label: "red", Part: "train", Group: 2, Others: []string{"red/d.jpg"}},
		{Image: "red/d.jpg", Kind: audit.Duplicate, Score: 1, Label: "red", Part: "train", Group: 2, Others: []string{"red/c.jpg"}},
		{Image: "red/e.jpg", Kind: audit.NearCopy, Score: 0.8, Label: "red", Part: "train", Group: 1, Others: []string{"blue/f;\"g.jpg", "blue/=a;b.jpg"}, Leak: true, Detail: "mirrored"},
		{Image: "blue/f;\"g.jpg", Kind: audit.NearCopy, Score: 0.7, Label: "blue", Part: "test", Group: 1, Others: []string{"red/e.jpg", "blue/=a;b.jpg"}, Leak: true},
		{Image: "blue/=a;b.jpg", Kind: audit.NearCopy, Score: 0.6, Label: "blue", Part: "val", Group: 1, Others: []string{"red/e.jpg", "blue/f;\"g.jpg"}, Leak: true},
		{Image: "red/g.jpg", Kind: audit.Outlier, Score: 0.3, Label: "red", Part: "test", Others: []string{"blue/h.jpg"}},
		{Image: "red/i.jpg", Kind: audit.Dark, Score: 0.2, Label: "red", Part: "train"},
	}
}

func rowsOf(list []audit.Finding) (rows []Row) {
	for _, f := range list {
		rows = append(rows, Row{Finding: f})
	}
	return rows
}

func TestTableIsReadBack(t *testing.T) {
	rows := rowsOf(found())
	rows[3].Accepted = true
	var b bytes.Buffer
	if err := WriteTable(&b, rows); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTable(strings.NewReader(b.String()), "audit.csv")
	if err != nil || !reflect.DeepEqual(got, rows) {
		t.Errorf("%v\n%s\n%+v", err, b.String(), got)
	}
	// As a spreadsheet saves it: with a byte order mark, other line ends, columns moved.
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	again := "\ufeff" + strings.Join(lines, "\r\n") + "\r\n"
	if got, err = ReadTable(strings.NewReader(again), "audit.csv"); err != nil || !reflect.DeepEqual(got, rows) {
		t.Errorf("from a spreadsheet: %v", err)
	}
	moved := "others,note,leak,group,part,kind,image\n,x,,,val,dark,a.jpg\n"
	if got, err = ReadTable(strings.NewReader(moved), "audit.csv"); err != nil || len(got) != 1 || got[0].Image != "a.jpg" || got[0].Part != "val" {
		t.Errorf("moved columns: %v %v", got, err)
	}
}

func TestBadTablesAreRefused(t *testing.T) {
	const header = "image,kind,score,part,group,others,leak\n"
	for text, want := range map[string]string{
		"":                               "a.csv:1: has no header",
		"path,label,split\na,b,train\n":  `a.csv:1: has no column "image"`,
		"image,kind,part,group,others\n": `a.csv:1: has no column "leak"`,
		"image,image,kind,part,group,others,leak":         `a.csv:1: column "image" is there twice`,
		header + "a,dark,1,train,,,\na,dork,1,train,,,\n": `a.csv:3: kind "dork": must be one of label-error, duplicate`,
		header + ",dark,1,train,,,\n":                     "a.csv:2: has no image",
		header + "a,dark,1,all,,,\n":                      `a.csv:2: part "all": must be one of train, val, test`,
		header + "a,dark,1,train,3,,\n":                   `a.csv:2: group "3": copies are in a group`,
		header + "a,duplicate,1,train,,b,\n":              `a.csv:2: group "": copies are in a group`,
		header + "a,duplicate,1,train,-1,b,\n":            `a.csv:2: group "-1": is not a whole number`,
		header + "a,dark,NaN,train,,,\n":                  `a.csv:2: score "NaN": is not a number`,
		header + "a,dark,1,train,,,maybe\n":               `a.csv:2: leak "maybe": must be yes or empty`,
		header + "a,dark,1,train,,\"x\"\"y\",\n":          `a.csv:2: others "x\"y": must be names separated by semicolons`,
		header + "a,dark,1\n":                             "a.csv:2: wrong number of fields",
		header + "\"a,dark,1,train,,,\n":                  "a.csv:2: extraneous or missing \" in quoted-field",
	} {
		rows, err := ReadTable(strings.NewReader(text), "a.csv")
		if err == nil || !strings.HasPrefix(err.Error(), want) || pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("%q: %v %v, want %s", text, rows, err, want)
		}
	}
}

func TestBaselineAcceptsWhatIsKnown(t *testing.T) {
	list := found()
	var b bytes.Buffer
	if err := NewBaseline(list).Write(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 1+len(list) || lines[0] != "image,kind,leak,others" || !slices.Contains(lines, "red/g.jpg,outlier,,") {
		t.Errorf("baseline:\n%s", b.String())
	}
	known, err := ReadBaseline(strings.NewReader(b.String()), "known.csv")
	if err != nil {
		t.Fatal(err)
	}

	// Another processor: other scores, another order, other groups, another nearest
	// image. And a dark image is gone, and another blurred.
	next := found()[:8]
	slices.Reverse(next)
	for i := range next {
		next[i].Score *= 0.99
		next[i].Detail = "other words"
		next[i].Group *= 7
		slices.Reverse(next[i].Others)
		if next[i].Kind == audit.Outlier {
			next[i].Others = []string{"red/b.jpg"}
		}
	}
	next = append(next, audit.Finding{Image: "red/i.jpg", Kind: audit.Blurred, Part: "train"})
	rows, gone := known.Accept(next)
	for i, r := range rows {
		if r.Accepted != (i < 8) {
			t.Errorf("%s %s: accepted is %t", r.Kind, r.Image, r.Accepted)
		}
	}
	if len(gone) != 1 || gone[0].String() != "dark red/i.jpg" {
		t.Errorf("gone: %v", gone)
	}

	// A copy that is now in another part is news, and so is another copy.
	for _, change := range []func(*audit.Finding){
		func(f *audit.Finding) { f.Leak = true },
		func(f *audit.Finding) { f.Others = append(f.Others, "red/z.jpg") },
	} {
		f := found()[2]
		change(&f)
		if rows, _ := known.Accept([]audit.Finding{f}); rows[0].Accepted {
			t.Errorf("%+v is taken for known", f)
		}
	}
}

func TestBaselineIsReadFromATableToo(t *testing.T) {
	var table bytes.Buffer
	if err := WriteTable(&table, rowsOf(found())); err != nil {
		t.Fatal(err)
	}
	b, err := ReadBaseline(&table, "audit.csv")
	if err != nil || !reflect.DeepEqual(b, NewBaseline(found())) {
		t.Errorf("%v: %v", err, b)
	}
	for text, want := range map[string]string{
		"image,kind\na,dark\n":                        `b.csv:1: has no column "leak"`,
		"image,kind,leak,others\na,dark,,\na,x,,\n":   `b.csv:3: kind "x": must be one of`,
		"image,kind,leak,others\na,duplicate,,\n":     "b.csv:2: others is empty, but a duplicate is of another image",
		"image,kind,leak,others\n,dark,,\n":           "b.csv:2: has no image",
		"image,kind,leak,others\na,duplicate,no,b\n":  `b.csv:2: leak "no": must be yes or empty`,
		"image,kind,leak,others\na,duplicate,,\"b\n;": "b.csv:3: ",
	} {
		if b, err := ReadBaseline(strings.NewReader(text), "b.csv"); err == nil || !strings.HasPrefix(err.Error(), want) || pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("%q: %v %v, want %s", text, b, err, want)
		}
	}
}

func TestOrderIsBySeverityAndStable(t *testing.T) {
	want := []string{
		"near-copy blue/=a;b.jpg", "near-copy blue/f;\"g.jpg", "near-copy red/e.jpg", // a leak
		"label-error blue/=a;b.jpg", "label-error red/b.jpg",
		"duplicate red/c.jpg", "duplicate red/d.jpg", "outlier red/g.jpg", "dark red/i.jpg",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		list := found()
		random.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
		Sort(list)
		var got []string
		for _, f := range list {
			got = append(got, fmt.Sprintf("%s %s", f.Kind, f.Image))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q", got)
		}
	}
}

func TestExcludeSparesTheTestPartAndOneOfEachGroup(t *testing.T) {
	parts := map[string]string{"a": "train", "b": "train", "c": "val", "d": "val", "t": "test", "u": "test"}
	part := func(image string) string { return parts[image] }
	dark := func(image string) Row { return Row{Finding: audit.Finding{Image: image, Kind: audit.Dark}} }
	copies := func(group int, kind audit.Kind, images ...string) (rows []Row) {
		for _, image := range images {
			others := slices.DeleteFunc(slices.Clone(images), func(s string) bool { return s == image })
			rows = append(rows, Row{Finding: audit.Finding{Image: image, Kind: kind, Group: group, Others: others}})
		}
		return rows
	}
	accepted := dark("a")
	accepted.Accepted = true
	for name, c := range map[string]struct {
		rows []Row
		out  []string
		test []string
	}{
		"single images":               {[]Row{dark("a"), dark("c"), dark("t")}, []string{"a", "c"}, []string{"t"}},
		"accepted":                    {[]Row{accepted, dark("b")}, []string{"b"}, nil},
		"unknown":                     {[]Row{dark("x"), dark("b")}, []string{"b"}, nil},
		"within train":                {copies(1, audit.Duplicate, "b", "a"), []string{"b"}, nil},
		"train and validation":        {copies(1, audit.Duplicate, "a", "b", "c"), []string{"a", "b"}, nil},
		"a leak into test":            {copies(1, audit.NearCopy, "a", "c", "t"), []string{"a", "c"}, []string{"t"}},
		"only in test":                {copies(1, audit.NearCopy, "t", "u"), nil, []string{"t", "u"}},
		"some of a group":             {copies(1, audit.NearCopy, "a", "b", "c")[:1], []string{"a"}, nil},
		"the rest is not in the data": {copies(1, audit.NearCopy, "a", "x"), nil, nil},
		"the rest is left out too":    {append(copies(1, audit.NearCopy, "a", "b"), dark("a")), []string{"a"}, nil},
	} {
		e := Exclude(c.rows, part)
		var out []string
		for image := range e.Images {
			out = append(out, image)
		}
		slices.Sort(out)
		if !slices.Equal(out, c.out) || !slices.Equal(e.Test, c.test) {
			t.Errorf("%s: leaves out %q, want %q; in the test part %q, want %q", name, out, c.out, e.Test, c.test)
		}
	}
	if e := Exclude([]Row{accepted, dark("x")}, part); !slices.Equal(e.Accepted, []string{"a"}) || !slices.Equal(e.Unknown, []string{"x"}) {
		t.Errorf("%+v", e)
	}
}

// Of overlapping groups, as two audits may find, the same images are left out each time.
func TestExcludeIsTheSameEachTime(t *testing.T) {
	copies := func(group int, image, other string) Row {
		return Row{Finding: audit.Finding{Image: image, Kind: audit.NearCopy, Group: group, Others: []string{other}}}
	}
	rows := []Row{copies(1, "a", "b"), copies(1, "b", "a"), copies(2, "b", "c"), copies(2, "c", "b")}
	for range 50 {
		if e := Exclude(rows, func(string) string { return "train" }); len(e.Images) != 1 || e.Images["b"] == "" {
			t.Fatalf("leaves out %v", e.Images)
		}
	}
}

// A finding of a large group names only some of the others.
func TestExcludeKnowsATestImageThatIsNotNamed(t *testing.T) {
	part := func(image string) string {
		if image == "t" {
			return "test"
		}
		return "train"
	}
	var rows []Row
	for _, image := range []string{"a", "b", "t"} {
		rows = append(rows, Row{Finding: audit.Finding{Image: image, Kind: audit.Duplicate, Group: 1, Others: []string{"a"}}})
	}
	if e := Exclude(rows, part); len(e.Images) != 2 || !slices.Equal(e.Test, []string{"t"}) {
		t.Errorf("leaves out %v, in the test part %q", e.Images, e.Test)
	}
}

// An image that is left out for something else does not stay because of what was accepted.
func TestExcludeNamesAcceptedImagesThatStay(t *testing.T) {
	rows := []Row{
		{Finding: audit.Finding{Image: "a", Kind: audit.Dark}, Accepted: true},
		{Finding: audit.Finding{Image: "a", Kind: audit.LabelError}},
		{Finding: audit.Finding{Image: "b", Kind: audit.Dark}, Accepted: true},
	}
	if e := Exclude(rows, func(string) string { return "train" }); len(e.Images) != 1 || !slices.Equal(e.Accepted, []string{"b"}) {
		t.Errorf("leaves out %v, accepted %q", e.Images, e.Accepted)
	}
}

func TestSelectionIsAFileOrAFileWithAKind(t *testing.T) {
	exists := func(path string) bool { return path == "odd:dark" }
	for text, want := range map[string]Selection{
		"audit.csv":             {"audit.csv", ""},
		"audit.csv:label-error": {"audit.csv", "label-error"},
		"audit.csv:leak":        {"audit.csv", "leak"},
		"odd:dark":              {"odd:dark", ""},
		"odd:dark:dark":         {"odd:dark", "dark"},
	} {
		if got, err := ParseSelection(text, exists); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":dark", "audit.csv:dork", "audit.csv:"} {
		if got, err := ParseSelection(text, exists); pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	rows := rowsOf(found())
	for only, want := range map[string]int{"": 9, "label-error": 2, "near-copy": 3, "leak": 3, "blank": 0} {
		if got := (Selection{Only: only}).Select(rows); len(got) != want {
			t.Errorf("%q: %d rows, want %d", only, len(got), want)
		}
	}
}

func TestGatesCountWhatIsNotAccepted(t *testing.T) {
	rows := rowsOf(found())
	s := Summary{Images: 100, LabelErrors: Estimate{Images: 4, Share: 0.04}}
	s.Found, s.Copies = Tally(rows)
	check := func(text string, value float64, passed bool) {
		t.Helper()
		g, err := ParseGate(text)
		if err != nil {
			t.Fatal(err)
		}
		if r := g.Check(s); r.Value != value || r.Passed != passed {
			t.Errorf("%s: %+v (%s)", text, r, r)
		}
	}
	check("label_errors=0.04", 0.04, true)
	check("label_errors=0.03", 0.04, false)
	check("leaks=0", 1, false)
	check("duplicates=2", 2, true)
	check("outliers=0", 1, false)
	check("dark=0", 1, false)
	check("odd_shape=0", 0, true)
	check("findings=8", 9, false)
	for i := range rows {
		rows[i].Accepted = rows[i].Kind != audit.Dark
	}
	s.Found, s.Copies = Tally(rows)
	check("label_errors=0.02", 0.02, true)
	check("leaks=0", 0, true)
	check("duplicates=0", 0, true)
	check("findings=1", 1, true)
	for _, text := range []string{"leaks", "leak=0", "leaks=x", "leaks=-1", "leaks=NaN", "label_errors=2", "accuracy=1"} {
		if g, err := ParseGate(text); pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%s: %+v %v", text, g, err)
		}
	}
}

func FuzzReadTable(f *testing.F) {
	var b bytes.Buffer
	if err := WriteTable(&b, rowsOf(found())); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add("image,kind,leak,others\na,dark,,\n")
	f.Add("image,kind,part,group,others,leak\n\"a\nb\",duplicate,test,1,\"a;\"\"b;c\"\"\",yes\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := ReadTable(strings.NewReader(text), "fuzz.csv")
		if err == nil {
			var again bytes.Buffer
			if err := WriteTable(&again, rows); err != nil {
				t.Fatal(err)
			}
			back, err := ReadTable(&again, "again.csv")
			if err != nil || len(back) != len(rows) {
				t.Fatalf("%v: %d rows of %d", err, len(back), len(rows))
			}
		} else if pipeline.KindOf(err) != pipeline.BadData {
			t.Fatal(err)
		}
		if b, err := ReadBaseline(strings.NewReader(text), "fuzz.csv"); err == nil {
			var again bytes.Buffer
			if err := b.Write(&again); err != nil {
				t.Fatal(err)
			}
			if back, err := ReadBaseline(&again, "again.csv"); err != nil || !reflect.DeepEqual(back, b) {
				t.Fatalf("%v: %v, want %v", err, back, b)
			}
		} else if pipeline.KindOf(err) != pipeline.BadData {
			t.Fatal(err)
		}
	})
}
