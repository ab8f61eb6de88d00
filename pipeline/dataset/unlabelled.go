package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tftl/internal/regular"
	"tftl/pipeline"
)

// Unlabelled lists images without labels, each as soon as it is found. A path is
// one of
//
//   - a folder: all images in it and below it, by the rules of Open
//   - a manifest, of which only the path column is read
//   - any other file, or a pipe: an image, whatever its name. A file or folder
//     of a kind that is never without labels is an error
//   - "-": the paths that stdin lists, one per line
//
// The order is that of the paths, and bytewise within a folder. An image that is
// named twice is listed twice. The ID of an image is the path that it is opened
// by. A path that leads to no image is listed too: reading it gives the error. An
// error of the sequence ends it: stdin is no list of paths, or there are no images
// at all. Of the options, only FollowSymlinks and AllowOutside count. warn gets
// what is left out, while the sequence is read.
func Unlabelled(paths []string, options Options, stdin io.Reader, warn func(pipeline.Message)) iter.Seq2[pipeline.Image, error] {
	return func(yield func(pipeline.Image, error) bool) {
		var first pipeline.Message
		u := &unlabelled{yield: yield, warnings: func(m pipeline.Message) {
			if first.Empty() {
				first = m
			}
			warn(m)
		}}
		for _, p := range paths {
			var err error
			if p == "-" {
				err = u.addLines(stdin, options)
			} else {
				err = u.addPath(p, "", options)
			}
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield(pipeline.Image{}, err)
				return
			}
		}
		if u.count == 0 {
			err := pipeline.Errorf(pipeline.BadData, "no %s found in %s", formats, quoted(paths))
			if !first.Empty() { // about what was left out
				err = pipeline.WithHint(err, "%s", first)
			}
			yield(pipeline.Image{}, err)
		}
	}
}

// unlabelled hands images on as they are found.
type unlabelled struct {
	yield    func(pipeline.Image, error) bool
	warnings func(pipeline.Message)
	count    int
	from     string // goes in front of errors: "standard input: line 3: "
}

// errEnough says that nobody wants more images.
var errEnough = errors.New("enough")

// add adds an image, or the reason why there is none.
func (u *unlabelled) add(name string, read func() ([]byte, error), err error) error {
	u.count++
	if err != nil {
		if u.from != "" {
			err = fmt.Errorf("%s%w", u.from, err)
		}
		read = func() ([]byte, error) { return nil, err }
	}
	image := pipeline.Image{ID: filepath.ToSlash(name), Bytes: func() ([]byte, error) {
		encoded, err := read()
		return encoded, badData(err) // it names the file
	}}
	if !u.yield(image, nil) {
		return errEnough
	}
	return nil
}

func (u *unlabelled) warn(format string, args ...any) { u.warnings(pipeline.Messagef(format, args...)) }

// maxLine is longer than any path that Linux opens.
const maxLine = 1 << 16

// addLines adds what the lines of a list name. Empty lines are skipped.
func (u *unlabelled) addLines(list io.Reader, options Options) error {
	buffered := bufio.NewReader(list)
	_, _ = buffered.Peek(1) // the scanner meets the same error
	if head, _ := buffered.Peek(min(buffered.Buffered(), 16)); imageHead(head) {
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
		if err := u.addPath(name, fmt.Sprintf("standard input: line %d: ", line), options); err != nil {
			return err
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
func (u *unlabelled) addPath(name, from string, options Options) error {
	u.from = from
	at, err := glance(name)
	if err != nil {
		return u.add(name, nil, err)
	}
	for _, s := range slices.Backward(sources()) {
		if s.unlabelled == nil {
			continue
		}
		if ok, err := s.recognizes(at); err != nil {
			return u.add(name, nil, err)
		} else if ok {
			before := u.count
			err := s.unlabelled(at, options, u)
			if err == nil && u.count == before {
				if err := at.needsLabels(); err != nil {
					return u.add(name, nil, err)
				}
			}
			return err
		}
	}
	if err := at.needsLabels(); err != nil {
		return u.add(name, nil, err)
	}
	name = filepath.Clean(name)
	switch {
	case at.mode == 0 && !at.pattern:
		return u.add(name, file{name: name}.read, nil)
	case regular.IsOpenPipe(name):
		return u.add(name, func() ([]byte, error) { return readPipe(name) }, nil)
	case at.pattern:
		err = pipeline.Errorf(pipeline.BadData, "%s: is a pattern: pass the files that match it", name)
	default:
		err = pipeline.Errorf(pipeline.BadData, "%s: is %s, not a file or a folder", name, regular.Kind(at.mode))
	}
	return u.add(name, nil, err)
}

// needsLabels is the error for data of a kind that cannot do without labels. A
// file named like an image is one.
func (at location) needsLabels() error {
	if at.mode == 0 && !at.pattern && imageName(at.path) {
		return nil
	}
	if at.mode.IsDir() {
		var err error
		if at, err = locate(at.path); err != nil {
			return err
		}
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
