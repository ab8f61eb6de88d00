package dataset_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// Folders of a data set by what each holds: images ("flat"), class folders
// ("deep") or nothing.
func TestLayouts(t *testing.T) {
	const flat, deep, none = "flat", "deep", ""
	type folders map[string]string
	for name, c := range map[string]struct {
		folders folders
		auto    string // what the folders are taken for, or what the error says
		parts   string // with LayoutParts
		classes []string
	}{
		"classes":          {folders{"red": flat, "blue": flat}, "classes", "no folder named train", []string{"blue", "red"}},
		"all parts":        {folders{"train": deep, "val": deep, "test": deep}, "parts", "parts", []string{"test", "train", "val"}},
		"train and test":   {folders{"train": deep, "test": deep}, "parts", "parts", []string{"test", "train"}},
		"train and val":    {folders{"Train": deep, "validation": deep}, "parts", "parts", []string{"Train", "validation"}},
		"train alone":      {folders{"train": deep}, "parts", "parts", []string{"train"}},
		"test alone":       {folders{"test": deep}, "parts", "parts", []string{"test"}},
		"val and test":     {folders{"val": deep, "test": deep}, "parts", "parts", []string{"test", "val"}},
		"valid, invalid":   {folders{"valid": flat, "invalid": flat}, "classes: valid is taken for a class", "valid has images but no class folders", []string{"invalid", "valid"}},
		"test, control":    {folders{"test": flat, "control": flat}, "classes: test is taken for a class", "test has images but no class folders", []string{"control", "test"}},
		"val, nested":      {folders{"val": flat, "other": deep}, "classes: val is taken", "val has images but", []string{"other", "val"}},
		"train, plane":     {folders{"train": flat, "plane": flat}, "classes: train is taken", "train has images but", []string{"plane", "train"}},
		"vehicles":         {folders{"train": flat, "plane": flat, "car": flat}, "classes: train is taken", "train has images but", []string{"car", "plane", "train"}},
		"empty beside":     {folders{"train": deep, "test": deep, "notes": none}, "parts", "parts", nil},
		"test unsorted":    {folders{"cats": flat, "dogs": flat, "test": flat}, `next to the parts "test" there are other folders of images: "cats", "dogs"`, "test has images but", []string{"cats", "dogs", "test"}},
		"train and others": {folders{"train": deep, "samples": flat}, `next to the parts "train"`, "parts", []string{"samples", "train"}},
		"test and others":  {folders{"test": deep, "training_set": deep}, `next to the parts "test"`, "parts", []string{"test", "training_set"}},
		"nested subjects":  {folders{"test": deep, "control": deep}, `next to the parts "test"`, "parts", []string{"control", "test"}},
		"three":            {folders{"train": flat, "test": flat, "plane": flat}, `next to the parts "train", "test"`, "has images but no class folders", []string{"plane", "test", "train"}},
		"flat parts":       {folders{"train": flat, "test": flat}, "has images but no class folders", "has images but", []string{"test", "train"}},
		"flat test":        {folders{"train": deep, "test": flat}, "test has images but no class folders", "test has images but", []string{"test", "train"}},
		"two validations":  {folders{"val": flat, "valid": flat}, "val and valid are both", "val and valid are both", []string{"val", "valid"}},
	} {
		t.Run(name, func(t *testing.T) {
			var files []string
			for dir, holds := range c.folders {
				switch holds {
				case flat:
					files = append(files, dir+"/1.jpg", dir+"/2.jpg")
				case deep:
					files = append(files, dir+"/a/1.jpg", dir+"/b/1.jpg")
				default:
					files = append(files, dir+"/")
				}
			}
			root := tree(t, files...)
			check := func(layout dataset.Layout, want string) {
				t.Helper()
				s, err := dataset.OpenLabelled(root, dataset.Options{Layout: layout})
				what, warning, _ := strings.Cut(want, ": ")
				if what != "parts" && what != "classes" {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Fatalf("layout %q: error %v, want %q", layout, err, want)
					}
					if doubt := layout == dataset.LayoutAuto && !strings.Contains(want, "named"); strings.Contains(pipeline.HintOf(err).String(), "with layout parts") != doubt || pipeline.KindOf(err) != pipeline.BadData {
						t.Errorf("layout %q: %v, hint %q", layout, err, pipeline.HintOf(err))
					}
					return
				}
				if err != nil {
					t.Fatalf("layout %q: %v", layout, err)
				}
				if parts := strings.Contains(s.Description, "/"); parts != (what == "parts") {
					t.Errorf("layout %q: taken for %q", layout, s.Description)
				}
				if what == "parts" && !slices.Equal(s.Classes, []string{"a", "b"}) || what == "classes" && !slices.Equal(s.Classes, c.classes) {
					t.Errorf("layout %q: classes %q", layout, s.Classes)
				}
				if warning != "" && (len(warnings(s)) != 1 || !strings.Contains(warnings(s)[0], warning)) {
					t.Errorf("layout %q: warnings %q", layout, warnings(s))
				}
			}
			check(dataset.LayoutAuto, c.auto)
			check(dataset.LayoutParts, c.parts)
			if c.classes != nil {
				check(dataset.LayoutClasses, "classes")
			}
		})
	}
}

// Images next to the parts are left out with a warning. LayoutParts applies to the
// data, but not to the sources of Validation and Test.
func TestLayoutOfParts(t *testing.T) {
	root, apart := tree(t, "train/a/1.jpg", "train/b/1.jpg", "samples/1.jpg"), tree(t, "a/1.jpg", "b/1.jpg")
	s := open(t, root, dataset.Options{Layout: dataset.LayoutParts, Validation: apart, Test: apart})
	wantIDs(t, "train", s.Train, "train/a/1.jpg", "train/b/1.jpg")
	wantIDs(t, "validation", s.Validation, "val-data/a/1.jpg", "val-data/b/1.jpg")
	if len(warnings(s)) != 1 || !strings.Contains(warnings(s)[0], `left out: "samples/1.jpg"`) {
		t.Errorf("warnings %q", warnings(s))
	}
}

func TestLinkedPartsAreNotDoneWithout(t *testing.T) {
	elsewhere := tree(t, "a/1.jpg", "b/1.jpg")
	for _, name := range []string{"val", "Test", "train"} {
		root := tree(t, "train/a/1.jpg", "train/b/1.jpg")
		if name == "train" {
			root = tree(t, "test/a/1.jpg", "test/b/1.jpg")
		}
		if err := os.Symlink(elsewhere, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
		_, err := dataset.OpenLabelled(root, dataset.Options{})
		checkError(t, err, pipeline.BadData, name+" is named like the ", "follow-symlinks")
		s, err := dataset.OpenLabelled(root, dataset.Options{FollowSymlinks: true})
		if err != nil || partOf(t, s, pipeline.AllParts).Len() != 4 {
			t.Errorf("%+v, %v", s, err)
		}
		if _, err := dataset.OpenLabelled(root, dataset.Options{Layout: dataset.LayoutClasses}); err != nil {
			t.Error(err)
		}
	}

	// If a linked class is missing, the error says so.
	root := tree(t, "a/1.jpg", "train/a/1.jpg", "test/a/2.jpg", "test/b/2.jpg")
	for _, link := range []string{"b", "train/b"} {
		if err := os.Symlink(filepath.Join(elsewhere, "b"), filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := dataset.Open(root, dataset.Options{Layout: dataset.LayoutParts})
	checkError(t, err, pipeline.BadData, `found only "a"`, `only followed with follow-symlinks: "b", "train/b"`)
}

func TestWhatSystemsLeaveBehindIsNoClass(t *testing.T) {
	root := tree(t, "a/1.jpg", "b/1.jpg", "lost+found/", "$RECYCLE.BIN/$R1.jpg", "System Volume Information/x", "__pycache__/",
		"@eaDir/a/1.jpg", "__MACOSX/a/._1.jpg", ".ipynb_checkpoints/1.jpg", "a/@eaDir/1.jpg")
	s, err := dataset.OpenLabelled(root, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "all", s.Test, "a/1.jpg", "b/1.jpg")
	if len(warnings(s)) > 0 || s.Ignored > 0 {
		t.Errorf("warnings %q, ignored %d", warnings(s), s.Ignored)
	}
}
