package dataset

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// formats names the images that are read.
const formats = "JPEG, PNG, BMP, GIF or WebP image"

// tree is what is below a folder, by slash paths relative to it.
type tree struct {
	root    string
	folders map[string][]string // by folder, the names of the folders in it, sorted bytewise
	images  []string            // sorted bytewise
	links   []string            // linked folders that were not followed
	ignored int                 // files that are not images
	unread  Endings             // of these, images in unsupported formats
	others  Endings             // the rest of them
	follow  bool                // linked folders are followed, but not in circles
}

func walk(root string, follow bool) (*tree, error) {
	t := &tree{root: root, folders: map[string][]string{}, unread: Endings{}, others: Endings{}, follow: follow}
	if err := t.walk(".", nil); err != nil {
		return nil, err
	}
	slices.Sort(t.images) // the walk finds a/b before a-b, which sorts first
	return t, nil
}

// walk lists what is in dir. above are the folders that it is in.
func (t *tree) walk(dir string, above []fs.FileInfo) error {
	here, err := os.Stat(string(t.file(dir)))
	if err != nil {
		return err
	}
	above = append(slices.Clip(above), here)
	entries, err := os.ReadDir(string(t.file(dir)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if unseen(e.Name()) {
			continue
		}
		mode := e.Type()
		if mode&fs.ModeSymlink != 0 {
			mode = 0 // if it leads nowhere, reading it will say so
			if info, err := os.Stat(string(t.file(name))); err == nil {
				mode = info.Mode().Type()
				back := func(folder fs.FileInfo) bool { return os.SameFile(folder, info) }
				if mode.IsDir() && (!t.follow || slices.ContainsFunc(above, back)) {
					t.links = append(t.links, name)
					continue
				}
			}
		}
		if mode.IsDir() {
			t.folders[dir] = append(t.folders[dir], e.Name())
			if err := t.walk(name, above); err != nil {
				return err
			}
			continue
		}
		image := mode.IsRegular() // reading a pipe might block
		if image && !imageName(name) {
			if image, err = imageContent(string(t.file(name))); err != nil {
				return err
			}
		}
		if image {
			t.images = append(t.images, name)
		} else {
			t.ignored++
			if unreadFormat(name) {
				t.unread.see(name)
			} else {
				t.others.see(name)
			}
		}
	}
	return nil
}

func (t *tree) file(name string) file { return file(filepath.Join(t.root, filepath.FromSlash(name))) }

// unseen says whether a file or folder is hidden, or one that systems, file
// managers, archivers and Python leave behind.
func unseen(name string) bool {
	switch strings.ToLower(name) {
	case "thumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found", "$recycle.bin", "system volume information", "__pycache__":
		return true
	}
	return strings.HasPrefix(name, ".")
}

// imageName says whether a file is an image by its extension. Then it counts as
// one, whatever is in it: if that is wrong, decoding reports it, instead of the
// file being skipped.
func imageName(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp":
		return true
	}
	return false
}

// unreadFormat says whether a file is by its extension an image that neither
// TensorFlow nor this program decodes, as of phones, scanners and cameras.
func unreadFormat(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".heic", ".heif", ".avif", ".tif", ".tiff", ".jxl", ".jp2", ".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf":
		return true
	}
	return false
}

// Endings counts files by extension.
type Endings map[string]int

func (e Endings) see(name string) { e[strings.ToLower(path.Ext(name))]++ }

// and is the sum of both.
func (e Endings) and(more Endings) Endings {
	sum := Endings{}
	for _, counts := range []Endings{e, more} {
		for ending, n := range counts {
			sum[ending] += n
		}
	}
	return sum
}

// String lists the most frequent first, and not all if there are many: "2 .txt,
// 1 without an extension".
func (e Endings) String() string {
	const most = 8
	var each []string
	rest := 0
	for i, ending := range slices.SortedFunc(maps.Keys(e), func(a, b string) int { return cmp.Or(e[b]-e[a], cmp.Compare(a, b)) }) {
		if i >= most {
			rest += e[ending]
			continue
		}
		each = append(each, fmt.Sprintf("%d %s", e[ending], cmp.Or(ending, "without an extension")))
	}
	if rest > 0 {
		each = append(each, fmt.Sprintf("%d others", rest))
	}
	return strings.Join(each, ", ")
}

// unreadable is the text about images in unsupported formats.
func (e Endings) unreadable() string { return e.String() + " (convert them to JPEG or PNG)" }

// imageContent says by its first bytes whether a file is an image, whatever its
// name.
func imageContent(name string) (bool, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) { // a dangling link
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return imageHead(head[:n]), nil
}

// imageHead says it of the first 16 bytes.
func imageHead(head []byte) bool {
	starts := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case starts("\xff\xd8\xff"), starts("\x89PNG\r\n\x1a\n"), starts("GIF87a"), starts("GIF89a"):
		return true
	case len(head) < 16:
		return false
	case starts("RIFF"):
		return string(head[8:12]) == "WEBP"
	case starts("BM"):
		// Any text may begin with these letters. In a BMP the reserved bytes are 0,
		// and the size of the second header, of which two bytes are here, is 12 to 124.
		return string(head[6:10]) == "\x00\x00\x00\x00" && head[14] >= 12 && head[14] <= 124 && head[15] == 0
	}
	return false
}
