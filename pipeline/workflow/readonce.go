package workflow

import (
	"sync"

	"tftl/pipeline"
)

// Files is images that may be files of their own.
type Files interface {
	pipeline.Encoded
	Path(i int) (path string, ok bool)
}

// ReadOnce keeps the bytes of image files that are needed again, as far as there is
// room, so that they are read once. A nil ReadOnce keeps nothing. It is safe for
// concurrent use.
type ReadOnce struct {
	mu   sync.Mutex
	room int
	read map[string][]byte // by path
}

// NewReadOnce returns a ReadOnce with room for so many bytes.
func NewReadOnce(room int) *ReadOnce { return &ReadOnce{room: room, read: map[string][]byte{}} }

// Images returns images that are kept when they are read. Those that are not files of
// their own are read each time.
func (r *ReadOnce) Images(images Files) Files {
	if r == nil {
		return images
	}
	return kept{images, r}
}

// Drop frees the images that are not wanted, and keeps no more.
func (r *ReadOnce) Drop(wanted map[string]bool) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	left := map[string][]byte{}
	for path, encoded := range r.read {
		if wanted[path] {
			left[path] = encoded
		}
	}
	r.read, r.room = left, 0
}

type kept struct {
	Files
	in *ReadOnce
}

// Bytes reads an image, unless it is kept.
func (k kept) Bytes(i int) ([]byte, error) {
	path, ok := k.Path(i)
	if !ok {
		return k.Files.Bytes(i)
	}
	if encoded, ok := k.in.find(path); ok {
		return encoded, nil
	}
	encoded, err := k.Files.Bytes(i)
	if err == nil {
		k.in.add(path, encoded)
	}
	return encoded, err
}

func (r *ReadOnce) find(path string) (encoded []byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	encoded, ok = r.read[path]
	return encoded, ok
}

func (r *ReadOnce) add(path string, encoded []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(encoded) <= r.room && r.read[path] == nil {
		r.read[path], r.room = encoded, r.room-len(encoded)
	}
}
