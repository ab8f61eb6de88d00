package dataset_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// Folders that all link to each other have n! paths. A walk ends long before.
func TestLinksThatMultiplyAreRefused(t *testing.T) {
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("%d/1.jpg", i))
	}
	root := tree(t, names...)
	for i := range 12 {
		for j := range 12 {
			if i != j {
				if err := os.Symlink(filepath.Join("..", fmt.Sprint(j)), filepath.Join(root, fmt.Sprint(i), fmt.Sprint("to", j))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	options := dataset.Options{FollowSymlinks: true}
	_, err := dataset.Open(root, options)
	checkError(t, err, pipeline.BadData, "links lead to the same folders again and again: more than 50000 files and folders are listed twice", "remove links between folders")
	_, err = unlabelled("", options, root)
	checkError(t, err, pipeline.BadData, "links lead to the same folders again and again", "remove links between folders")
	s, err := dataset.OpenLabelled(root, dataset.Options{})
	if err != nil || partOf(t, s, pipeline.AllParts).Len() != 12 {
		t.Errorf("without links: %v", err)
	}
}

func TestAFolderMayBeLinkedFromEveryClass(t *testing.T) {
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("%d/1.jpg", i))
	}
	root, shared := tree(t, names...), filepath.Join(tree(t, images("all", 100)...), "all")
	for i := range 200 {
		if err := os.Symlink(shared, filepath.Join(root, fmt.Sprint(i), "shared")); err != nil {
			t.Fatal(err)
		}
	}
	s, err := dataset.OpenLabelled(root, dataset.Options{FollowSymlinks: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := partOf(t, s, pipeline.AllParts).Len(); n != 200*101 {
		t.Errorf("%d images", n)
	}
}

// What stands in the place of a file is an error that never waits, in every kind of
// source.
func TestOnlyFilesAreRead(t *testing.T) {
	pipe := func(path string) error { return syscall.Mkfifo(path, 0o600) }
	socket := func(path string) error {
		listener, err := net.Listen("unix", path)
		if err == nil {
			t.Cleanup(func() { listener.Close() })
		}
		return err
	}
	folder := func(path string) error { return os.Mkdir(path, 0o700) }
	device := func(path string) error { return os.Symlink("/dev/zero", path) }
	for what, replace := range map[string]func(string) error{"a pipe": pipe, "a socket": socket, "a folder": folder, "a device": device} {
		root := tree(t, "images/a/1.jpg", "images/b/1.jpg", "list/1.jpg", "cifar/data_batch_1.bin", "records/train-00000-of-00001")
		s, err := dataset.OpenLabelled(filepath.Join(root, "images"), dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		put := func(name string) string {
			path := filepath.Join(root, name)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := replace(path); err != nil {
				t.Fatal(err)
			}
			return path
		}
		want := ": is " + what + ", not a file"
		path := put("images/a/1.jpg") // after it was listed
		_, err = partOf(t, s, pipeline.AllParts).Bytes(0)
		checkError(t, err, pipeline.BadData, path+want, "")

		path = put("list/m.csv")
		if _, err = dataset.Open(path, dataset.Options{}); pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("a manifest that is %s: %v", what, err)
		}
		if what != "a folder" { // in which images are searched
			err = unlabelledError(t, "", path)
			checkError(t, err, pipeline.BadData, path+want, "")
			err = unlabelledError(t, path+"\n", "-")
			checkError(t, err, pipeline.BadData, path+want, "")
		}
		write(t, filepath.Join(root, "list/n.csv"), "path,label\nx.jpg,a\n")
		put("list/x.jpg")
		_, err = dataset.Open(filepath.Join(root, "list/n.csv"), dataset.Options{})
		checkError(t, err, pipeline.BadData, "x.jpg is not a file", "")

		put("cifar/batches.meta.txt")
		if _, err = dataset.Open(filepath.Join(root, "cifar"), dataset.Options{}); pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("a list of classes that is %s: %v", what, err)
		}
		put("records/train-00000-of-00001")
		if _, err = dataset.Open(filepath.Join(root, "records", "train-*"), dataset.Options{}); pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("records that are %s: %v", what, err)
		}
	}
}

func TestTextsHaveBounds(t *testing.T) {
	long := strings.Repeat("x", 1<<21)
	for name, c := range map[string]struct{ text, want string }{
		"line":    {"path,label\na.jpg," + long + "\n", "line 2: column 1: a row of more than 1048576 bytes"},
		"columns": {"path,label" + strings.Repeat(",", 1<<21) + "\n", "line 1: column 1: a row of more than 1048576 bytes"},
		"quoted":  {"path,label\n\"" + strings.Repeat("\n", 1<<21), "line 2: column 1: a row of more than 1048576 bytes"},
	} {
		_, err := dataset.Open(manifest(t, "m.csv", c.text), dataset.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.100v, want %s", name, err, c.want)
		}
	}
	fold := 0
	_, err := dataset.Open(manifest(t, "m.csv", "path,label,fold\na.jpg,a,9223372036854775807\n"), dataset.Options{Fold: &fold})
	checkError(t, err, pipeline.BadData, `line 2: fold "9223372036854775807" is not a whole number from 0 to 999999`, "")
	if _, err := dataset.ReadLabels(strings.NewReader(strings.Repeat(long, 9))); err == nil || err.Error() != "has more than the limit of 16777216 bytes" {
		t.Errorf("labels: %.100v", err)
	}
	path := filepath.Join(t.TempDir(), "m.csv")
	write(t, path, "path,label\n")
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
	_, err = dataset.Open(path, dataset.Options{})
	checkError(t, err, pipeline.BadData, "has 1099511627776 bytes, more than the limit of 536870912", "")
}

// A file that decompresses to far more than images leave to compress is a bomb.
func TestDecompressionBombs(t *testing.T) {
	example := recordFile(features{"image/encoded": strings.Repeat("\x00", 1<<20), "image/class/label": 1})
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 200 {
		if _, err := z.Write(example); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := save(t, t.TempDir(), "bomb.tfrecord.gz", bomb.Bytes())
	_, err := dataset.Open(path, dataset.Options{})
	checkError(t, err, pipeline.BadData, "it decompresses to more than 100 times its size", "decompress the file")
}

func TestAnExampleHasALimitOfValues(t *testing.T) {
	path := save(t, t.TempDir(), "many.tfrecord", recordFile(features{"image/encoded": "x", "image/class/label": make([]int, 2<<20)}))
	_, err := dataset.Open(path, dataset.Options{})
	checkError(t, err, pipeline.BadData, "has more than the limit of 1048576 values", "")
}

func TestFormulasAreInertInAManifest(t *testing.T) {
	root := tree(t, append(append(images("=cmd", 40), images("'tis", 40)...), append(images("-1", 40), images("'=x", 40)...)...)...)
	s := open(t, root, dataset.Options{})
	path := filepath.Join(root, "m.csv")
	writeManifest(t, s, path, nil)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		for field := range strings.SplitSeq(line, ",") {
			if strings.ContainsAny(field[:1], "=+-@\t\r") {
				t.Errorf("%q begins like a formula", field)
			}
		}
	}
	if back := open(t, path, dataset.Options{}); back.Digest() != s.Digest() {
		t.Errorf("read back it differs: %q, %q", back.Classes, s.Classes)
	}
}
