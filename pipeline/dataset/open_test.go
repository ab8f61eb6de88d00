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

var _ pipeline.Encoded = dataset.Part{}

// tree makes files, or folders if a name ends in a slash. A file contains its name.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		full := filepath.Join(root, name)
		folder := filepath.Dir(full)
		if strings.HasSuffix(name, "/") {
			folder = full
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if folder != full {
			write(t, full, name)
		}
	}
	return root
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// images are names of n images in a folder.
func images(folder string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s/%03d.jpg", folder, i)
	}
	return names
}

func open(t *testing.T, root string, options dataset.Options) *dataset.Set {
	t.Helper()
	s, err := dataset.Open(root, options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ids(p dataset.Part) []string {
	var list []string
	for i := range p.Len() {
		list = append(list, p.Sample(i).ID)
	}
	return list
}

// warnings are those of a set, with options by their names.
func warnings(s *dataset.Set) []string {
	var texts []string
	for _, w := range s.Warnings {
		texts = append(texts, w.String())
	}
	return texts
}

func partOf(t *testing.T, s *dataset.Set, name string) dataset.Part {
	t.Helper()
	p, err := s.Part(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantIDs(t *testing.T, what string, p dataset.Part, want ...string) {
	t.Helper()
	if got := ids(p); !slices.Equal(got, want) {
		t.Errorf("%s is %q, want %q", what, got, want)
	}
}

// checkError wants an error of a kind with words in its message and its hint.
func checkError(t *testing.T, err error, kind pipeline.Kind, message, hint string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", message)
	}
	if pipeline.KindOf(err) != kind || !strings.Contains(err.Error(), message) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error of kind %d: %v; want kind %d and %q", pipeline.KindOf(err), err, kind, message)
	}
	if got := pipeline.HintOf(err).String(); !strings.Contains(got, hint) || (hint == "") != (got == "") {
		t.Errorf("hint of %v: %q, want %q", err, got, hint)
	}
}

func TestPartsAreTakenAsGiven(t *testing.T) {
	for _, val := range []string{"val", "valid", "validation", "Val"} {
		root := tree(t, "train/b/1.jpg", "train/a/x-1.jpg", "train/a/x/1.jpg", val+"/a/3.jpg", val+"/b/1.jpg",
			"test/a/4.jpg", "test/b/2.jpg")
		s := open(t, root, dataset.Options{})
		if !slices.Equal(s.Classes, []string{"a", "b"}) {
			t.Errorf("classes %q", s.Classes)
		}
		// '-' comes before '/' in bytes.
		wantIDs(t, "train", s.Train, "train/a/x-1.jpg", "train/a/x/1.jpg", "train/b/1.jpg")
		wantIDs(t, "validation", s.Validation, val+"/a/3.jpg", val+"/b/1.jpg")
		wantIDs(t, "test", s.Test, "test/a/4.jpg", "test/b/2.jpg")
		if got := s.Train.Sample(2); got != (pipeline.Sample{ID: "train/b/1.jpg", Label: 1, Weight: 1}) {
			t.Errorf("sample %+v", got)
		}
		if b, err := s.Test.Bytes(1); err != nil || string(b) != "test/b/2.jpg" {
			t.Errorf("bytes %q, %v", b, err)
		}
		if want := "class folders in train/, " + val + "/, test/"; s.Description != want {
			t.Errorf("taken for %q, want %q", s.Description, want)
		}
		if len(warnings(s)) > 0 || s.Ignored > 0 {
			t.Errorf("warnings %q, ignored %d", warnings(s), s.Ignored)
		}
	}
}

func TestValidationIsSplitFromTrain(t *testing.T) {
	root := tree(t, slices.Concat(images("train/a", 200), images("train/b", 200), images("test/a", 3), images("test/b", 1))...)
	for _, exact := range []bool{false, true} {
		s := open(t, root, dataset.Options{Split: [3]float64{0.6, 0.2, 0.2}, Exact: exact})
		wantIDs(t, "test", s.Test, "test/a/000.jpg", "test/a/001.jpg", "test/a/002.jpg", "test/b/000.jpg")
		if n := s.Validation.Len(); n+s.Train.Len() != 400 || n < 70 || n > 130 || (exact && n != 100) {
			t.Errorf("exact %v: a quarter of 400 is %d, beside %d", exact, n, s.Train.Len())
		}
		if !strings.Contains(s.Description, "validation split from train (0.25)") {
			t.Errorf("taken for %q", s.Description)
		}
	}
}

func TestTrainAndValidationAlone(t *testing.T) {
	s := open(t, tree(t, "train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg"), dataset.Options{})
	if s.Train.Len() != 2 || s.Validation.Len() != 2 || s.Test.Len() != 0 {
		t.Errorf("parts of %d, %d, %d", s.Train.Len(), s.Validation.Len(), s.Test.Len())
	}
}

// An image's part depends on its class and name, wherever the class folder is.
func TestFlatAndTrainAloneAreCutAlike(t *testing.T) {
	flat := open(t, tree(t, append(images("a", 60), images("b", 60)...)...), dataset.Options{})
	train := open(t, tree(t, append(images("train/a", 60), images("train/b", 60)...)...), dataset.Options{})
	for _, name := range []string{"train", "val", "test"} {
		var want []string
		for _, id := range ids(partOf(t, flat, name)) {
			want = append(want, "train/"+id)
		}
		wantIDs(t, name, partOf(t, train, name), want...)
		if len(want) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
}

func TestPartsHaveAllAndNothingTwice(t *testing.T) {
	names := append(images("a", 80), images("b/nested", 70)...)
	root := tree(t, names...)
	for _, options := range []dataset.Options{{}, {Exact: true, Seed: 7}, {Split: [3]float64{0.8, 0.2, 0}}} {
		s := open(t, root, options)
		wantIDs(t, "all", partOf(t, s, pipeline.AllParts), names...)
		for _, p := range []dataset.Part{s.Train, s.Validation, s.Test} {
			if !slices.IsSorted(ids(p)) {
				t.Errorf("%+v: a part is out of order: %q", options, ids(p))
			}
		}
		if n := s.Train.Len() + s.Validation.Len() + s.Test.Len(); n != len(names) {
			t.Errorf("%+v: parts have %d of %d", options, n, len(names))
		}
		if options.Split[0] > 0 && s.Test.Len() > 0 {
			t.Errorf("a test part of nothing has %d", s.Test.Len())
		}
	}
	_, err := open(t, root, dataset.Options{}).Part("validation")
	checkError(t, err, pipeline.BadUsage, "must be train, val, test or all", "")
}

func TestAddingFilesMovesNone(t *testing.T) {
	root := tree(t, append(images("a", 40), images("b", 40)...)...)
	before := open(t, root, dataset.Options{})
	for _, name := range append(images("a", 90)[40:], "b/0.png", "c/1.jpg", "c/2.jpg", "c/3.jpg", "c/4.jpg") {
		os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755)
		write(t, filepath.Join(root, name), "x")
	}
	after := open(t, root, dataset.Options{})
	for _, name := range []string{"train", "val", "test"} {
		now := ids(partOf(t, after, name))
		for _, id := range ids(partOf(t, before, name)) {
			if !slices.Contains(now, id) {
				t.Errorf("%s is no longer in %s", id, name)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	two := []string{"a/1.jpg", "b/1.jpg"}
	in := func(part string) []string { return []string{part + "/a/1.jpg", part + "/b/1.jpg"} }
	for name, c := range map[string]struct {
		files         []string
		options       dataset.Options
		message, hint string
	}{
		"empty":              {nil, dataset.Options{}, "has no class folders", "a folder of its own"},
		"no classes":         {[]string{"1.jpg", "2.jpg"}, dataset.Options{}, "has images but no class folders", "a folder of its own"},
		"no images":          {[]string{"a/1.txt", "b/"}, dataset.Options{}, "no JPEG, PNG, BMP, GIF or WebP image", "each class"},
		"one class":          {images("cats", 9), dataset.Options{}, `two or more classes; found only "cats"`, "sub-folder per class"},
		"one class in part":  {images("train/cats", 9), dataset.Options{}, `found only "cats"`, "sub-folder"},
		"empty class":        {append(two, "c/"), dataset.Options{}, `in class folder "c"`, "remove it"},
		"two validations":    {slices.Concat(in("train"), in("val"), in("valid")), dataset.Options{}, "val and valid are both", "keep one"},
		"no train":           {slices.Concat(in("test"), in("val")), dataset.Options{}, "no train part", "add the training images"},
		"empty train":        {append(in("test"), "train/"), dataset.Options{}, "train has no class folders", "each class"},
		"empty test":         {append(in("train"), "test/"), dataset.Options{}, "test has no class folders", "each class"},
		"test unsorted":      {append(in("train"), "test/1.jpg"), dataset.Options{}, "test has images but no class folders", "each class"},
		"train unsorted":     {[]string{"train/cat.1.jpg", "train/dog.1.jpg"}, dataset.Options{}, "has images but no class", "each class"},
		"unknown class":      {append(append(in("train"), in("test")...), "test/c/1.jpg"), dataset.Options{}, `test has classes that train lacks: "c"`, `train has "a", "b"`},
		"empty train class":  {append(append(in("train"), in("val")...), "train/c/", "val/c/1.jpg"), dataset.Options{}, `in class folder "c"`, "remove it"},
		"parts and others":   {slices.Concat(in("train"), two), dataset.Options{}, `next to the parts "train" there are other folders of images: "a", "b"`, "keep only class folders"},
		"a class and others": {append(two, "train/1.jpg", "test/1.jpg"), dataset.Options{}, `next to the parts "train", "test"`, "keep only class folders"},
		"test and others":    {append(two, "test/1.jpg"), dataset.Options{}, `next to the parts "test"`, "keep only class folders"},
		"name of two lines":  {append(two, "a/2\r\n3.jpg"), dataset.Options{}, `image "a/2\r\n3.jpg": a name with a Windows line break`, "rename it"},
		// By their names, which fall into other parts.
		"class not in train":   {append(images("a", 200), "cats/1.jpg"), dataset.Options{}, `leaves no image of "cats" in train`, "split-exact"},
		"empty part":           {two, dataset.Options{Split: [3]float64{0.98, 0.01, 0.01}}, "leaves test empty", "split-exact"},
		"empty part, test set": {append(in("train"), in("test")...), dataset.Options{Split: [3]float64{0.98, 0.01, 0.01}}, "leaves validation empty", "split-exact"},
		"too few for exact":    {two, dataset.Options{Exact: true}, "the split of 2 images leaves test empty", "add images"},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, c.files...)
			_, err := dataset.Open(root, c.options)
			checkError(t, err, pipeline.BadData, c.message, c.hint)
			if !strings.HasPrefix(err.Error(), root) {
				t.Errorf("%q does not begin with the folder", err)
			}
		})
	}
}

func TestRootIsNoFolder(t *testing.T) {
	root := tree(t, "a.jpg")
	_, err := dataset.Open(filepath.Join(root, "none"), dataset.Options{})
	checkError(t, err, pipeline.BadData, filepath.Join(root, "none"), "")
	_, err = dataset.Open(filepath.Join(root, "a.jpg"), dataset.Options{})
	checkError(t, err, pipeline.BadData, "a.jpg is not a known kind of data (class folders, manifest, ", ".csv")
}

func TestSplitIsChecked(t *testing.T) {
	nan := 0.0
	nan /= nan
	for _, split := range [][3]float64{
		{0.5, 0.5, 0.5}, {1, 0, 0}, {0, 0.5, 0.5}, {1.2, -0.1, -0.1}, {0.7, 0.4, -0.1}, {nan, 0.5, 0.5}, {0.5, 0.5, nan},
	} {
		_, err := dataset.Open(t.TempDir(), dataset.Options{Split: split})
		checkError(t, err, pipeline.BadUsage, "split ", "")
	}
	thirds := dataset.Options{Split: [3]float64{0.3333333, 0.3333333, 0.3333333}, Exact: true}
	if s := open(t, tree(t, append(images("a", 3), images("b", 3)...)...), thirds); s.Test.Len() != 2 {
		t.Errorf("a third of 6 is %d", s.Test.Len())
	}
}

func TestWarnings(t *testing.T) {
	parts := []string{"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg"}
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"class missing":     {append(parts, "test/a/1.jpg"), `test has no image of "b"`},
		"class empty":       {append(parts, "test/a/1.jpg", "test/b/"), `test has no image of "b"`},
		"in no class":       {append(parts, "val/stray.jpg", "stray.png"), `left out: "stray.png", "val/stray.jpg"`},
		"parts in disguise": {slices.Concat(images("training_set/a", 50), images("training_set/b", 50), images("test_set/a", 50), images("test_set/b", 50)), `if "test_set", "training_set" are parts`},
		"a class of trains": {slices.Concat(images("bus", 50), images("car", 50), images("train", 50)), "train is taken for a class"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, tree(t, c.files...), dataset.Options{})
			if len(warnings(s)) != 1 || !strings.Contains(warnings(s)[0], c.want) {
				t.Errorf("warnings %q, want one with %q", warnings(s), c.want)
			}
			if strings.HasPrefix(c.want, "train") && !slices.Equal(s.Classes, []string{"bus", "car", "train"}) {
				t.Errorf("classes %q", s.Classes)
			}
		})
	}
}

func TestOpenLabelled(t *testing.T) {
	flat, err := dataset.OpenLabelled(tree(t, "a/1.jpg", "b/1.jpg", "b/2.jpg"), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "test", flat.Test, "a/1.jpg", "b/1.jpg", "b/2.jpg")

	given, err := dataset.OpenLabelled(tree(t, "train/b/1.jpg", "test/a/1.jpg"), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "test", given.Test, "test/a/1.jpg")
	wantIDs(t, "all", partOf(t, given, pipeline.AllParts), "test/a/1.jpg", "train/b/1.jpg")
	if !slices.Equal(given.Classes, []string{"a", "b"}) || given.Train.Sample(0).Label != 1 {
		t.Errorf("classes %q", given.Classes)
	}

	if one, err := dataset.OpenLabelled(tree(t, "test/a/1.jpg"), dataset.Options{}); err != nil || one.Test.Len() != 1 {
		t.Errorf("a test part of one class: %v", err)
	}
}
