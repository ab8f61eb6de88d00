package dataset_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// An accent in one character and in two.
const (
	composed   = "p\u00eache"
	decomposed = "pe\u0302che"
)

func TestSpellingsOfAClassAreOneClass(t *testing.T) {
	files := []string{"train/" + composed + "/1.jpg", "train/b/1.jpg", "val/" + composed + "/2.jpg", "test/" + decomposed + "/3.jpg", "test/b /2.jpg"}
	s := open(t, tree(t, files...), dataset.Options{Classes: []string{decomposed, "b"}})
	if !slices.Equal(s.Classes, []string{"b", composed}) || len(warnings(s)) != 1 || !strings.Contains(warnings(s)[0], "validation has no image") {
		t.Errorf("classes %+q, warnings %q", s.Classes, warnings(s))
	}
	wantIDs(t, "test", s.Test, "test/b /2.jpg", "test/"+decomposed+"/3.jpg")
	if b, err := s.Test.Bytes(1); err != nil || string(b) != files[3] {
		t.Errorf("%q, %v", b, err)
	}

	// A run's record and a model may have either spelling.
	record := []pipeline.Recorded{
		{ID: "train/" + composed + "/1.jpg", Class: decomposed, Part: "train"},
		{ID: "test/" + decomposed + "/3.jpg", Class: decomposed, Part: "test"},
	}
	path := tree(t, files...)
	s, err := dataset.OpenRecorded(path, dataset.Options{}, record, pipeline.AllParts)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "recorded", s.Test, "test/"+decomposed+"/3.jpg")
	if s, err = s.Relabel([]string{decomposed, "b"}, true); err != nil || s.Test.Sample(0).Label != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = s.Relabel([]string{decomposed, composed}, true)
	checkError(t, err, pipeline.BadModel, "twice", "")
}

func TestSpellingsInOnePartAreToldOf(t *testing.T) {
	for name, c := range map[string]struct {
		files   []string
		classes []string
		warning string
	}{
		"accent":        {[]string{composed + "/1.jpg", decomposed + "/1.jpg", "b/1.jpg"}, []string{"b", composed}, `names that look the same are taken for one class, "` + composed + `": "pe\u0302che", "p\u00eache"`},
		"space":         {[]string{"red/1.jpg", "red /2.jpg", "b/1.jpg"}, []string{"b", "red"}, `one class, "red": "red", "red "`},
		"case":          {[]string{"red/1.jpg", "Red/2.jpg", "b/1.jpg"}, []string{"Red", "b", "red"}, `classes that differ only in case: "Red", "red"`},
		"case, accents": {[]string{"\u00c9t\u00e9/1.jpg", "\u00e9te\u0301/2.jpg"}, []string{"\u00c9t\u00e9", "\u00e9t\u00e9"}, `only in case`},
		"across parts":  {[]string{"train/Red/1.jpg", "test/red/1.jpg"}, []string{"Red", "red"}, `only in case: "Red", "red"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := dataset.OpenLabelled(tree(t, c.files...), dataset.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.Classes, c.classes) || len(warnings(s)) != 1 || !strings.Contains(warnings(s)[0], c.warning) {
				t.Errorf("classes %+q, warnings %q", s.Classes, warnings(s))
			}
		})
	}
	_, err := dataset.OpenLabelled(tree(t, " /1.jpg", "b/1.jpg"), dataset.Options{})
	checkError(t, err, pipeline.BadData, `image " /1.jpg": its class name is blank`, "")

	list := filepath.Join(tree(t, "1.jpg", "2.jpg", "3.jpg"), "m.csv")
	write(t, list, "path,label\n1.jpg,"+composed+"\n2.jpg,"+decomposed+"\n3.jpg, "+composed+"\n")
	s, err := dataset.OpenLabelled(list, dataset.Options{})
	if err != nil || !slices.Equal(s.Classes, []string{composed}) || len(warnings(s)) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}
