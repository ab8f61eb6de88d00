package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"tftl/pipeline"
)

// cifar is one of the two data sets in their binary form: files of records of
// one length, labels first, then 32 x 32 pixels as planes.
type cifar struct {
	name   string
	names  string // the file of its classes, one a line
	labels int    // bytes of labels; the last is the class
}

const (
	cifarSide   = 32
	cifarPixels = 3 * cifarSide * cifarSide
)

func (c cifar) record() int { return c.labels + cifarPixels }

// cifarFormat tells by the names of a folder's files whether it is one.
func cifarFormat(files []string) (c cifar, ok bool) {
	for _, name := range files {
		if batch, _ := path.Match("*_batch*.bin", name); batch {
			return cifar{"CIFAR-10", "batches.meta.txt", 1}, true
		}
		if name == "fine_label_names.txt" {
			return cifar{"CIFAR-100", name, 2}, true
		}
	}
	return cifar{}, false
}

// cifarPart tells which part a file of this name holds.
func cifarPart(name string) (p part, ok bool) {
	if batch, _ := path.Match("data_batch_*.bin", name); batch || name == "train.bin" {
		return train, true
	}
	return test, name == "test_batch.bin" || name == "test.bin"
}

func listCIFAR(root string, c cifar, files []string) (listing, error) {
	l := listing{root: root, what: c.name + " in its binary form", split: true}
	text, err := os.ReadFile(filepath.Join(root, c.names))
	if err != nil {
		err := pipeline.Errorf(pipeline.BadData, "%w", err)
		return l, pipeline.WithHint(err, "%s comes with the classes' names in it", c.name)
	}
	classes := strings.Fields(string(text))
	for _, name := range files {
		p, batch := cifarPart(name)
		if !batch {
			continue
		}
		full := filepath.Join(root, name)
		labels, err := readCIFARFile(full, c, len(classes))
		if err != nil {
			return l, pipeline.Errorf(pipeline.BadData, "%w", err)
		}
		for i, label := range labels {
			id := numbered(name, i)
			pixels := planes{full, int64(i*c.record() + c.labels)}
			l.parts[p] = append(l.parts[p], item{id: id, class: classes[label], key: id, weight: 1, stored: pixels})
		}
	}
	return l, nil
}

func readCIFARFile(name string, c cifar, classes int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	labels, err := readCIFAR(f, c, classes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return labels, nil
}

// readCIFAR reads the labels of a file's records. An error names the offset.
func readCIFAR(r io.Reader, c cifar, classes int) (labels []byte, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	record := make([]byte, c.record())
	for offset := int64(0); ; offset += int64(len(record)) {
		_, err := io.ReadFull(in, record)
		switch {
		case errors.Is(err, io.EOF):
			return labels, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			err = errors.New("the file ends within it")
		case err == nil && int(record[c.labels-1]) >= classes:
			err = fmt.Errorf("label %d of %d classes", record[c.labels-1], classes)
		}
		if err != nil {
			return nil, fmt.Errorf("record at byte %d: %w", offset, err)
		}
		labels = append(labels, record[c.labels-1])
	}
}

// planes is an image that lies in a CIFAR file as planes of pixels.
type planes struct {
	path   string
	offset int64
}

func (p planes) read() ([]byte, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pixels := make([]byte, cifarPixels)
	if _, err := f.ReadAt(pixels, p.offset); err != nil {
		return nil, fmt.Errorf("%s: image at byte %d: %w", p.path, p.offset, err)
	}
	return bmp(pixels, cifarSide, cifarSide), nil
}

// numbered is the ID of image i of a file that holds many. Bytewise order is
// that of the file.
func numbered(file string, i int) string { return fmt.Sprintf("%s#%06d", file, i) }
