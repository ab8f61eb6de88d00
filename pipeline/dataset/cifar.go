package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"tftl/internal/regular"
	"tftl/pipeline"
)

// cifar is CIFAR-10 or CIFAR-100 in the binary version: files of records of
// equal length, first the labels, then 32 x 32 pixels as planes.
type cifar struct {
	name   string
	names  string // the file that lists its classes, one per line
	labels int    // bytes of labels, of which the last is the class
}

const (
	cifarSide   = 32
	cifarPixels = 3 * cifarSide * cifarSide
)

func (c cifar) record() int { return c.labels + cifarPixels }

// cifars is the kind of either data set.
func cifars() source {
	return source{
		Kind: Kind{
			Name:    "CIFAR",
			Usage:   "a folder of CIFAR-10 or CIFAR-100 in the binary version",
			Example: "cifar-10-batches-bin",
		},
		recognizes: func(at location) (bool, error) {
			_, ok := cifarFormat(at.names())
			return ok && at.mode.IsDir(), nil
		},
		list: listCIFAR,
	}
}

// cifarFormat goes by the names of a folder's files.
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

// cifarPart is the part that a file of this name holds.
func cifarPart(name string) (p part, ok bool) {
	if batch, _ := path.Match("data_batch_*.bin", name); batch || name == "train.bin" {
		return train, true
	}
	return test, name == "test_batch.bin" || name == "test.bin"
}

func listCIFAR(at location, _ Options) (listing, error) {
	c, _ := cifarFormat(at.names())
	l := listing{root: at.path, what: c.name + ", binary version", ownParts: true}
	text, err := regular.Read(filepath.Join(at.path, c.names), maxLabels)
	if err != nil {
		return l, pipeline.WithHint(err, "%s comes with this file, which names the classes", c.name)
	}
	classes := strings.Fields(string(text))
	used := []string{filepath.Join(at.path, c.names)}
	for _, full := range at.files {
		name := filepath.Base(full)
		p, batch := cifarPart(name)
		if !batch {
			continue
		}
		used = append(used, full)
		labels, err := readCIFARFile(full, c, len(classes))
		if err != nil {
			return l, err
		}
		for i, label := range labels {
			id := numbered(name, i)
			pixels := planes{full, int64(i*c.record() + c.labels)}
			l.parts[p] = append(l.parts[p], item{id: id, class: classes[label], key: id, weight: 1, stored: pixels})
		}
	}
	l.leaveOut(at, used)
	return l, nil
}

func readCIFARFile(name string, c cifar, classes int) ([]byte, error) {
	f, err := regular.Open(name)
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
			err = fmt.Errorf("label %d, but there are %d classes", record[c.labels-1], classes)
		}
		if err != nil {
			return nil, fmt.Errorf("record at byte %d: %w", offset, err)
		}
		if labels = append(labels, record[c.labels-1]); len(labels) > maxRecords {
			return nil, fmt.Errorf("has more records than the limit of %d", maxRecords)
		}
	}
}

// planes is an image that is stored in a CIFAR file as planes of pixels.
type planes struct {
	path   string
	offset int64
}

func (p planes) read() ([]byte, error) {
	f, err := regular.Open(p.path)
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

// numbered is the ID of image i in a file that holds many. Sorted bytewise, IDs
// are in the order of the file.
func numbered(file string, i int) string { return fmt.Sprintf("%s#%06d", file, i) }
