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
	"slices"
	"strings"
	"syscall"

	"tftl/internal/regular"
	"tftl/pipeline"
)

// formats names the images that are read.
const formats = "JPEG, PNG, BMP, GIF or WebP image"

// tree is what is below a folder, by slash paths relative to it.
type tree struct {
	root    string
	folders map[string][]string // by folder, the names of the folders in it, sorted bytewise; nil if nobody asks
	images  []string            // sorted bytewise
	links   []string            // linked folders that were not followed
	ignored int                 // files that are not images
	unread  Endings             // of these, images in unsupported formats
	others  Endings             // the rest of them
	follow  bool                // linked folders are followed, but not in circles
	visited map[inode]bool      // folders that were listed, if links are followed
	repeats int                 // files and folders that were listed again, because links lead to them
	// found gets each image in order, or the error about a folder or a file. What
	// it returns ends the walk.
	found func(name string, err error) error
}

func walk(root string, follow bool) (*tree, error) {
	t := newTree(root, follow)
	t.folders = map[string][]string{}
	t.found = func(name string, err error) error {
		t.images = append(t.images, name)
		return err
	}
	err := t.walk(".", nil)
	for _, names := range t.folders {
		slices.Sort(names)
	}
	return t, err
}

func newTree(root string, follow bool) *tree {
	return &tree{root: root, unread: Endings{}, others: Endings{}, follow: follow, visited: map[inode]bool{}}
}

// inode identifies a folder, whatever path leads to it.
type inode struct{ device, number uint64 }

// visit counts what is listed again. Links between folders make paths multiply, so
// there is a limit.
func (t *tree) visit(dir string, here fs.FileInfo, members int) error {
	stat, ok := here.Sys().(*syscall.Stat_t)
	if !ok || !t.follow {
		return nil
	}
	id := inode{uint64(stat.Dev), stat.Ino} //nolint:unconvert // macOS has another type
	if t.visited[id] {
		t.repeats += 1 + members
	}
	t.visited[id] = true
	if t.repeats <= maxRepeats {
		return nil
	}
	err := pipeline.Errorf(pipeline.BadData, "%s: links lead to the same folders again and again: more than %d files and folders are listed twice, the last in %s", t.root, maxRepeats, t.file(dir).path())
	return pipeline.WithHint(err, "remove links between folders, or leave out %s", followLinks)
}

// walk lists what is in dir. above are the folders that it is in.
func (t *tree) walk(dir string, above []fs.FileInfo) error {
	here, err := os.Stat(t.file(dir).path())
	if err != nil {
		return t.found(dir, err)
	}
	above = append(slices.Clip(above), here)
	links := len(t.links)
	members, err := t.members(dir, above)
	if err != nil {
		return t.found(dir, err)
	}
	if err := t.visit(dir, here, len(members)+len(t.links)-links); err != nil {
		return err
	}
	for _, m := range members {
		name, folder := strings.CutSuffix(path.Join(dir, m.name)+m.slash(), "/")
		if folder {
			if t.folders != nil {
				t.folders[dir] = append(t.folders[dir], m.name)
			}
			if err := t.walk(name, above); err != nil {
				return err
			}
			continue
		}
		image := m.mode.IsRegular() // reading a pipe might block
		if image && !imageName(name) {
			if image, err = imageContent(t.file(name).path()); err != nil {
				if err := t.found(name, err); err != nil {
					return err
				}
				continue
			}
		}
		if image {
			if err := t.found(name, nil); err != nil {
				return err
			}
			continue
		}
		t.ignored++
		if unreadFormat(name) {
			t.unread.see(name)
		} else {
			t.others.see(name)
		}
	}
	return nil
}

// member is a file or folder in a folder, after links are followed.
type member struct {
	name string
	mode fs.FileMode
}

func (m member) slash() string {
	if m.mode.IsDir() {
		return "/"
	}
	return ""
}

// members lists a folder in the bytewise order of all paths in and below it:
// a-b comes before what is in a.
func (t *tree) members(dir string, above []fs.FileInfo) ([]member, error) {
	folder, err := os.OpenFile(t.file(dir).path(), os.O_RDONLY|syscall.O_DIRECTORY, 0) // not what has taken its place
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	var members []member
	links := len(t.links)
	for {
		entries, err := folder.ReadDir(1024) // all together take twice the memory
		for _, e := range entries {
			if unseen(e.Name()) {
				continue
			}
			m := member{e.Name(), e.Type()}
			if m.mode&fs.ModeSymlink != 0 {
				name := path.Join(dir, m.name)
				m.mode = 0 // if it leads nowhere, reading it will say so
				if info, err := os.Stat(t.file(name).path()); err == nil {
					m.mode = info.Mode().Type()
					back := func(folder fs.FileInfo) bool { return os.SameFile(folder, info) }
					if m.mode.IsDir() && (!t.follow || slices.ContainsFunc(above, back)) {
						t.links = append(t.links, name)
						continue
					}
				}
			}
			members = append(members, m)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(t.links[links:])
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.name+a.slash(), b.name+b.slash()) })
	return members, nil
}

func (t *tree) file(name string) file { return file{t.root, name} }

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
	f, err := regular.Open(name)
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
