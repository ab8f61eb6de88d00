package dataset_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// unlabelled lists paths with the given standard input.
func unlabelled(stdin string, options dataset.Options, paths ...string) (list []pipeline.Image, err error) {
	for image, err := range dataset.Unlabelled(paths, options, strings.NewReader(stdin), func(pipeline.Message) {}) {
		if err != nil {
			return list, err
		}
		list = append(list, image)
	}
	return list, nil
}

// unlabelledError lists paths and returns the error of the last one.
func unlabelledError(t *testing.T, stdin string, paths ...string) error {
	t.Helper()
	images, err := unlabelled(stdin, dataset.Options{}, paths...)
	if err != nil {
		return err
	}
	_, err = images[len(images)-1].Bytes()
	return err
}

func wantImages(t *testing.T, what string, images []pipeline.Image, want ...string) {
	t.Helper()
	var got []string
	for _, image := range images {
		got = append(got, image.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s is %q, want %q", what, got, want)
	}
}

func TestUnlabelled(t *testing.T) {
	root := tree(t, "z.jpg", "any.txt", "d/b/2.jpg", "d/b-1.jpg", "d/b.d/3.jpg", "d/notes.txt", "d/.x.jpg", "empty/")
	t.Chdir(root)
	images, err := unlabelled("", dataset.Options{}, "z.jpg", "./d/", "none", "any.txt", "empty", "d/b/2.jpg", filepath.Join(root, "z.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	wantImages(t, "list", images, "z.jpg", "d/b-1.jpg", "d/b.d/3.jpg", "d/b/2.jpg", "none", "any.txt", "d/b/2.jpg", filepath.ToSlash(filepath.Join(root, "z.jpg")))
	if b, err := images[1].Bytes(); err != nil || string(b) != "d/b-1.jpg" {
		t.Errorf("%q, %v", b, err)
	}
	checkError(t, unlabelledError(t, "", "z.jpg", "none"), pipeline.BadData, "stat none: no such file", "")
	checkError(t, unlabelledError(t, "", "empty"), pipeline.BadData, `image found in "empty"`, "")
}

func TestUnlabelledFolders(t *testing.T) {
	root := tree(t, "d/a.jpg", "d/phone.heic", "d/shut/b.jpg", "d/z.jpg", "e/c.jpg")
	t.Chdir(root)
	if err := os.Symlink("../e", "d/linked"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", "d/gone.jpg"); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	var list []string
	for image, err := range dataset.Unlabelled([]string{"d"}, dataset.Options{}, nil, func(m pipeline.Message) { warnings = append(warnings, m.String()) }) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, image.ID)
	}
	if got := fmt.Sprint(list); got != "[d/a.jpg d/gone.jpg d/shut/b.jpg d/z.jpg]" {
		t.Error(got)
	}
	if len(warnings) != 2 || !strings.HasPrefix(warnings[0], "d: images in unsupported formats are left out: 1 .heic") ||
		!strings.HasPrefix(warnings[1], "d: linked folders are left out") {
		t.Errorf("%q", warnings)
	}
	images, err := unlabelled("", dataset.Options{FollowSymlinks: true}, "d")
	if err != nil {
		t.Fatal(err)
	}
	wantImages(t, "followed", images, "d/a.jpg", "d/gone.jpg", "d/linked/c.jpg", "d/shut/b.jpg", "d/z.jpg")
	// Someone who needs no more does not walk on.
	for image := range dataset.Unlabelled([]string{"d", "e"}, dataset.Options{}, nil, func(m pipeline.Message) { t.Error(m) }) {
		if image.ID != "d/a.jpg" {
			t.Error(image.ID)
		}
		break
	}
}

func TestKindsThatNeedLabels(t *testing.T) {
	flowers, err := filepath.Abs("testdata/flowers.gz")
	if err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]string{
		flowers: "TFRecord", "testdata/imagenet": "TFRecord", "testdata/imagenet/train-*": "TFRecord", "testdata/cifar-100": "CIFAR",
	} {
		checkError(t, unlabelledError(t, "", path), pipeline.BadData, path+": is "+kind+" data, which tftl predict does not take", "pass images, or a folder")
	}
	// Images count, whatever lies next to them.
	root := tree(t, "a.jpg", "train.tfrecord")
	images, err := unlabelled("", dataset.Options{}, root)
	if err != nil || len(images) != 1 {
		t.Errorf("%d images, %v", len(images), err)
	}
}

func TestUnlabelledManifests(t *testing.T) {
	t.Chdir(tree(t, "lists/a.jpg", "lists/x/b.jpg", "c.jpg"))
	write(t, "lists/m.csv", "note,Path\n,x/b.jpg\nof a kind,./a.jpg\n,x/b.jpg\n")
	images, err := unlabelled("", dataset.Options{}, "lists/m.csv", "lists/x/b.jpg")
	if err != nil {
		t.Fatal(err)
	}
	wantImages(t, "manifest", images, "lists/x/b.jpg", "lists/a.jpg", "lists/x/b.jpg", "lists/x/b.jpg")

	// Columns that only fit needs do not matter here.
	write(t, "lists/m.tsv", "path\tlabel\tsplit\tweight\na.jpg\t\tdev\tmuch\n")
	if images, err = unlabelled("", dataset.Options{}, "lists/m.tsv"); err != nil {
		t.Fatal(err)
	}
	wantImages(t, "labelled", images, "lists/a.jpg")

	write(t, "lists/m.csv", "path\n../c.jpg\n")
	checkError(t, unlabelledError(t, "", "lists/m.csv"), pipeline.BadData, "lists/m.csv: line 2: ../c.jpg is outside", "allow-outside")
	if images, err = unlabelled("", dataset.Options{AllowOutside: true}, "lists/m.csv"); err != nil {
		t.Fatal(err)
	}
	wantImages(t, "outside", images, "c.jpg")

	for text, want := range map[string]string{
		"path\na.jpg\n\nnone.jpg\n":  "lists/m.csv: line 4: stat lists/none.jpg: no such file",
		"path,n\na.jpg,1\n,2\n":      "lists/m.csv: line 3: path is empty",
		"path\nx\n":                  "lists/m.csv: line 2: lists/x is not a file",
		"path,path\na.jpg,x/b.jpg\n": "lists/m.csv: line 1: has column path twice",
		"path\n":                     "lists/m.csv: has no images",
	} {
		write(t, "lists/m.csv", text)
		checkError(t, unlabelledError(t, "", "lists/m.csv"), pipeline.BadData, want, "")
	}
}

func TestUnlabelledManifestOfOtherColumns(t *testing.T) {
	t.Chdir(tree(t, "a.jpg"))
	write(t, "m.csv", "file;n\na.jpg;1\n")
	checkError(t, unlabelledError(t, "", "m.csv"), pipeline.BadData, `m.csv: line 1: has no column path, only "file;n"`, "path for the image files")
	write(t, "m.csv", "n;path\n1;a.jpg\n")
	images, err := unlabelled("", dataset.Options{}, "m.csv")
	if err != nil {
		t.Fatal(err)
	}
	wantImages(t, "semicolons", images, "a.jpg")
}

func TestLists(t *testing.T) {
	t.Chdir(tree(t, "a.jpg", "d/b.jpg", " c .jpg", "-"))
	write(t, "m.csv", "path\nd/b.jpg\n")
	images, err := unlabelled("d/b.jpg\r\n\n c .jpg\n-\na.jpg", dataset.Options{}, "a.jpg", "-", "d")
	if err != nil {
		t.Fatal(err)
	}
	wantImages(t, "list", images, "a.jpg", "d/b.jpg", " c .jpg", "-", "a.jpg", "d/b.jpg")
	if images, err = unlabelled("d\nm.csv\n", dataset.Options{}, "-"); err != nil {
		t.Fatal(err)
	}
	wantImages(t, "folder and manifest", images, "d/b.jpg", "d/b.jpg")

	for list, want := range map[string]string{
		"":                                   `image found in "-"`,
		"\n\n":                               `image found in "-"`,
		"a.jpg\n\nnone.jpg\n":                "standard input: line 3: stat none.jpg: no such file",
		"a.jpg\x00d/b.jpg\n":                 "standard input: line 1: has a zero byte",
		"a.jpg\n" + strings.Repeat("x", 1e5): "standard input: line 2: is longer than any path",
	} {
		checkError(t, unlabelledError(t, list, "-"), pipeline.BadData, want, "")
	}
	checkError(t, unlabelledError(t, "\xff\xd8\xff\xe0\x00\x10JFIF", "-"), pipeline.BadData, "standard input: is an image, not a list of paths", "/dev/stdin")
}

// Each line is an image as soon as it is written.
func TestAListIsReadAsItComes(t *testing.T) {
	t.Chdir(tree(t, "a", "b"))
	list, lines := io.Pipe()
	next := make(chan string)
	go func() {
		for name := range next {
			fmt.Fprintln(lines, name)
		}
		lines.Close()
	}()
	next <- "a"
	for image, err := range dataset.Unlabelled([]string{"-"}, dataset.Options{}, list, nil) {
		if err != nil {
			t.Fatal(err)
		}
		switch image.ID {
		case "a":
			next <- "b" // only now
		case "b":
			close(next)
		}
	}
}
