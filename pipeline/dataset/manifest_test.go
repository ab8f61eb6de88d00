package dataset_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// manifest writes one into a folder with the images a.jpg to d.jpg and x/e.jpg.
func manifest(t *testing.T, name, text string) string {
	t.Helper()
	full := filepath.Join(tree(t, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "x/e.jpg", "f, \"g\".jpg"), name)
	write(t, full, text)
	return full
}

func samples(p dataset.Part) []pipeline.Sample {
	var list []pipeline.Sample
	for i := range p.Len() {
		list = append(list, p.Sample(i))
	}
	return list
}

func TestManifests(t *testing.T) {
	a, b := pipeline.Sample{ID: "a.jpg", Label: 1, Weight: 1}, pipeline.Sample{ID: "b.jpg", Label: 0, Weight: 1}
	e := pipeline.Sample{ID: "x/e.jpg", Label: 1, Weight: 1}
	g := pipeline.Sample{ID: `f, "g".jpg`, Label: 0, Weight: 1}
	half := func(s pipeline.Sample, w float32) pipeline.Sample { s.Weight = w; return s }
	for name, c := range map[string]struct {
		file, text string
		train      []pipeline.Sample
		test       []pipeline.Sample
	}{
		"plain":           {"m.csv", "path,label\na.jpg,dog\nb.jpg,cat\n", nil, []pipeline.Sample{a, b}},
		"no last newline": {"m.csv", "path,label\na.jpg,dog\nb.jpg,cat", nil, []pipeline.Sample{a, b}},
		"windows":         {"m.CSV", "\ufeffpath,label\r\na.jpg,dog\r\nb.jpg,cat\r\n", nil, []pipeline.Sample{a, b}},
		"any order":       {"m.csv", "Label , note,PATH\ndog,first,a.jpg\ncat,,b.jpg\n", nil, []pipeline.Sample{a, b}},
		"quotes":          {"m.csv", "path,label\n\"f, \"\"g\"\".jpg\",\"cat\"\nx/e.jpg, dog\n", nil, []pipeline.Sample{g, e}},
		"tabs":            {"m.tsv", "path\tlabel\tsplit\n\"f, \"\"g\"\".jpg\"\tcat\tTest\na.jpg\tdog\ttrain\n", []pipeline.Sample{a}, []pipeline.Sample{g}},
		"weights":         {"m.csv", "path,label,weight\na.jpg,dog,0.5\nb.jpg,cat,\nx/e.jpg,dog,0\n", nil, []pipeline.Sample{half(a, 0.5), b, half(e, 0)}},
		"detours":         {"m.csv", "path,label\n./x/../a.jpg,dog\nx//e.jpg,dog\nb.jpg,cat\n", nil, []pipeline.Sample{a, b, e}},
		"blank lines":     {"m.csv", "path,label\n\na.jpg,dog\n\n\nb.jpg,cat\n", nil, []pipeline.Sample{a, b}},
		"semicolons":      {"m.csv", "path;label;note\r\na.jpg;dog;1,5\r\nb.jpg;cat;\r\n", nil, []pipeline.Sample{a, b}},
		"tabs in .csv":    {"m.csv", "label\tpath\ndog\ta.jpg\ncat\tb.jpg\n", nil, []pipeline.Sample{a, b}},
		"commas in .tsv":  {"m.tsv", "path,label\na.jpg,dog\nb.jpg,cat\n", nil, []pipeline.Sample{a, b}},
		"separator line":  {"m.csv", "\ufeffsep=;\r\npath;label\r\na.jpg;dog\r\nb.jpg;cat\r\n", nil, []pipeline.Sample{a, b}},
		"quoted, too":     {"m.csv", "\"sep=,\"\npath,label\na.jpg,dog\nb.jpg,cat\n", nil, []pipeline.Sample{a, b}},
		"old Mac lines":   {"m.csv", "path,label\ra.jpg,dog\rb.jpg,cat", nil, []pipeline.Sample{a, b}},
		"backslashes":     {"m.csv", "path,label\nx\\e.jpg,dog\nb.jpg,cat\n", nil, []pipeline.Sample{b, e}},
		"space":           {"m.csv", "path , label\n a.jpg , dog \nb.jpg\t,\tcat\n", nil, []pipeline.Sample{a, b}},
		"empty splits":    {"m.csv", "path,label,split\na.jpg,dog,\nb.jpg,cat, \n", nil, []pipeline.Sample{a, b}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := dataset.OpenLabelled(manifest(t, c.file, c.text), dataset.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(samples(s.Test), sorted(c.test)) || !slices.Equal(samples(s.Train), c.train) {
				t.Errorf("train %+v\ntest %+v", samples(s.Train), samples(s.Test))
			}
			for i := range s.Test.Len() {
				if b, err := s.Test.Bytes(i); err != nil || string(b) != s.Test.Sample(i).ID {
					t.Errorf("%q, %v", b, err)
				}
			}
		})
	}
}

func sorted(list []pipeline.Sample) []pipeline.Sample {
	return slices.SortedFunc(slices.Values(list), func(a, b pipeline.Sample) int { return strings.Compare(a.ID, b.ID) })
}

func TestPartsOfAManifest(t *testing.T) {
	s := open(t, manifest(t, "m.csv", "path,label,split\na.jpg,x,train\nb.jpg,y,TRAIN\nc.jpg,x,val\nd.jpg,y,Valid\nx/e.jpg,x,validation\n"), dataset.Options{})
	wantIDs(t, "train", s.Train, "a.jpg", "b.jpg")
	wantIDs(t, "validation", s.Validation, "c.jpg", "d.jpg", "x/e.jpg")
	if s.Test.Len() != 0 {
		t.Errorf("test has %d", s.Test.Len())
	}
}

func TestBadManifests(t *testing.T) {
	head := "path,label,split,weight\n"
	for name, c := range map[string]struct{ text, message, hint string }{
		"empty":                 {"", "m.csv: is empty", ""},
		"header alone":          {head, "has no images", ""},
		"no header":             {"a.jpg,dog\nb.jpg,cat\n", `line 1: has no column path or label, only "a.jpg", "dog"`, "path for the image files, label for their classes"},
		"no label":              {"path,class\na.jpg,dog\n", `line 1: has no column label, only "path", "class"`, "label for their classes"},
		"column twice":          {"path,label,Label\na.jpg,dog,dog\n", "line 1: has column label twice", ""},
		"empty label":           {head + "a.jpg,dog,,\nb.jpg, ,,\n", "m.csv: line 3: label is empty", ""},
		"empty path":            {head + ",dog,,\n", "line 2: path is empty", ""},
		"label of two lines":    {head + "a.jpg,\"d\no\",,\n", "line 2: label \"d\\no\" has a line break", ""},
		"too few columns":       {head + "a.jpg,dog\n", "line 2: has more or fewer columns than the first", ""},
		"too many columns":      {head + "\na.jpg,dog,,,\n", "line 3: has more or fewer columns", ""},
		"bare quote":            {head + "a\".jpg,dog,,\n", `line 2: column 2: bare "`, ""},
		"open quote":            {head + "a.jpg,dog,,\n\"b.jpg,dog,,\nc.jpg,dog,,\n", "line 4: ", ""},
		"after long quote":      {head + "a.jpg,dog,,\"\n\n1\"\nb.jpg,,,\n", "line 5: label is empty", ""},
		"split":                 {head + "a.jpg,dog,training,\n", `line 2: split "training" is not train, val or test`, ""},
		"split here, not there": {head + "a.jpg,dog,,\nb.jpg,dog,train,\n", "line 2: split is empty, but not on other lines", ""},
		"split there":           {head + "a.jpg,dog,train,\nb.jpg,dog,,\n", "line 3: split is empty", ""},
		"weight":                {head + "a.jpg,dog,,much\n", `line 2: weight "much" is not a number of 0 or more`, ""},
		"weight below 0":        {head + "a.jpg,dog,,-1\n", "line 2: weight", ""},
		"weight NaN":            {head + "a.jpg,dog,,NaN\n", "line 2: weight", ""},
		"weight infinite":       {head + "a.jpg,dog,,1e39\n", "line 2: weight", ""},
		"twice":                 {head + "a.jpg,dog,,\nb.jpg,dog,,\nx/../a.jpg,dog,,\n", "line 4: x/../a.jpg is already on line 2", ""},
		"of two classes":        {head + "x/e.jpg,dog,,\nb.jpg,dog,,\n./x//e.jpg,cat,,\n", "line 4: ./x//e.jpg is already on line 2, with label \"dog\"", ""},
		"twice by backslash":    {head + "x/e.jpg,dog,,\nx\\e.jpg,dog,,\n", "line 3: x\\e.jpg is already on line 2", ""},
		"missing":               {head + "a.jpg,dog,,\nnone.jpg,dog,,\n", "line 3: ", ""},
		"drive":                 {head + "C:\\photos\\a.jpg,dog,,\n", "line 2: ", "instead of \\"},
		"outside by backslash":  {head + "..\\b.jpg,dog,,\n", "line 2: ", "instead of \\"},
		"spaces alone":          {head + " ,dog,,\n", "line 2: path is empty", ""},
		"two headers":           {"path;label,x\na.jpg;dog,\n", `has no column path or label, only "path;label", "x"`, "name the columns"},
		"wrong separator line":  {"sep=;\npath,label\na.jpg,dog\n", `only "path,label"`, "name the columns"},
		"after separator line":  {"sep=;\npath;label\na.jpg;\n", "line 3: label is empty", ""},
		"after old Mac lines":   {"path,label\ra.jpg,dog\rb.jpg,\r", "line 3: label is empty", ""},
		"a folder":              {head + "x,dog,,\n", "x is not a file", ""},
		"outside":               {head + "a.jpg,dog,,\n../b.jpg,dog,,\n", "line 3: ../b.jpg is outside the manifest's folder", "allow-outside"},
		"by a detour":           {head + "x/../../b.jpg,dog,,\n", "line 2: x/../../b.jpg is outside", "allow-outside"},
		"absolute":              {head + "/etc/passwd,dog,,\n", "line 2: /etc/passwd is outside", "allow-outside"},
		"UTF-16":                {"\xff\xfep\x00a\x00t\x00h\x00", "is UTF-16: save it as UTF-8", ""},
		"zero byte":             {head + "a\x00.jpg,dog,,\n", "line 2: ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := manifest(t, "m.csv", c.text)
			_, err := dataset.OpenLabelled(path, dataset.Options{})
			checkError(t, err, pipeline.BadData, c.message, c.hint)
			if !strings.HasPrefix(err.Error(), path) {
				t.Errorf("%q does not begin with the file", err)
			}
		})
	}
}

// An absolute path of a file in the manifest's folder equals the relative one,
// whether the folder is reached by a link or not.
func TestAbsolutePathsInsideAreRelative(t *testing.T) {
	root := tree(t, "data/x/e.jpg", "data/b.jpg", "c.jpg")
	data, link := filepath.Join(root, "data"), filepath.Join(root, "link")
	if err := os.Symlink(data, link); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(data, "m.csv")
	write(t, list, fmt.Sprintf("path,label\n%s,dog\n%s,cat\n", filepath.Join(data, "x", "e.jpg"), data+"/x//../b.jpg"))
	for _, path := range []string{list, filepath.Join(link, "m.csv")} {
		for _, options := range []dataset.Options{{}, {AllowOutside: true}} {
			s, err := dataset.OpenLabelled(path, options)
			if err != nil {
				t.Fatal(err)
			}
			wantIDs(t, "all", s.Test, "b.jpg", "x/e.jpg")
		}
	}
	for _, outside := range []string{filepath.Join(root, "c.jpg"), data + "/../c.jpg", data + "/x/../../c.jpg", data + "x/c.jpg"} {
		write(t, list, "path,label\n"+outside+",dog\n")
		_, err := dataset.OpenLabelled(list, dataset.Options{})
		checkError(t, err, pipeline.BadData, "line 2: "+outside+" is outside the manifest's folder", "allow-outside")
	}
	write(t, list, fmt.Sprintf("path,label\nb.jpg,dog\n%s,dog\n", filepath.Join(data, "b.jpg")))
	_, err := dataset.OpenLabelled(list, dataset.Options{})
	checkError(t, err, pipeline.BadData, "b.jpg is already on line 2", "")
}

// Names with spaces or backslashes are taken as they are if such files exist.
func TestPathsAsTheyAreWrittenComeFirst(t *testing.T) {
	list := filepath.Join(tree(t, "a.jpg", " a.jpg ", `x\e.jpg`, "x/e.jpg", "p\u00eache.jpg", "u\u0308.jpg"), "m.csv")
	write(t, list, "path,label\n a.jpg ,1\nx\\e.jpg,2\npe\u0302che.jpg,3\n\u00fc.jpg,4\n")
	s, err := dataset.OpenLabelled(list, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "all", s.Test, " a.jpg ", "p\u00eache.jpg", "u\u0308.jpg", `x\e.jpg`)
}

// Weights of 0 give a warning only if they leave nothing to learn: in train.
func TestWeightsOfZero(t *testing.T) {
	write4 := func(a, b, c, d string) string {
		return manifest(t, "m.csv", "path,label,split,weight\na.jpg,x,train,"+a+"\nb.jpg,y,train,"+b+"\nc.jpg,x,val,"+c+"\nd.jpg,y,val,"+d+"\n")
	}
	if s := open(t, write4("1", "0.5", "0", "0"), dataset.Options{}); len(warnings(s)) > 0 {
		t.Errorf("warnings %q", warnings(s))
	}
	if s := open(t, write4("0", "0.5", "1", "1"), dataset.Options{}); len(warnings(s)) != 1 || !strings.HasSuffix(warnings(s)[0], `have weight 0: "x"`) {
		t.Errorf("warnings %q", warnings(s))
	}
	_, err := dataset.Open(write4("0", "0", "1", "1"), dataset.Options{})
	checkError(t, err, pipeline.BadData, "every training image has weight 0", "weights above 0")
}

func TestAllowOutside(t *testing.T) {
	root := tree(t, "lists/", "images/1.jpg", "images/2.jpg")
	list := filepath.Join(root, "lists", "m.csv")
	absolute := filepath.Join(root, "images", "2.jpg")
	write(t, list, fmt.Sprintf("path,label\n../images/1.jpg,a\n%s,b\n", absolute))
	s, err := dataset.OpenLabelled(list, dataset.Options{AllowOutside: true})
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "all", s.Test, "../images/1.jpg", filepath.ToSlash(absolute))
	if b, err := s.Test.Bytes(0); err != nil || string(b) != "images/1.jpg" {
		t.Errorf("%q, %v", b, err)
	}
	write(t, list, fmt.Sprintf("path,label\n../images/2.jpg,a\n%s,b\n", absolute))
	_, err = dataset.OpenLabelled(list, dataset.Options{AllowOutside: true})
	checkError(t, err, pipeline.BadData, "is already on line 2", "")
}

// Groups decide by default if there are any.
func TestGroups(t *testing.T) {
	var names []string
	var text strings.Builder
	text.WriteString("path,label,group\n")
	for i := range 120 {
		name := fmt.Sprintf("%03d.jpg", i)
		names = append(names, name)
		fmt.Fprintf(&text, "%s,%s,burst %d\n", name, []string{"a", "b"}[i%2], i/6)
	}
	path := filepath.Join(tree(t, names...), "m.csv")
	write(t, path, text.String())
	partOf := func(s *dataset.Set) map[string]string {
		parts := map[string]string{}
		for _, name := range []string{"train", "val", "test"} {
			for _, id := range ids(partOf(t, s, name)) {
				parts[id] = name
			}
		}
		return parts
	}
	torn := func(s *dataset.Set) (n int) {
		parts := partOf(s)
		for i := range 120 {
			if parts[names[i]] != parts[names[i/6*6]] {
				n++
			}
		}
		return n
	}
	s := open(t, path, dataset.Options{})
	if torn(s) > 0 || !strings.HasSuffix(s.Description, "by group") || len(partOf(s)) != 120 {
		t.Errorf("%d images are away from their groups: %s", torn(s), s.Description)
	}
	if n := torn(open(t, path, dataset.Options{By: dataset.ByName})); n == 0 {
		t.Error("by name, all groups stay together")
	}
	_, err := dataset.Open(path, dataset.Options{Exact: true})
	checkError(t, err, pipeline.BadUsage, "an exact split would separate what a split by group keeps together", "by name only")
	if s := open(t, path, dataset.Options{Exact: true, By: dataset.ByName}); s.Train.Len() != 84 {
		t.Errorf("%d to train on", s.Train.Len())
	}
	_, err = dataset.Open(tree(t, append(images("a", 9), images("b", 9)...)...), dataset.Options{By: dataset.ByGroup})
	checkError(t, err, pipeline.BadUsage, "has no groups to split by", "group column")
	_, err = dataset.Open(path, dataset.Options{By: "hue"})
	checkError(t, err, pipeline.BadUsage, `by "hue": must be name, content or group`, "")

	write(t, path, "path,label,split,group\n000.jpg,a,train,x\n001.jpg,b,train,y\n002.jpg,a,val,x\n003.jpg,a,test,z\n")
	if s := open(t, path, dataset.Options{}); !slices.ContainsFunc(warnings(s), func(w string) bool { return w == `groups that are in several parts: "x"` }) {
		t.Errorf("warnings %q", warnings(s))
	}
}

func TestColumns(t *testing.T) {
	path := manifest(t, "m.csv", "path,label,split,Camera ,site,\na.jpg,x,train,front,n,\nb.jpg,y,train,,s,\nc.jpg,x,val, back ,n,\nd.jpg,y,val,front,s,\n")
	options := dataset.Options{Columns: []string{"site", "camera"}}
	s := open(t, path, options)
	column := func(p dataset.Part, k int, want ...string) {
		t.Helper()
		if got := p.Column(k); !slices.Equal(got, want) {
			t.Errorf("column %d is %q, want %q", k, got, want)
		}
	}
	column(s.Train, 1, "front", "")
	column(s.Validation, 0, "n", "s")
	column(s.Validation, 1, "back", "front")
	column(partOf(t, s, pipeline.AllParts).Keep(func(i int) bool { return i > 1 }), 1, "back", "front")
	swapped, err := s.Relabel([]string{"y", "x"}, false)
	if err != nil {
		t.Fatal(err)
	}
	column(swapped.Train, 1, "front", "")

	// OpenRecorded has them too.
	if s, err = dataset.OpenRecorded(path, options, slices.Collect(s.Record()), pipeline.AllParts); err != nil {
		t.Fatal(err)
	}
	column(s.Validation, 1, "back", "front")

	// It is enough if one source has them.
	folders := tree(t, "a/1.jpg", "b/2.jpg")
	apart := filepath.Join(filepath.Dir(path), "apart.csv")
	write(t, apart, "path,label,site\na.jpg,a,n\nb.jpg,b,s\n")
	if s, err = dataset.OpenLabelled(folders, dataset.Options{Test: apart, Columns: []string{"site"}}); err != nil {
		t.Fatal(err)
	}
	column(s.Test, 0, "n", "s")
	column(s.Train, 0, "", "")

	for name, hint := range map[string]string{"lens": `it has "split", "Camera", "site"`, "path": `"site"`, "": `"site"`} {
		_, err := dataset.OpenLabelled(path, dataset.Options{Columns: []string{"site", name}})
		checkError(t, err, pipeline.BadUsage, "slice "+name+": "+path+" has no such column", hint)
	}
	_, err = dataset.OpenLabelled(folders, dataset.Options{Columns: []string{"site"}})
	checkError(t, err, pipeline.BadUsage, "slice site: "+folders+" has no columns", "a manifest")
	write(t, path, "path,label,note,Note\na.jpg,x,,\n")
	_, err = dataset.OpenLabelled(path, dataset.Options{Columns: []string{"note"}})
	checkError(t, err, pipeline.BadData, "line 1: has column note twice", "")
	if _, err = dataset.OpenLabelled(path, dataset.Options{}); err != nil {
		t.Errorf("columns that nobody asks for: %v", err)
	}
}
