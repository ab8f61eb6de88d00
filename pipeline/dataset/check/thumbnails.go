package check

import (
	"fmt"
	"io"
	"os"
)

// thumbnails keeps the thumbnails of images: in memory if they are few, else in a
// temporary file, as hardly any is looked at again.
type thumbnails struct {
	memory []grey
	file   *os.File
}

// fewThumbnails take 32 MiB.
const fewThumbnails = 1 << 15

func newThumbnails(n int) (t thumbnails, err error) {
	if n <= fewThumbnails {
		t.memory = make([]grey, n)
		return t, nil
	}
	if t.file, err = os.CreateTemp("", "tftl-thumbnails-"); err != nil {
		return t, fmt.Errorf("thumbnails of %d images: %w", n, err)
	}
	return t, os.Remove(t.file.Name()) // the space is free again once it is closed
}

// put keeps the thumbnail of image i.
func (t thumbnails) put(i int, g *grey) error {
	if t.file == nil {
		t.memory[i] = *g
		return nil
	}
	_, err := t.file.WriteAt(g[:], int64(i)*int64(len(g)))
	return err
}

// get reads the thumbnail of image i.
func (t thumbnails) get(i int, g *grey) error {
	if t.file == nil {
		*g = t.memory[i]
		return nil
	}
	_, err := io.ReadFull(io.NewSectionReader(t.file, int64(i)*int64(len(g)), int64(len(g))), g[:])
	return err
}

// Close frees the space.
func (t thumbnails) Close() {
	if t.file != nil {
		_ = t.file.Close()
	}
}
