package evaluate

import (
	"sync"

	"tftl/pipeline"
)

// Bytes of images in memory: while a part is measured, for the pictures of some of
// them, and while pictures and heat maps are made. What has no room is read again.
const (
	mostHeld   = 64 << 20
	mostChosen = 256 << 20
)

// held is images that are read only once as long as there is room for them.
type held struct {
	pipeline.Encoded
	mu   sync.Mutex
	room int
	read map[int][]byte
}

// hold returns images that hold up to so many bytes.
func hold(images pipeline.Encoded, room int) *held {
	return &held{Encoded: images, room: room, read: map[int][]byte{}}
}

// Bytes reads an image, unless it is held.
func (h *held) Bytes(i int) ([]byte, error) {
	h.mu.Lock()
	encoded, ok := h.read[i]
	h.mu.Unlock()
	if ok {
		return encoded, nil
	}
	encoded, err := h.Encoded.Bytes(i)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(encoded) <= h.room && h.read[i] == nil {
		h.read[i], h.room = encoded, h.room-len(encoded)
	}
	return encoded, nil
}

// drop frees the images that have no picture.
func (h *held) drop(pictured []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	left := map[int][]byte{}
	for _, i := range pictured {
		if encoded, ok := h.read[i]; ok {
			left[i] = encoded
		}
	}
	h.read, h.room = left, 0
}

// Path is the file that an image is. ok is false if it is none.
func (h *held) Path(i int) (path string, ok bool) {
	if files, is := h.Encoded.(interface{ Path(i int) (string, bool) }); is {
		return files.Path(i)
	}
	return "", false
}
