package dataset_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// writeManifest writes one and says whether it lists files outside its folder.
func writeManifest(t *testing.T, s *dataset.Set, path string, folds map[string]int) (outside bool) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if outside, err = s.WriteManifest(f, filepath.Dir(path), folds); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return outside
}

// bytesOf returns the contents of each part's images, which are their names.
func bytesOf(t *testing.T, s *dataset.Set) (all [3][]string) {
	t.Helper()
	for i, p := range []dataset.Part{s.Train, s.Validation, s.Test} {
		for j := range p.Len() {
			b, err := p.Bytes(j)
			if err != nil {
				t.Fatal(err)
			}
			all[i] = append(all[i], fmt.Sprintf("%s is %s", b, s.Classes[p.Sample(j).Label]))
		}
		slices.Sort(all[i])
	}
	return all
}

func TestAManifestReadsBackWhereverItLies(t *testing.T) {
	root := tree(t, slices.Concat(images("data/cats, all", 40), images("data/\"dogs\"", 40), images("data/ü", 40))...)
	for _, name := range []string{"data", "data/../data"} {
		s := open(t, filepath.Join(root, name), dataset.Options{})
		for place, outside := range map[string]bool{"data/m.csv": false, "m.csv": false, "lists/deep/m.csv": true, "data/ü/m.csv": true} {
			path := filepath.Join(root, place)
			if got := writeManifest(t, s, path, nil); got != outside {
				t.Errorf("%s: outside is %v", place, got)
			}
			back := open(t, path, dataset.Options{AllowOutside: outside})
			if fmt.Sprint(bytesOf(t, back)) != fmt.Sprint(bytesOf(t, s)) || !slices.Equal(back.Classes, s.Classes) {
				t.Errorf("%s: read back it differs", place)
			}
			if place == "data/m.csv" && back.Digest() != s.Digest() {
				t.Errorf("%s: IDs differ", place)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Chdir(root)
	s := open(t, "data", dataset.Options{})
	writeManifest(t, s, "m.csv", nil)
	if back := open(t, "m.csv", dataset.Options{}); fmt.Sprint(bytesOf(t, back)) != fmt.Sprint(bytesOf(t, s)) {
		t.Error("by relative paths it differs")
	}
}

func TestWeightsGroupsAndFoldsAreWritten(t *testing.T) {
	path := manifest(t, "m.csv", "path,label,split,weight,group\na.jpg,x,train,0.1,g\nb.jpg,y,train,1,\nc.jpg,x,val,1,h\nd.jpg,y,test,2,i\n")
	s := open(t, path, dataset.Options{})
	folds := map[string]int{"a.jpg": 2, "b.jpg": 0, "c.jpg": 1, "d.jpg": 0}
	again := filepath.Join(filepath.Dir(path), "again.csv")
	writeManifest(t, s, again, folds)
	text, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	want := "path,label,split,weight,group,fold\na.jpg,x,train,0.1,g,2\nb.jpg,y,train,1,,0\nc.jpg,x,val,1,h,1\nd.jpg,y,test,2,i,0\n"
	if string(text) != want {
		t.Errorf("wrote\n%swant\n%s", text, want)
	}
	if back := open(t, again, dataset.Options{}); back.Digest() != s.Digest() {
		t.Error("read back it differs")
	}
	var carried strings.Builder
	if _, err := open(t, again, dataset.Options{}).WriteManifest(&carried, filepath.Dir(again), nil); err != nil || carried.String() != want {
		t.Errorf("wrote again\n%s%v, want\n%s", &carried, err, want)
	}
	if heavier := open(t, manifest(t, "m.csv", strings.ReplaceAll(want, "0.1", "0.2")), dataset.Options{}); heavier.Digest() == s.Digest() {
		t.Error("the digest does not tell weights apart")
	}
}

// A manifest's own columns are kept, in their order. Images of other sources have none.
func TestAllColumnsAreWritten(t *testing.T) {
	path := manifest(t, "m.csv", "Site,label,path,note,split,NOTE,camera\nn,x,a.jpg,1,train,2,back\ns,y,b.jpg,3,train,4,front\n")
	s := open(t, path, dataset.Options{AllColumns: true, Validation: tree(t, "x/1.jpg", "y/2.jpg")})
	if want := []string{"Site", "camera"}; !slices.Equal(s.Columns, want) {
		t.Errorf("columns %q, want %q", s.Columns, want)
	}
	var text strings.Builder
	if _, err := s.WriteManifest(&text, filepath.Dir(path), nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"path,label,split,Site,camera\na.jpg,x,train,n,back\nb.jpg,y,train,s,front\n", "/x/1.jpg,x,val,,\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("wrote\n%swant in it\n%s", &text, want)
		}
	}
	if s := open(t, tree(t, "train/x/1.jpg", "train/y/1.jpg", "val/x/2.jpg"), dataset.Options{AllColumns: true}); len(s.Columns) > 0 {
		t.Errorf("folders have columns %q", s.Columns)
	}
}

func TestRecordsHaveNoManifest(t *testing.T) {
	s, err := dataset.OpenLabelled("testdata/cifar-10", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.WriteManifest(&strings.Builder{}, ".", nil)
	checkError(t, err, pipeline.BadUsage, "a manifest lists files", "tftl split takes a folder with a sub-folder per class")
}

func TestFolds(t *testing.T) {
	root := tree(t, slices.Concat(images("a", 303), images("b", 101))...)
	s := open(t, root, dataset.Options{})
	folds, err := s.Folds(4, dataset.Options{})
	if err != nil || len(folds) != 404 {
		t.Fatal(len(folds), err)
	}
	count := map[string][4]int{}
	for _, part := range []string{"train", "val", "test"} {
		for _, id := range ids(partOf(t, s, part)) {
			n := count[part]
			n[folds[id]]++
			count[part] = n
		}
	}
	if slices.Min(slices.Collect(maps.Values(folds))) != 0 || slices.Max(slices.Collect(maps.Values(folds))) != 3 {
		t.Error("folds are not 0 to 3")
	}
	for part, n := range count { // about a quarter each
		for _, m := range n {
			if total := n[0] + n[1] + n[2] + n[3]; m < total/8 || m > total*4/9 {
				t.Errorf("%s is dealt into %v", part, n)
			}
		}
	}
	_, err = s.Folds(1, dataset.Options{})
	checkError(t, err, pipeline.BadUsage, "1 folds: must be from 2 to 1000000", "")
}

func TestExactFoldsAreEqualInEachClass(t *testing.T) {
	root := tree(t, slices.Concat(images("a", 43), images("b", 37))...)
	options := dataset.Options{Exact: true, Seed: 5}
	s := open(t, root, options)
	folds, err := s.Folds(5, options)
	if err != nil {
		t.Fatal(err)
	}
	all := partOf(t, s, pipeline.AllParts)
	var total [5]int
	count := map[string]*[5]int{}
	for i := range all.Len() {
		sample := all.Sample(i)
		kind := fmt.Sprint(sample.Label, slices.Contains(ids(s.Test), sample.ID))
		if count[kind] == nil {
			count[kind] = new([5]int)
		}
		count[kind][folds[sample.ID]]++
		total[folds[sample.ID]]++
	}
	for kind, n := range count {
		if slices.Max(n[:])-slices.Min(n[:]) > 1 {
			t.Errorf("class and test %s: %v", kind, *n)
		}
	}
	if slices.Max(total[:])-slices.Min(total[:]) > 1 {
		t.Errorf("all: %v", total)
	}
	if other, err := s.Folds(5, dataset.Options{Exact: true, Seed: 6}); err != nil || maps.Equal(other, folds) {
		t.Errorf("two seeds deal alike: %v", err)
	}
}

func TestRecorded(t *testing.T) {
	root := tree(t, slices.Concat(images("a", 40), images("b", 40), images("c", 3))...)
	options := dataset.Options{Classes: []string{"a", "b"}, LimitPerClass: 30}
	s := open(t, root, options)
	record := slices.Collect(s.Record())
	if first := (pipeline.Recorded{ID: s.Train.Sample(0).ID, Class: "a", Part: pipeline.TrainPart}); len(record) != 60 || record[0] != first {
		t.Errorf("%d rows, first %+v", len(record), record[0])
	}
	reopen := func(options dataset.Options) (*dataset.Set, error) {
		return dataset.OpenRecorded(root, options, record, pipeline.AllParts)
	}
	// Images are added, to old classes and new ones, and an empty class.
	for _, name := range []string{"a/999.jpg", "aa/1.jpg", "b/0.jpg", "empty/"} {
		_ = os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755)
		if !strings.HasSuffix(name, "/") {
			write(t, filepath.Join(root, name), name)
		}
	}
	back, err := reopen(options)
	if err != nil {
		t.Fatal(err)
	}
	if back.Digest() != s.Digest() || len(warnings(back)) > 0 || !slices.Equal(back.Classes, []string{"a", "b"}) {
		t.Errorf("classes %q, warnings %q", back.Classes, warnings(back))
	}
	back, err = reopen(dataset.Options{})
	if err != nil || back.Digest() != s.Digest() || len(warnings(back)) != 1 || !strings.Contains(warnings(back)[0], "26 images that are in no part") {
		t.Errorf("warnings %q, %v", warnings(back), err)
	}

	first := s.Train.Sample(0).ID
	if err := os.Remove(filepath.Join(root, first)); err != nil {
		t.Fatal(err)
	}
	_, err = reopen(options)
	checkError(t, err, pipeline.BadData, fmt.Sprintf("missing from the data set or have another class: %q", first), "data")
	record[0].Part = "dev"
	_, err = reopen(options)
	checkError(t, err, pipeline.BadData, "record of parts: image "+first+`: unknown part "dev"`, "")
}
