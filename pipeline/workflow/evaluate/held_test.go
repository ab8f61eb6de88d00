package evaluate

import (
	"errors"
	"testing"

	"tftl/pipeline"
)

// counted counts how often each image is read. The last one cannot be read.
type counted struct{ reads []int }

func (c counted) Len() int                 { return len(c.reads) }
func (counted) Sample(int) pipeline.Sample { return pipeline.Sample{} }
func (c counted) Bytes(i int) ([]byte, error) {
	c.reads[i]++
	if i == len(c.reads)-1 {
		return nil, errors.New("broken")
	}
	return make([]byte, 10), nil
}

func TestHeldImagesAreReadOnce(t *testing.T) {
	c := counted{make([]int, 4)}
	images := hold(c, 25)
	for range 3 {
		for i := range c.reads {
			if b, err := images.Bytes(i); (err == nil) != (i < 3) || err == nil && len(b) != 10 {
				t.Errorf("image %d: %d bytes, %v", i, len(b), err)
			}
		}
	}
	for i, want := range []int{1, 1, 3, 3} { // the third has no room
		if c.reads[i] != want {
			t.Errorf("image %d was read %d times, want %d", i, c.reads[i], want)
		}
	}
}
