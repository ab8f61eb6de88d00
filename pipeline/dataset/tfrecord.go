package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/regular"
	"tftl/internal/tfrecord"
	"tftl/pipeline"
)

// The features of an example, as ImageNet's TFRecord files have them.
const (
	imageFeature = "image/encoded"
	labelFeature = "image/class/label"
	textFeature  = "image/class/text"
	nameFeature  = "image/filename"
)

// tfrecords is the kind of TFRecord files of tf.train.Example with ImageNet's
// features. Files named after parts (train-00000-of-00010) are those parts.
func tfrecords() source {
	return source{
		Kind: Kind{
			Name:    "TFRecord",
			Usage:   "TFRecord files: one, a folder of them or a quoted pattern",
			Example: "'flowers/train-*'",
		},
		recognizes: recognizeTFRecord,
		list:       listTFRecord,
	}
}

// recognizeTFRecord goes by the names in a folder, and otherwise by what the
// files begin with too. One match is enough for a pattern.
func recognizeTFRecord(at location) (bool, error) {
	if at.mode.IsDir() {
		return len(tfrecordNames(at.files)) > 0, nil
	}
	for _, file := range at.files {
		if is, err := isTFRecord(file); is || err != nil {
			return is, err
		}
	}
	return false, nil
}

// isTFRecord goes by a file's name, or else by its first bytes.
func isTFRecord(name string) (bool, error) {
	if len(tfrecordNames([]string{filepath.Base(name)})) > 0 {
		return true, nil
	}
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() { // reading a pipe might block
		return false, err
	}
	f, err := regular.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	if gzipped(in) {
		unzip, err := gzip.NewReader(in)
		if err != nil {
			return false, nil //nolint:nilerr // then it is something else
		}
		in = bufio.NewReader(unzip)
	}
	head, _ := in.Peek(12) // fewer bytes are not a record
	return tfrecord.IsHeader(head), nil
}

// tfrecordNames keeps the names of TFRecord files: *.tfrecord, *.tfrecords and
// *-00000-of-00010, with or without .gz.
func tfrecordNames(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		stem := strings.TrimSuffix(name, ".gz")
		_, _, _, shard := shardNumber(stem)
		return !shard && !strings.HasSuffix(stem, ".tfrecord") && !strings.HasSuffix(stem, ".tfrecords")
	})
}

// listTFRecord reads all files once: a record's class is inside it, among
// everything else.
func listTFRecord(at location, _ Options) (listing, error) {
	files := at.files
	if at.mode.IsDir() {
		files = tfrecordNames(files)
	}
	slices.Sort(files)
	l := listing{root: at.path}
	for _, name := range files {
		if is, err := isTFRecord(name); err != nil {
			return l, err
		} else if !is {
			return l, fmt.Errorf("%s: %s is not a TFRecord file", at.path, name)
		}
	}
	l.leaveOut(at, files)
	shards, err := l.shards(at, files)
	if err != nil {
		return l, err
	}
	r := reader{left: maxInflated, names: map[int64]string{}}
	var found [3][]example
	for _, s := range shards {
		if found[s.part], err = r.file(found[s.part], s.path, s.name); err != nil {
			return l, err
		}
	}
	classes := r.classes()
	for p, examples := range found {
		for _, e := range examples {
			l.parts[p] = append(l.parts[p], e.item(classes))
		}
	}
	l.what = fmt.Sprintf("TFRecord, %d files", len(files))
	if len(files) == 1 {
		l.what = "TFRecord, 1 file"
	}
	if r.compressed {
		l.what += ", GZIP"
	}
	if l.ownParts {
		l.what += ", parts by file name"
	}
	return l, nil
}

// example is what a record says about its image, and where the image is.
type example struct {
	id, text, filename string
	label              int64 // -1 for none
	stored             stored
}

// item is the example with the name of its class.
func (e example) item(classes map[int64]string) item {
	class, ok := classes[e.label]
	if !ok {
		class = e.text
	}
	key := e.id
	if e.filename != "" { // it does not depend on how examples are dealt into files
		key = class + "/" + e.filename
	}
	return item{id: e.id, class: class, key: key, weight: 1, stored: e.stored}
}

// reader reads a data set's files one after another.
type reader struct {
	left       int64            // bytes that may still be decompressed
	names      map[int64]string // text by label; empty if no example of it had one
	compressed bool
}

// file adds the examples of one file.
func (r *reader) file(to []example, name, short string) ([]example, error) {
	f, err := regular.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return r.records(to, bufio.NewReaderSize(f, 1<<18), name, short)
}

// records adds the examples of one file's contents. An error names the file
// and the offset, counted in decompressed bytes if the file is compressed.
func (r *reader) records(to []example, in *bufio.Reader, name, short string) ([]example, error) {
	var source io.Reader = in
	where, inflated := name, false
	if gzipped(in) {
		packed := &counted{Reader: in}
		unzip, err := gzip.NewReader(packed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r.compressed = true
		where, inflated = name+", decompressed", true
		source = bufio.NewReader(&limited{counted{Reader: unzip}, packed, &r.left})
	}
	for i, offset := 0, int64(0); ; i++ {
		data, next, err := tfrecord.Read(source, offset)
		if errors.Is(err, io.EOF) {
			return to, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		e, image, err := readExample(data)
		if err == nil {
			err = r.know(e)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: record at byte %d: %w", where, offset, err)
		}
		e.id, e.stored = numbered(short, i), record{name, offset}
		if inflated {
			e.stored = held(image)
		}
		to = append(to, e)
		offset = next
	}
}

// gzipped says whether GZIP data follows. A record could start with the same
// bytes, as its length.
func gzipped(in *bufio.Reader) bool {
	head, _ := in.Peek(12) // or fewer, if there are no more
	return bytes.HasPrefix(head, []byte("\x1f\x8b")) && !tfrecord.IsHeader(head)
}

// know keeps the name of a label, which must not have two.
func (r *reader) know(e example) error {
	known, again := r.names[e.label]
	switch {
	case e.label < 0:
	case known == "":
		r.names[e.label] = e.text
	case again && e.text != "" && e.text != known:
		return fmt.Errorf("label %d is %q here but was %q before", e.label, e.text, known)
	}
	return nil
}

// classes names every label: by its text, by its number if it has no text, or
// by both if labels share a text, as ImageNet's two cranes do.
func (r *reader) classes() map[int64]string {
	count := map[string]int{}
	for _, text := range r.names {
		count[text]++
	}
	classes := make(map[int64]string, len(r.names))
	for label, text := range r.names {
		switch {
		case text == "":
			classes[label] = strconv.FormatInt(label, 10)
		case count[text] > 1:
			classes[label] = fmt.Sprintf("%s (%d)", text, label)
		default:
			classes[label] = text
		}
	}
	return classes
}

// readExample reads a record. The image shares its memory.
func readExample(data []byte) (e example, image []byte, err error) {
	features, err := tfrecord.ParseExample(data)
	if err != nil {
		return e, nil, err
	}
	image, err = oneBytes(features, imageFeature)
	if err == nil && len(image) == 0 {
		err = fmt.Errorf("has no %s", imageFeature)
	}
	if err != nil {
		return e, nil, err
	}
	text, err := oneBytes(features, textFeature)
	if err != nil {
		return e, nil, err
	}
	filename, err := oneBytes(features, nameFeature)
	if err != nil {
		return e, nil, err
	}
	e = example{text: strings.TrimSpace(string(text)), filename: string(filename), label: -1}
	labels, err := features[labelFeature].Ints()
	switch {
	case err != nil:
	case len(labels) > 1:
		err = fmt.Errorf("%s has %d values, not one", labelFeature, len(labels))
	case len(labels) == 1 && labels[0] >= 0:
		e.label = labels[0]
	case len(labels) == 1:
		err = fmt.Errorf("%s is %d", labelFeature, labels[0])
	case e.text == "":
		err = fmt.Errorf("has neither %s nor %s", labelFeature, textFeature)
	}
	return e, image, err
}

// oneBytes is a feature's only value, or nil if it has none.
func oneBytes(features tfrecord.Example, name string) ([]byte, error) {
	values, err := features[name].Bytes()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(values) > 1:
		return nil, fmt.Errorf("%s has %d values, not one", name, len(values))
	case len(values) == 0:
		return nil, nil
	}
	return values[0], nil
}

// record is an image in an example of an uncompressed file.
type record struct {
	path   string
	offset int64
}

func (r record) read() ([]byte, error) {
	f, err := regular.Open(r.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, _, err := tfrecord.Read(io.NewSectionReader(f, r.offset, math.MaxInt64-r.offset), r.offset)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("record at byte %d: the file ends before it", r.offset)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	_, image, err := readExample(data)
	if err != nil {
		return nil, fmt.Errorf("%s: record at byte %d: %w", r.path, r.offset, err)
	}
	return image, nil
}

// held is an image that is kept in memory.
type held string

func (h held) read() ([]byte, error) { return []byte(h), nil }

// counted counts what is read.
type counted struct {
	io.Reader
	bytes int64
}

func (c *counted) Read(into []byte) (int, error) {
	n, err := c.Reader.Read(into)
	c.bytes += int64(n)
	return n, err
}

// limited reads until nothing is left, or until more comes out of a compressed file
// than images would make of it, whose own formats leave little to compress.
type limited struct {
	counted
	packed *counted
	left   *int64
}

func (l *limited) Read(into []byte) (int, error) {
	if l.bytes > freelyInflated && l.bytes/mostInflation > l.packed.bytes {
		err := pipeline.Errorf(pipeline.BadData, "it decompresses to more than %d times its size", mostInflation)
		return 0, pipeline.WithHint(err, "if that is right, decompress the file: images are then read when needed")
	}
	if *l.left <= 0 {
		err := pipeline.Errorf(pipeline.BadData, "the GZIP files hold more than 2 GiB, which is the limit for what is kept in memory")
		return 0, pipeline.WithHint(err, "decompress the files: images are then read when needed")
	}
	n, err := l.counted.Read(into[:min(int64(len(into)), *l.left)])
	*l.left -= int64(n)
	return n, err
}
