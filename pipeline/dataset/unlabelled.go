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

// OpenUnlabelled lists images without labels (Sample.Label is -1), all in Test.
// A path is one of
//
//   - a folder: all images in it and below it, by the rules of Open
//   - a manifest, of which only the path column is read
//   - any other file, or a pipe: an image, whatever its name. A file or folder
//     of a kind that is never without labels is an error
//   - "-": the paths that stdin lists, one per line
//
// The order is that of the paths, and bytewise within a folder. Sample.ID is
// the path that the file is opened by. An image that is named twice is listed
// once, but as for Open it is an error if one manifest names it twice. Of the
// options, only FollowSymlinks and AllowOutside count.
func OpenUnlabelled(paths []string, options Options, stdin io.Reader) (*Set, error) {
	l := listing{what: "images without labels"}
	for _, p := range paths {
		var err error
		if p == "-" {
			err = l.addLines(stdin, options)
		} else {
			err = l.addPath(p, options)
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
		l.warn("images that were named more than once are listed once: %d left out", again)
	}
	if len(l.parts[test]) == 0 {
		err := pipeline.Errorf(pipeline.BadData, "no %s found in %s", formats, quoted(paths))
		if len(l.warnings) > 0 { // about what was left out
			err = pipeline.WithHint(err, "%s", l.warnings[0])
		}
		return nil, err
	}
	return l.set(nil), nil
}

// maxLine is longer than any path that Linux opens.
const maxLine = 1 << 16

// addLines adds what the lines of a list name. Empty lines are skipped.
func (l *listing) addLines(list io.Reader, options Options) error {
	buffered := bufio.NewReader(list)
	if head, _ := buffered.Peek(16); imageHead(head) { // the scanner meets the same error
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "standard input: is an image, not a list of paths"),
			"pass the image's name; a pipe has one too, such as /dev/stdin")
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
			return pipeline.Errorf(pipeline.BadData, "standard input: line %d: has a zero byte, which no path has: write one path per line", line)
		}
		if err := l.addPath(name, options); err != nil {
			return fmt.Errorf("standard input: line %d: %w", line, err)
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return pipeline.Errorf(pipeline.BadData, "standard input: line %d: is longer than any path", line)
	}
	return err
}

// addPath adds what a source lists without labels. Any other file is an image,
// unless it is of a kind that needs labels. So is a folder that has no images.
func (l *listing) addPath(name string, options Options) error {
	at, err := locate(name)
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(sources()) {
		if s.unlabelled == nil {
			continue
		}
		ok, err := s.recognizes(at)
		if err != nil {
			return badData(err)
		}
		if ok {
			found, err := s.unlabelled(at, options)
			if err == nil && len(found.parts[test]) == 0 {
				err = at.needsLabels()
			}
			l.parts[test] = append(l.parts[test], found.parts[test]...)
			l.join(found)
			return badData(err)
		}
	}
	if err := at.needsLabels(); err != nil {
		return err
	}
	name = filepath.Clean(name)
	switch {
	case at.mode == 0 && !at.pattern:
		l.addUnlabelled(name, file(name))
	case at.mode == fs.ModeNamedPipe:
		l.addUnlabelled(name, piped(sync.OnceValues(func() ([]byte, error) { return readPipe(name) })))
	case at.pattern:
		return pipeline.Errorf(pipeline.BadData, "%s: is a pattern: pass the files that match it", name)
	default:
		return pipeline.Errorf(pipeline.BadData, "%s: is not a file, a folder or a pipe", name)
	}
	return nil
}

// needsLabels is the error for data of a kind that cannot do without labels. A
// file named like an image is one.
func (at location) needsLabels() error {
	if at.mode == 0 && !at.pattern && imageName(at.path) {
		return nil
	}
	for _, s := range slices.Backward(sources()) {
		if s.unlabelled != nil {
			continue
		}
		if is, err := s.recognizes(at); err == nil && is { // an unreadable file is reported with the images
			err := pipeline.Errorf(pipeline.BadData, "%s: is %s data, which tftl predict does not take", at.path, s.Name)
			return pipeline.WithHint(err, "pass images, or %s", Usage(UnlabelledKinds()))
		}
	}
	return nil
}

// addUnlabelled adds one image.
func (l *listing) addUnlabelled(name string, stored stored) {
	l.parts[test] = append(l.parts[test], item{id: filepath.ToSlash(name), weight: 1, stored: stored})
}

// piped is an image that can be read only once, so its bytes are kept.
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
		err = fmt.Errorf("%s: has more than the limit of %d bytes", name, maxBytes)
	}
	return data, err
}
