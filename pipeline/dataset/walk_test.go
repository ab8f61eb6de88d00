package dataset_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

func TestWhatIsAnImage(t *testing.T) {
	root := tree(t, "a/1.JPG", "a/2.jpeg", "a/3.Png", "a/4.bmp", "a/5.gif", "a/6.webp", "a/empty.jpg/", "a/deep/er/7.jpg",
		"a/notes.txt", "a/labels.csv", "a/none", ".hidden/x.jpg", "a/.x.jpg", "a/.git/x.jpg", "a/Thumbs.db", "a/desktop.ini",
		"__MACOSX/a/x.jpg", "b/1.jpg", "LICENSE", "stray.jpg")
	for name, content := range map[string]string{
		"jpeg":      "\xff\xd8\xff\xe0" + "and what follows",
		"png.txt":   "\x89PNG\r\n\x1a\n and what follows",
		"gif.":      "GIF89a and what follows",
		"webp.data": "RIFF\x10\x00\x00\x00WEBPVP8 and what follows",
		"bmp.tmp":   "BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00",
		"no.wav":    "RIFF\x10\x00\x00\x00WAVEfmt and what follows",
		"no.txt":    "BMWs are cars, not bitmaps at all",
		"no.bmp1":   "BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x01\x00\x00",
		"no.short":  "\xff\xd8",
	} {
		write(t, filepath.Join(root, "b", name), content)
	}
	s, err := dataset.OpenLabelled(root, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "all", partOf(t, s, pipeline.AllParts), "a/1.JPG", "a/2.jpeg", "a/3.Png", "a/4.bmp", "a/5.gif", "a/6.webp", "a/deep/er/7.jpg",
		"b/1.jpg", "b/bmp.tmp", "b/gif.", "b/jpeg", "b/png.txt", "b/webp.data")
	// Three in a, four in b, the licence, and the image that has no class.
	if s.Ignored != 9 {
		t.Errorf("ignored %d files, want 9", s.Ignored)
	}
	if len(warnings(s)) != 1 || !strings.Contains(warnings(s)[0], `"stray.jpg"`) {
		t.Errorf("warnings %q", warnings(s))
	}
}

func TestLinks(t *testing.T) {
	elsewhere := tree(t, "x.jpg", "folder/y.jpg")
	root := tree(t, "a/1.jpg", "b/1.jpg")
	for from, to := range map[string]string{
		"a/2.jpg": filepath.Join(elsewhere, "x.jpg"), "a/linked": filepath.Join(elsewhere, "folder"),
		"a/nowhere.jpg": "nothing", "a/nowhere": "nothing", "b/around": root,
	} {
		if err := os.Symlink(to, filepath.Join(root, from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "a/pipe.jpg"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := dataset.OpenLabelled(root, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := partOf(t, s, pipeline.AllParts)
	wantIDs(t, "all", all, "a/1.jpg", "a/2.jpg", "a/nowhere.jpg", "b/1.jpg")
	if len(warnings(s)) != 1 || !strings.Contains(warnings(s)[0], `"a/linked", "b/around"`) {
		t.Errorf("warnings %q", warnings(s))
	}
	if b, err := all.Bytes(1); err != nil || string(b) != "x.jpg" {
		t.Errorf("through a link: %q, %v", b, err)
	}
	_, err = all.Bytes(2)
	checkError(t, err, pipeline.BadData, filepath.Join(root, "a/nowhere.jpg"), "")
	if s.Ignored != 2 {
		t.Errorf("ignored %d, want 2: the pipe and the link to nothing", s.Ignored)
	}
}

func TestLinkedClassFoldersAreNamedInTheHint(t *testing.T) {
	root, elsewhere := t.TempDir(), tree(t, "cats/1.jpg")
	if err := os.Symlink(filepath.Join(elsewhere, "cats"), filepath.Join(root, "cats")); err != nil {
		t.Fatal(err)
	}
	_, err := dataset.Open(root, dataset.Options{})
	checkError(t, err, pipeline.BadData, "no class folders", "linked folders are only followed")
}
