package dataset_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// found is what testdata/make.py says about one image.
type found struct {
	ID     string
	Offset int64
	Class  string
	SHA256 string
}

// expected is what testdata holds.
func expected(t *testing.T) (all struct {
	Imagenet, Flowers []found
	CIFAR             map[string][]found
},
) {
	t.Helper()
	text, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// example is a data set of one kind.
type example struct {
	path        string
	description string
	options     dataset.Options
}

// examples has data sets of all kinds, with at least two classes in train and a
// validation part.
func examples(t *testing.T) map[string]example {
	t.Helper()
	manifest := tree(t, slices.Concat(images("cats", 12), images("dogs", 12))...)
	var csv, tsv strings.Builder
	csv.WriteString("path,label,group\n")
	tsv.WriteString("label\tpath\tsplit\n")
	for i, name := range slices.Concat(images("cats", 12), images("dogs", 12)) {
		label := filepath.Dir(name)
		csv.WriteString(name + "," + label + "," + string(rune('a'+i/2)) + "\n")
		tsv.WriteString(label + "\t" + name + "\t" + []string{"train", "val", "test"}[i%3] + "\n")
	}
	write(t, filepath.Join(manifest, "m.csv"), csv.String())
	write(t, filepath.Join(manifest, "m.tsv"), tsv.String())
	linked := t.TempDir()
	for _, class := range []string{"cats", "dogs"} {
		if err := os.Symlink(filepath.Join(manifest, class), filepath.Join(linked, class)); err != nil {
			t.Fatal(err)
		}
	}
	exact := dataset.Options{Exact: true, Split: [3]float64{0.4, 0.3, 0.3}}
	return map[string]example{
		"folders":        {tree(t, slices.Concat(images("a", 40), images("b", 40))...), "class folders, split into", dataset.Options{}},
		"parts":          {tree(t, "train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "test/b/2.jpg"), "class folders in train/, val/, test/", dataset.Options{}},
		"links":          {linked, "class folders", dataset.Options{FollowSymlinks: true, Exact: true}},
		"CSV":            {filepath.Join(manifest, "m.csv"), "CSV manifest, split into train, validation and test (0.34, 0.33, 0.33) by group", dataset.Options{Split: [3]float64{0.34, 0.33, 0.33}}},
		"TSV":            {filepath.Join(manifest, "m.tsv"), "TSV manifest with its own parts", dataset.Options{}},
		"TFRecord":       {"testdata/imagenet", "TFRecord, 3 files, parts by file name", dataset.Options{}},
		"pattern":        {"testdata/imagenet/train-*", "TFRecord, 2 files, parts by file name, split into", exact},
		"one file":       {"testdata/imagenet/train-00000-of-00002", "TFRecord, 1 file, parts by file name, split into", exact},
		"GZIP":           {"testdata/flowers.gz", "TFRecord, 1 file, GZIP, split into", exact},
		"CIFAR-10":       {"testdata/cifar-10", "CIFAR-10, binary version, validation split from train", exact},
		"CIFAR-100":      {"testdata/cifar-100", "CIFAR-100, binary version, validation split from train", exact},
		"parts apart":    {"testdata/imagenet/train-*", "; validation from testdata/imagenet/validation-00000-of-00001 (TFRecord, 1 file", dataset.Options{Validation: "testdata/imagenet/validation-00000-of-00001"}},
		"some of it":     {filepath.Join(manifest, "cats/.."), "class folders, 2 of 2 classes, at most 8 images per class, split into", dataset.Options{Classes: []string{"cats", "dogs"}, LimitPerClass: 8, Exact: true}},
		"by its content": {manifest, "by content", dataset.Options{By: dataset.ByContent, Split: [3]float64{0.4, 0.3, 0.3}}},
	}
}

// TestContract checks what every kind of source must do.
func TestContract(t *testing.T) {
	for name, c := range examples(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, c.path, c.options)
			if !strings.Contains(s.Description, c.description) {
				t.Errorf("taken for %q, want %q in it", s.Description, c.description)
			}
			if !slices.IsSorted(s.Classes) || len(slices.Compact(slices.Clone(s.Classes))) != len(s.Classes) {
				t.Errorf("classes %q", s.Classes)
			}
			all := partOf(t, s, pipeline.AllParts)
			checkPart(t, all, len(s.Classes))
			for _, p := range []dataset.Part{s.Train, s.Validation, s.Test} {
				if !slices.IsSorted(ids(p)) {
					t.Errorf("a part is out of order: %q", ids(p))
				}
			}
			if n := s.Train.Len() + s.Validation.Len() + s.Test.Len(); n != all.Len() || s.Train.Len() == 0 || s.Validation.Len() == 0 {
				t.Errorf("%d images in train, %d in validation, %d in all parts, %d in all", s.Train.Len(), s.Validation.Len(), n, all.Len())
			}
			folds, err := s.Folds(1000, dataset.Options{}) // by the keys
			if err != nil || len(slices.Compact(slices.Sorted(maps.Values(folds)))) < 2 {
				t.Errorf("all keys of the split are equal, perhaps empty: %v, %v", folds, err)
			}
			if again := open(t, c.path, c.options); again.Digest() != s.Digest() || !slices.Equal(ids(again.Train), ids(s.Train)) {
				t.Error("opened again it differs")
			}
			recorded, err := dataset.OpenRecorded(c.path, c.options, slices.Collect(s.Record()), pipeline.AllParts)
			if err != nil {
				t.Fatal(err)
			}
			if recorded.Digest() != s.Digest() || !slices.Equal(warnings(recorded), warningsOfSource(s)) {
				t.Errorf("as recorded it differs: %q for %q, warnings %q for %q", recorded.Classes, s.Classes, warnings(recorded), warnings(s))
			}
			checkPart(t, partOf(t, recorded, pipeline.AllParts), len(s.Classes))
		})
	}
}

// warningsOfSource are those that do not come from the split.
func warningsOfSource(s *dataset.Set) []string {
	return slices.DeleteFunc(warnings(s), func(w string) bool { return strings.Contains(w, "has no image of") })
}

// checkPart checks the promises of pipeline.Encoded.
func checkPart(t *testing.T, p dataset.Part, classes int) {
	t.Helper()
	list := ids(p)
	if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Errorf("IDs are not in order, or not unique: %q", list)
	}
	labels := map[int]bool{}
	first := make([][]byte, p.Len())
	var wg sync.WaitGroup
	for i := range p.Len() {
		sample := p.Sample(i)
		if sample.ID == "" || strings.Contains(sample.ID, "\\") || sample.Label < 0 || sample.Label >= classes || sample.Weight != 1 {
			t.Errorf("%+v of %d classes", sample, classes)
		}
		labels[sample.Label] = true
		wg.Go(func() {
			var err error
			if first[i], err = p.Bytes(i); err != nil || len(first[i]) == 0 {
				t.Errorf("%s: %d bytes, %v", sample.ID, len(first[i]), err)
			}
		})
		wg.Go(func() {
			b, _ := p.Bytes(i)
			clear(b) // the caller owns it
		})
	}
	wg.Wait()
	if len(labels) != classes {
		t.Errorf("%d of %d classes have images", len(labels), classes)
	}
	for i := range p.Len() {
		if b, err := p.Bytes(i); err != nil || !bytes.Equal(b, first[i]) {
			t.Errorf("%s: read again it differs: %v", p.Sample(i).ID, err)
		}
	}
}

// TestEveryImageIsFound compares with what TensorFlow wrote and Pillow decoded.
func TestEveryImageIsFound(t *testing.T) {
	want := expected(t)
	for path, list := range map[string][]found{
		"testdata/imagenet":   want.Imagenet,
		"testdata/imagenet/*": want.Imagenet,
		"testdata/flowers.gz": want.Flowers,
		"testdata/cifar-10":   want.CIFAR["cifar-10"],
		"testdata/cifar-100":  want.CIFAR["cifar-100"],
	} {
		s, err := dataset.OpenLabelled(path, dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all := partOf(t, s, pipeline.AllParts)
		var got []found
		for i := range all.Len() {
			b, err := all.Bytes(i)
			if err != nil {
				t.Error(err)
			}
			sum := sha256.Sum256(b)
			got = append(got, found{ID: all.Sample(i).ID, Class: s.Classes[all.Sample(i).Label], SHA256: hex.EncodeToString(sum[:])})
		}
		for i := range list {
			list[i].Offset = 0
		}
		if !slices.Equal(got, list) {
			t.Errorf("%s: found\n%+v\nwant\n%+v", path, got, list)
		}
	}
}

func TestPartsGivenApart(t *testing.T) {
	data := tree(t, slices.Concat(images("a", 30), images("b", 30))...)
	other := tree(t, "a/1.jpg", "a/2.jpg", "b/1.jpg")
	parts := tree(t, "train/a/1.jpg", "train/b/1.jpg", "val/a/7.jpg", "val/b/7.jpg", "test/a/8.jpg", "test/b/8.jpg")

	s := open(t, data, dataset.Options{Validation: other, Test: parts})
	wantIDs(t, "validation", s.Validation, "val-data/a/1.jpg", "val-data/a/2.jpg", "val-data/b/1.jpg")
	wantIDs(t, "test", s.Test, "test-data/test/a/8.jpg", "test-data/test/b/8.jpg")
	if s.Train.Len() != 60 || s.Description != "class folders; validation from "+other+" (class folders); test from "+parts+" (class folders in train/, val/, test/)" {
		t.Errorf("%d to train on, %q", s.Train.Len(), s.Description)
	}
	if b, err := s.Validation.Bytes(1); err != nil || string(b) != "a/2.jpg" {
		t.Errorf("%q, %v", b, err)
	}
	s = open(t, data, dataset.Options{Test: other})
	wantIDs(t, "test", s.Test, "test-data/a/1.jpg", "test-data/a/2.jpg", "test-data/b/1.jpg")
	if s.Train.Len()+s.Validation.Len() != 60 || s.Validation.Len() == 0 || !strings.Contains(s.Description, "validation split from train (0.176) by file name; test from") {
		t.Errorf("validation of %d, %q", s.Validation.Len(), s.Description)
	}
	s = open(t, data, dataset.Options{Validation: other})
	if s.Train.Len() != 60 || s.Test.Len() != 0 {
		t.Errorf("%d to train on and %d to test on", s.Train.Len(), s.Test.Len())
	}

	_, err := dataset.Open(parts, dataset.Options{Validation: other})
	checkError(t, err, pipeline.BadUsage, "val-data: "+parts+" has a validation part of its own", "leave val-data out")
	_, err = dataset.Open(data, dataset.Options{Test: tree(t, "train/a/1.jpg", "train/b/1.jpg", "val/a/7.jpg")})
	checkError(t, err, pipeline.BadData, "has other parts, but no test part", "")
	_, err = dataset.Open(data, dataset.Options{Validation: tree(t, "c/1.jpg", "a/1.jpg")})
	checkError(t, err, pipeline.BadData, `validation has classes that train lacks: "c"`, `train has "a", "b"`)
	clash := filepath.Join(tree(t, "val-data/a/1.jpg", "b.jpg"), "m.csv")
	write(t, clash, "path,label\nval-data/a/1.jpg,a\nb.jpg,b\n")
	_, err = dataset.Open(clash, dataset.Options{Validation: other})
	checkError(t, err, pipeline.BadData, "has an image val-data/a/1.jpg too", "")
}

func TestClasses(t *testing.T) {
	root := tree(t, slices.Concat(images("ant", 30), images("bee", 30), images("cat", 30), []string{"empty/"})...)
	s := open(t, root, dataset.Options{Classes: []string{"cat", "ant"}})
	if !slices.Equal(s.Classes, []string{"ant", "cat"}) || partOf(t, s, pipeline.AllParts).Len() != 60 || !strings.Contains(s.Description, "2 of 3 classes") {
		t.Errorf("%q with %d images: %s", s.Classes, partOf(t, s, pipeline.AllParts).Len(), s.Description)
	}
	_, err := dataset.Open(root, dataset.Options{Classes: []string{"ant", "bees"}})
	checkError(t, err, pipeline.BadUsage, `has no class "bees"`, `"ant", "bee", "cat"`)
	_, err = dataset.Open(root, dataset.Options{Classes: []string{"ant"}})
	checkError(t, err, pipeline.BadData, "two or more classes", "all classes")
	_, err = dataset.Open(root, dataset.Options{Classes: []string{"ant", "empty"}})
	checkError(t, err, pipeline.BadData, `in class folder "empty"`, "remove it")
}

// An added image may displace one that was kept, but moves no others.
func TestLimitPerClass(t *testing.T) {
	names := slices.Concat(images("a", 200), images("b", 200), images("c", 3))
	kept := func(names ...string) []string {
		s, err := dataset.OpenLabelled(tree(t, names...), dataset.Options{LimitPerClass: 60})
		if err != nil {
			t.Fatal(err)
		}
		return ids(s.Test)
	}
	first := kept(names...)
	if len(first) != 123 {
		t.Fatalf("%d images are kept", len(first))
	}
	before := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.HasSuffix(name, "7.jpg") })
	among := kept(before...)
	for _, id := range first {
		if slices.Contains(before, id) && !slices.Contains(among, id) {
			t.Fatalf("%s is there among more images, and not among fewer", id)
		}
	}
	// The hash is not the one of the split, so parts keep their fractions.
	s := open(t, tree(t, names[:400]...), dataset.Options{LimitPerClass: 100})
	if n := s.Train.Len(); n < 110 || n > 170 || s.Test.Len() == 0 {
		t.Errorf("of 200 images, %d are to train on", n)
	}
	_, err := dataset.Open(tree(t, names...), dataset.Options{LimitPerClass: -1})
	checkError(t, err, pipeline.BadUsage, "limit-per-class -1", "")
}

func TestFollowedLinks(t *testing.T) {
	elsewhere := tree(t, "x/1.jpg")
	root := tree(t, "a/1.jpg", "b/1.jpg")
	for from, to := range map[string]string{
		"c": filepath.Join(elsewhere, "x"), "a/more": filepath.Join(elsewhere, "x"), "b/around": root, "b/itself": ".",
	} {
		if err := os.Symlink(to, filepath.Join(root, from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(root, filepath.Join(elsewhere, "x/back")); err != nil {
		t.Fatal(err)
	}
	s, err := dataset.OpenLabelled(root, dataset.Options{FollowSymlinks: true})
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "all", s.Test, "a/1.jpg", "a/more/1.jpg", "b/1.jpg", "c/1.jpg")
	if len(warnings(s)) != 1 || !strings.Contains(warnings(s)[0], `links back to a folder that they are in are not followed: "a/more/back", "b/around", "b/itself"`) {
		t.Errorf("warnings %q", warnings(s))
	}
}
