package dataset_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

func TestDocsListTheKindsOfSource(t *testing.T) {
	text, err := os.ReadFile("../../docs/data.md")
	if err != nil {
		t.Fatal(err)
	}
	security, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	answer := map[bool]string{true: "yes", false: "no"}
	table := "|---|---|---|---|---|\n"
	for _, k := range dataset.Kinds() {
		table += fmt.Sprintf("| %s | %s | `%s` | %s | %s |\n", k.Name, k.Usage, k.Example, answer[k.Files], answer[k.Unlabelled])
		if !k.Files && !strings.Contains(string(security), k.Name+" files") {
			t.Errorf("SECURITY.md must list %s files among the data that is not trusted", k.Name)
		}
	}
	if !strings.Contains(string(text), table) {
		t.Errorf("docs/data.md must have the rows\n%s", table)
	}
}

func TestUsageNamesTheKinds(t *testing.T) {
	kinds := dataset.Kinds()
	if got, want := dataset.Usage(kinds[:2]), kinds[0].Usage+"; "+kinds[1].Usage; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, k := range kinds {
		if k.Name == "" || k.Usage == "" || k.Example == "" || strings.Contains(k.Usage, "\n") {
			t.Errorf("%+v", k)
		}
	}
	if len(dataset.FileKinds()) == 0 || len(dataset.FileKinds()) == len(kinds) {
		t.Errorf("%d of %d kinds have files", len(dataset.FileKinds()), len(kinds))
	}
}

// The data of a kind can be written as a manifest exactly if the kind says so.
// Every kind has an example.
func TestKindsWithFilesCanBeSplit(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range examples(t) {
		s := open(t, c.path, c.options)
		what, _, _ := strings.Cut(s.Description, ",")
		at := slices.IndexFunc(dataset.Kinds(), func(k dataset.Kind) bool { return strings.Contains(what, k.Name) })
		if at < 0 {
			t.Fatalf("description %q does not name the kind before the first comma: set listing.what", what)
		}
		seen[dataset.Kinds()[at].Name] = true
		_, err := s.WriteManifest(&strings.Builder{}, ".", nil)
		if want := dataset.Kinds()[at].Files; (err == nil) != want {
			t.Errorf("%s: a manifest gives %v, want one: %v", what, err, want)
		}
	}
	for _, k := range dataset.Kinds() {
		if !seen[k.Name] {
			t.Errorf("%s has no example: add one to examples in source_test.go", k.Name)
		}
	}
}

// The first kind takes any folder that no other kind recognizes: a rule of
// another kind that is too wide would take class folders for it.
func TestClassFoldersWithOtherFilesStayClassFolders(t *testing.T) {
	stray := []string{
		"photos.zip", "photos.tar", "photos-000001.tar", "photos.tar.gz", "photos.tgz", "labels.csv", "train.csv", "metadata.jsonl",
		"dataset_info.json", "data.yaml", "labels.txt", "classes.txt", "notes.md", "model.h5", "data.bin", "train.bin",
		"train-images-idx3-ubyte.gz", "train.parquet", "data.npz", "data.mdb", "cover.jpg", "README",
	}
	for _, root := range []string{
		tree(t, slices.Concat(stray, images("cats", 12), images("dogs", 12))...),
		tree(t, append([]string{"train/a/1.jpg", "train/b/1.jpg", "val/a/2.jpg", "val/b/2.jpg"}, stray...)...),
	} {
		s, err := dataset.OpenLabelled(root, dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(s.Description, "class folders") || s.Ignored != len(stray) {
			t.Errorf("%d of %d stray files are counted in %q", s.Ignored, len(stray), s.Description)
		}
	}
}

// A path is of a kind only if the kind recognizes it, and an error lists them.
func TestOtherFilesAreOfNoKind(t *testing.T) {
	root := tree(t, "a/1.jpg", "a/2.jpg", "notes.txt", "pipes/")
	if err := syscall.Mkfifo(filepath.Join(root, "pipes/1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"notes.txt": "notes.txt is not a known kind of data (class folders, manifest, ",
		"a/*.jpg":   "a/*.jpg is not a known kind of data (class folders, manifest, ",
		"pipes/*":   "pipes/* is not a known kind of data", // and does not wait for a writer
		"pipes/1":   "pipes/1 is not a known kind of data",
		"*":         "* is not a known kind of data",
		"a/*.png":   "a/*.png matches no file",
		"[":         "syntax error in pattern",
		"none":      "no such file",
	} {
		_, err := dataset.Open(filepath.Join(root, path), dataset.Options{})
		hint := ""
		if strings.Contains(want, "known") {
			hint = "pass a folder with a sub-folder per class"
		}
		checkError(t, err, pipeline.BadData, want, hint)
	}
	checkError(t, unlabelledError(t, "", filepath.Join(root, "a/*.jpg")), pipeline.BadData, "a/*.jpg: is a pattern: pass the files that match it", "")
}
