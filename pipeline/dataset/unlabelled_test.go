package dataset_test

import (
	"path/filepath"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

func TestOpenUnlabelled(t *testing.T) {
	root := tree(t, "z.jpg", "any.txt", "d/b/2.jpg", "d/b-1.jpg", "d/notes.txt", "d/.x.jpg", "empty/")
	t.Chdir(root)
	s, err := dataset.OpenUnlabelled([]string{"z.jpg", "./d/", "any.txt", "d/b/2.jpg", filepath.Join(root, "z.jpg")}, dataset.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := partOf(t, s, "test")
	wantIDs(t, "test", all, "z.jpg", "d/b-1.jpg", "d/b/2.jpg", "any.txt", filepath.ToSlash(filepath.Join(root, "z.jpg")))
	for i := range all.Len() {
		if all.Sample(i).Label != -1 {
			t.Errorf("%+v has a label", all.Sample(i))
		}
	}
	if b, err := all.Bytes(1); err != nil || string(b) != "d/b-1.jpg" {
		t.Errorf("%q, %v", b, err)
	}
	if s.Ignored != 1 {
		t.Errorf("ignored %d", s.Ignored)
	}
	_, err = dataset.OpenUnlabelled([]string{"z.jpg", "none"}, dataset.Options{}, nil)
	checkError(t, err, pipeline.BadData, "none", "")
	_, err = dataset.OpenUnlabelled([]string{"empty"}, dataset.Options{}, nil)
	checkError(t, err, pipeline.BadData, `image found in "empty"`, "")
}

func TestKindsThatNeedLabels(t *testing.T) {
	flowers, err := filepath.Abs("testdata/flowers.gz")
	if err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]string{
		flowers: "TFRecord", "testdata/imagenet": "TFRecord", "testdata/imagenet/train-*": "TFRecord", "testdata/cifar-100": "CIFAR",
	} {
		_, err := unlabelled("", dataset.Options{}, path)
		checkError(t, err, pipeline.BadData, path+": is "+kind+" data, which tftl predict does not take", "pass images, or a folder")
	}
	// Images count, whatever lies next to them.
	root := tree(t, "a.jpg", "train.tfrecord")
	s, err := unlabelled("", dataset.Options{}, root)
	if err != nil {
		t.Fatal(err)
	}
	if s.Test.Len() != 1 || s.Ignored != 1 {
		t.Errorf("%q, ignored %d", ids(s.Test), s.Ignored)
	}
}

// unlabelled opens paths with the given standard input.
func unlabelled(stdin string, options dataset.Options, paths ...string) (*dataset.Set, error) {
	return dataset.OpenUnlabelled(paths, options, strings.NewReader(stdin))
}

func TestUnlabelledManifests(t *testing.T) {
	t.Chdir(tree(t, "lists/a.jpg", "lists/x/b.jpg", "c.jpg"))
	write(t, "lists/m.csv", "note,Path\n,x/b.jpg\nof a kind,./a.jpg\n")
	s, err := unlabelled("", dataset.Options{}, "lists/m.csv", "lists/x/b.jpg")
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "manifest", s.Test, "lists/x/b.jpg", "lists/a.jpg")

	// Columns that only fit needs do not matter here.
	write(t, "lists/m.tsv", "path\tlabel\tsplit\tweight\na.jpg\t\tdev\tmuch\n")
	if s, err = unlabelled("", dataset.Options{}, "lists/m.tsv"); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "labelled", s.Test, "lists/a.jpg")

	write(t, "lists/m.csv", "path\n../c.jpg\n")
	_, err = unlabelled("", dataset.Options{}, "lists/m.csv")
	checkError(t, err, pipeline.BadData, "lists/m.csv: line 2: ../c.jpg is outside", "allow-outside")
	if s, err = unlabelled("", dataset.Options{AllowOutside: true}, "lists/m.csv"); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "outside", s.Test, "c.jpg")

	for text, want := range map[string]string{
		"path\na.jpg\n\nnone.jpg\n":  "lists/m.csv: line 4: stat lists/none.jpg: no such file",
		"path,n\na.jpg,1\n,2\n":      "lists/m.csv: line 3: path is empty",
		"path\nx\n":                  "lists/m.csv: line 2: lists/x is not a file",
		"path\na.jpg\nx/../a.jpg\n":  "lists/m.csv: line 3: x/../a.jpg is already on line 2",
		"path,path\na.jpg,x/b.jpg\n": "lists/m.csv: line 1: has column path twice",
		"path\n":                     "lists/m.csv: has no images",
	} {
		write(t, "lists/m.csv", text)
		_, err := unlabelled("", dataset.Options{}, "lists/m.csv")
		checkError(t, err, pipeline.BadData, want, "")
	}
}

func TestUnlabelledManifestOfOtherColumns(t *testing.T) {
	t.Chdir(tree(t, "a.jpg"))
	write(t, "m.csv", "file;n\na.jpg;1\n")
	_, err := unlabelled("", dataset.Options{}, "m.csv")
	checkError(t, err, pipeline.BadData, `m.csv: line 1: has no column path, only "file;n"`, "path for the image files")
	write(t, "m.csv", "n;path\n1;a.jpg\n")
	s, err := unlabelled("", dataset.Options{}, "m.csv")
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "semicolons", s.Test, "a.jpg")
}

func TestLists(t *testing.T) {
	t.Chdir(tree(t, "a.jpg", "d/b.jpg", " c .jpg", "-"))
	write(t, "m.csv", "path\nd/b.jpg\n")
	s, err := unlabelled("d/b.jpg\r\n\n c .jpg\n-\na.jpg", dataset.Options{}, "a.jpg", "-")
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "list", s.Test, "a.jpg", "d/b.jpg", " c .jpg", "-")
	if s, err = unlabelled("d\nm.csv\n", dataset.Options{}, "-"); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "folder and manifest", s.Test, "d/b.jpg")

	for list, want := range map[string]string{
		"":                                   `image found in "-"`,
		"\n\n":                               `image found in "-"`,
		"a.jpg\n\nnone.jpg\n":                "standard input: line 3: stat none.jpg: no such file",
		"a.jpg\x00d/b.jpg\n":                 "standard input: line 1: has a zero byte",
		"a.jpg\n" + strings.Repeat("x", 1e5): "standard input: line 2: is longer than any path",
	} {
		_, err := unlabelled(list, dataset.Options{}, "-")
		checkError(t, err, pipeline.BadData, want, "")
	}
	_, err = unlabelled("\xff\xd8\xff\xe0\x00\x10JFIF", dataset.Options{}, "-")
	checkError(t, err, pipeline.BadData, "standard input: is an image, not a list of paths", "/dev/stdin")
}
