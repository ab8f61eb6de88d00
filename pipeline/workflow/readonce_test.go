package workflow_test

import (
	"errors"
	"fmt"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/workflow"
)

// counted counts how often each image is read. The last but one cannot be read, and
// the last is not a file.
type counted struct{ reads []int }

func (c counted) Len() int                 { return len(c.reads) }
func (counted) Sample(int) pipeline.Sample { return pipeline.Sample{} }
func (c counted) Path(i int) (string, bool) {
	return fmt.Sprint(i), i < len(c.reads)-1
}

func (c counted) Bytes(i int) ([]byte, error) {
	c.reads[i]++
	if i == len(c.reads)-2 {
		return nil, errors.New("broken")
	}
	return make([]byte, 10), nil
}

func TestImagesAreReadOnce(t *testing.T) {
	c, once := counted{make([]int, 5)}, workflow.NewReadOnce(25)
	read := func(want ...int) {
		t.Helper()
		images := once.Images(c)
		for i := range c.reads {
			if b, err := images.Bytes(i); (err == nil) != (i != 3) || err == nil && len(b) != 10 {
				t.Errorf("image %d: %d bytes, %v", i, len(b), err)
			}
			if c.reads[i] != want[i] {
				t.Errorf("image %d was read %d times, want %d", i, c.reads[i], want[i])
			}
		}
	}
	read(1, 1, 1, 1, 1)
	read(1, 1, 2, 2, 2) // the third has no room
	once.Drop(map[string]bool{"1": true})
	read(2, 1, 3, 3, 3)
	once = nil
	read(3, 2, 4, 4, 4)
}
