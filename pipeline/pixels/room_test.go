package pixels

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/semaphore"

	"tftl/pipeline"
)

// However many workers there are, decoded images of the largest size wait for each
// other.
func TestLargeImagesWaitForRoom(t *testing.T) {
	d := newDecoder(t, 4)
	d.most = max(maxPixels, 4*pixelsPerWorker)
	d.room = semaphore.NewWeighted(d.most)
	for _, c := range []struct {
		name  string
		first Header
		next  Header
		waits bool
	}{
		{"two of the largest", Header{Pixels: maxPixels}, Header{Pixels: maxPixels}, true},
		{"a photograph after the largest", Header{Pixels: maxPixels - 12e6}, Header{Pixels: 12e6}, false},
		{"a progressive one takes three times as much", Header{Pixels: maxPixels / 2, scans: true}, Header{Pixels: 1}, true},
		{"photographs", Header{Pixels: 50e6}, Header{Pixels: 24e6}, false},
	} {
		first, next := d.weight(c.first), d.weight(c.next)
		if !d.room.TryAcquire(first) {
			t.Fatalf("%s: has no room", c.name)
		}
		fits := d.room.TryAcquire(next)
		if fits == c.waits {
			t.Errorf("%s: waits is %t, want %t", c.name, !fits, c.waits)
		}
		if d.room.Release(first); fits {
			d.room.Release(next)
		}
	}
}

func TestWaitingChangesNoPixels(t *testing.T) {
	encoded := slices.Repeat([][]byte{read(t, "picture.jpg"), read(t, "picture.png"), read(t, "picture.gif")}, 4)
	free, narrow := newDecoder(t, 4), newDecoder(t, 4)
	narrow.most, narrow.room = 1, semaphore.NewWeighted(1) // one image at a time
	want, err := free.Decode(t.Context(), encoded, samples(12))
	if err != nil {
		t.Fatal(err)
	}
	got, err := narrow.Decode(t.Context(), encoded, samples(12))
	if err != nil || !slices.Equal(got.Data, want.Data) || !slices.Equal(got.Samples, want.Samples) {
		t.Errorf("decoded one at a time, the images differ: %v", err)
	}
}

// That an image cannot be resized is the model's fault, which says how.
func TestAnErrorOfResizingIsTheModels(t *testing.T) {
	d, err := NewDecoder(Options{Height: 8, Width: 8, Interpolation: "area", Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.options.Height = 9 // which the graph does not make
	_, err = d.Decode(t.Context(), [][]byte{read(t, "picture.jpg")}, samples(1))
	if pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), "cannot resize") {
		t.Errorf("got %v of kind %d", err, pipeline.KindOf(err))
	}
	for _, size := range [][2]int{{0, 8}, {8, -1}, {1 << 40, 1}, {1 << 30, 1 << 34}, {20000, 20000}} {
		if _, err := NewDecoder(Options{Height: size[0], Width: size[1], Interpolation: "area"}); pipeline.KindOf(err) != pipeline.BadModel {
			t.Errorf("%v: %v", size, err)
		}
	}
	if _, err := NewDecoder(Options{Height: 8, Width: 8, Interpolation: "area", Workers: 1025}); pipeline.KindOf(err) != pipeline.BadUsage || err.Error() != "workers 1025: must be at most 1024" {
		t.Error(err)
	}
}

// Each scan of a JPEG goes over the whole image, so a small file may take hours.
func TestScansAreLimited(t *testing.T) {
	image := read(t, "picture.jpg")
	frame := slices.Index(image, 0xc0) // the marker SOF0
	if frame < 0 || image[frame-1] != 0xff {
		t.Fatal("the picture has no baseline frame")
	}
	progressive := bytes.Clone(image)
	progressive[frame] = 0xc2
	single := append(bytes.Clone(image), bytes.Repeat([]byte("\xff\xda\x00\x08"), maxScans)...)
	if _, err := admit(single); err != nil {
		t.Errorf("an image of one scan: %v", err)
	}
	for name, c := range map[string]struct {
		image []byte
		scans int
		want  string
	}{
		"ten": {progressive, 10, ""},
		"500": {progressive, 499, ""},
		"501": {progressive, 500, "its 501 scans of "},
	} {
		_, err := admit(append(bytes.Clone(c.image), bytes.Repeat([]byte("\xff\xda\x00\x08"), c.scans)...))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	large := bytes.Clone(progressive)
	copy(large[frame+4:], "\x30\x00\x30\x00") // 12288 x 12288
	if _, err := admit(append(large, bytes.Repeat([]byte("\xff\xda\x00\x08"), 30)...)); err == nil || !strings.Contains(err.Error(), "31 scans of 12288 x 12288 pixels take too long") {
		t.Error(err)
	}
}

func TestBlocksOfAGIFAreLimited(t *testing.T) {
	gif := read(t, "picture.gif")
	head := gif[:13+colours(gif[10])]
	many := append(bytes.Clone(head), bytes.Repeat([]byte{0x21, 0xfe, 1, 'x', 0}, maxGIFBlocks+1)...)
	if _, err := admit(many); err == nil || !strings.Contains(err.Error(), "more than 1048576 frames and blocks") {
		t.Error(err)
	}
	if _, err := admit(gif); err != nil {
		t.Error(err)
	}
}
