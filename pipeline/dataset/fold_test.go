package dataset_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// Every image is tested on in exactly one fold, the one in the manifest.
// Validation is split from the others.
func TestEachFoldIsTheTestPartOnce(t *testing.T) {
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprintf("%02d.jpg", i))
	}
	path := filepath.Join(tree(t, names...), "m.csv")
	var text strings.Builder
	text.WriteString("path,label,split,fold\n")
	for i, name := range names {
		fmt.Fprintf(&text, "%s,%s,%s,%d\n", name, []string{"a", "b"}[i%2], []string{"train", "val", "test"}[i%3], i%5)
	}
	write(t, path, text.String())
	var tested []string
	for fold := range 5 {
		s := open(t, path, dataset.Options{Fold: &fold})
		var want []string
		for i, name := range names {
			if i%5 == fold {
				want = append(want, name)
			}
		}
		wantIDs(t, "test", s.Test, want...)
		if n := s.Train.Len() + s.Validation.Len(); n != 48 || s.Validation.Len() < 3 || s.FoldCount != 5 {
			t.Errorf("fold %d of %d: %d to train on, %d to validate with", fold, s.FoldCount, s.Train.Len(), s.Validation.Len())
		}
		if want := fmt.Sprintf("CSV manifest, fold %d of 5 held out as test, validation split from train (0.176) by file name", fold); s.Description != want {
			t.Errorf("says %q", s.Description)
		}
		tested = append(tested, ids(s.Test)...)
	}
	slices.Sort(tested)
	if !slices.Equal(tested, names) {
		t.Errorf("tested on %v", tested)
	}
	if s := open(t, path, dataset.Options{}); s.FoldCount != 0 || s.Description != "CSV manifest with its own parts" {
		t.Errorf("without a fold: %+v", s)
	}
}

// What a split by content keeps together stays together in train and validation
// of a fold.
func TestFoldsKeepCopiesTogether(t *testing.T) {
	root := tree(t, slices.Concat(images("a", 60), images("b", 60), images("a/copies", 60))...)
	original := map[string]string{}
	for _, name := range images("a", 60) {
		again := "a/copies/" + filepath.Base(name)
		original[again] = name
		write(t, filepath.Join(root, again), name) // a copy of name
	}
	options := dataset.Options{By: dataset.ByContent}
	s := open(t, root, options)
	folds, err := s.Folds(3, options)
	if err != nil {
		t.Fatal(err)
	}
	exact, err := s.Folds(3, dataset.Options{Exact: true, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	for name, first := range original {
		if exact[name] != exact[first] {
			t.Errorf("exact folds have %s in %d, %s in %d", first, exact[first], name, exact[name])
		}
	}
	path := filepath.Join(root, "m.csv")
	writeManifest(t, s, path, folds)
	for fold := range 3 {
		s := open(t, path, dataset.Options{Fold: &fold})
		in := map[string]string{}
		for _, part := range []string{"train", "val", "test"} {
			for _, id := range ids(partOf(t, s, part)) {
				in[id] = part
			}
		}
		for name, first := range original {
			if in[name] == "" || in[name] != in[first] {
				t.Errorf("fold %d: %s is in %s, %s in %s", fold, first, in[first], name, in[name])
			}
		}
	}
}

func TestBadFolds(t *testing.T) {
	for text, c := range map[string]struct {
		kind          pipeline.Kind
		message, hint string
	}{
		"path,label\na.jpg,x\n":                   {pipeline.BadData, "line 2: has no fold", "tftl split with folds"},
		"path,label,fold\na.jpg,x,1\nb.jpg,y,\n":  {pipeline.BadData, "line 3: has no fold", "tftl split with folds"},
		"path,label,fold\na.jpg,x,1\nb.jpg,y,b\n": {pipeline.BadData, `line 3: fold "b" is not a whole number from 0 to 999999`, ""},
		"path,label,fold\na.jpg,x,-1\n":           {pipeline.BadData, `line 2: fold "-1" is not a whole number`, ""},
		"path,label,fold\na.jpg,x,0\nb.jpg,y,2\n": {pipeline.BadUsage, "fold 1: there is no such fold, only 0 to 2", ""},
	} {
		fold := 1
		_, err := dataset.Open(manifest(t, "m.csv", text), dataset.Options{Fold: &fold})
		checkError(t, err, c.kind, c.message, c.hint)
	}
	fold := 0
	_, err := dataset.Open(tree(t, "a/1.jpg", "b/1.jpg"), dataset.Options{Fold: &fold})
	checkError(t, err, pipeline.BadUsage, "is not a manifest", "tftl split with folds")
}
