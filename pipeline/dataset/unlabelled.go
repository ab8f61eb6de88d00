package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"tftl/pipeline"
)

// OpenUnlabelled lists images without a label (Sample.Label is -1), all in Test.
// A path names
//
// a file or a pipe, which is an image whatever its name,
//
// a folder, for all images in it and below it; Open's rules hold,
//
// a manifest, whose column path is read as Open does, and no other,
//
// or, where it is "-", what the lines of stdin name, one a line.
//
// The order is that of the paths, bytewise within a folder; Sample.ID is the
// path by which the file is opened, and an image that is named twice is there
// once, unless one manifest names it twice: that is an error, as it is for Open.
// Of the options, FollowSymlinks and AllowOutside count.
func OpenUnlabelled(paths []string, options Options, stdin io.Reader) (*Set, error) {
	l := listing{what: "images without labels"}
	for _, p := range paths {
		var err error
		if p == "-" {
			err = l.addLines(stdin, options)
		} else {
			err = l.addUnlabelled(p, options)
		}
		if err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	named := len(l.parts[test])
	l.parts[test] = slices.DeleteFunc(l.parts[test], func(im item) bool {
		again := seen[im.id]
		seen[im.id] = true
		return again
	})
	if again := named - len(l.parts[test]); again > 0 {
		l.warn("images that were named more than once are there once: %d left out", again)
	}
	if len(l.parts[test]) == 0 {
		err := pipeline.Errorf(pipeline.BadData, "no %s found in %s", formats, quoted(paths))
		if len(l.warnings) > 0 { // of what was left out
			err = pipeline.WithHint(err, "%s", l.warnings[0])
		}
		return nil, err
	}
	return l.set(nil), nil
}

// maxLine is longer than any path that Linux opens.
const maxLine = 1 << 16

// addLines lists what the lines of a list name. Empty ones are passed over.
func (l *listing) addLines(list io.Reader, options Options) error {
	buffered := bufio.NewReader(list)
	if head, _ := buffered.Peek(16); imageHead(head) { // an error of it is the scanner's, too
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "standard input: is an image, not a list of paths"),
			"give the image's name; a pipe's, such as /dev/stdin, is one")
	}
	lines := bufio.NewScanner(buffered)
	lines.Buffer(nil, maxLine)
	line := 1
	for ; lines.Scan(); line++ {
		name := strings.TrimSuffix(lines.Text(), "\r")
		if line == 1 {
			name = strings.TrimPrefix(name, "\ufeff")
		}
		if name == "" {
			continue
		}
		if strings.Contains(name, "\x00") {
			return pipeline.Errorf(pipeline.BadData, "standard input: line %d: has a zero byte, which no path has: one path a line is wanted", line)
		}
		if err := l.addUnlabelled(name, options); err != nil {
			return fmt.Errorf("standard input: line %d: %w", line, err)
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return pipeline.Errorf(pipeline.BadData, "standard input: line %d: is longer than any path", line)
	}
	return err
}

// addUnlabelled lists a file, all images in a folder, or those of a manifest.
func (l *listing) addUnlabelled(name string, options Options) error {
	info, err := os.Stat(name)
	if err != nil {
		return pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	if info.IsDir() {
		return l.addFolder(name, options)
	}
	if comma, ok := manifestComma(name); ok && info.Mode().IsRegular() {
		return l.addManifest(name, comma, options)
	}
	name = filepath.Clean(name)
	switch kind := info.Mode().Type(); kind {
	case 0:
		l.addFile(name)
	case fs.ModeNamedPipe:
		l.addImage(name, piped(sync.OnceValues(func() ([]byte, error) { return readPipe(name) })))
	default:
		return pipeline.Errorf(pipeline.BadData, "%s: is no file, folder or pipe", name)
	}
	return nil
}

// piped is an image that can be read but once: its bytes are kept.
type piped func() ([]byte, error)

func (p piped) read() ([]byte, error) { return p() }

func readPipe(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		err = fmt.Errorf("%s: is more than the limit of %d bytes", name, maxBytes)
	}
	return data, err
}

func (l *listing) addFile(name string) { l.addImage(name, file(name)) }

func (l *listing) addImage(name string, stored stored) {
	l.parts[test] = append(l.parts[test], item{id: filepath.ToSlash(name), weight: 1, stored: stored})
}

func (l *listing) addFolder(name string, options Options) error {
	t, err := walk(name, options.FollowSymlinks)
	if err != nil {
		return err
	}
	for _, image := range t.images {
		l.addFile(string(t.file(image)))
	}
	l.ignored += t.ignored
	l.others = l.others.and(t.others)
	if len(t.unread) > 0 {
		l.warn("%s: images whose format is not read are left out: %s", name, t.unread.unreadable())
	}
	if len(t.links) > 0 {
		l.warn("%s: linked folders were not followed, and what they hold is left out (--follow-symlinks): %s", name, quoted(t.links))
	}
	return nil
}

func (l *listing) addManifest(name string, comma rune, options Options) error {
	f, err := os.Open(name)
	if err != nil {
		return pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	defer f.Close()
	m, err := readManifest(f, comma, false, nil)
	if err != nil {
		return pipeline.Errorf(pipeline.BadData, "%s: %w", name, err)
	}
	folder, err := newManifestFolder(name, options.AllowOutside)
	if err != nil {
		return err
	}
	for _, r := range m.rows {
		_, image, err := folder.find(r)
		if err != nil {
			return err
		}
		l.addFile(image)
	}
	return nil
}
