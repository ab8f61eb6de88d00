package pixels

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tftl/pipeline"
)

const formats = "../../build/testdata/formats"

// newDecoder makes a decoder to 8x6 pixels, which is closed when the test ends.
func newDecoder(t *testing.T, workers int) *Decoder {
	t.Helper()
	d, err := NewDecoder(Options{Height: 6, Width: 8, Interpolation: "bilinear", Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	encoded, err := os.ReadFile(filepath.Join(formats, name))
	if err != nil {
		t.Fatalf("%v (make test makes it)", err)
	}
	return encoded
}

// samples returns n samples.
func samples(n int) []pipeline.Sample {
	list := make([]pipeline.Sample, n)
	for i := range list {
		list[i] = pipeline.Sample{ID: fmt.Sprintf("red/%d.jpg", i), Label: i, Weight: 1}
	}
	return list
}

func TestEveryFormatWhateverItsName(t *testing.T) {
	d := newDecoder(t, 0)
	entries, err := os.ReadDir(formats)
	if err != nil {
		t.Fatal(err)
	}
	want, err := d.Decode(t.Context(), [][]byte{read(t, "picture.png")}, samples(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got, err := d.Decode(t.Context(), [][]byte{read(t, e.Name())}, samples(1))
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
			continue
		}
		// They all show one picture; JPEG, GIF and WebP are lossy.
		for i := range want.Data {
			if diff := got.Data[i] - want.Data[i]; diff < -12 || diff > 12 {
				t.Errorf("%s: value %d is %g, in the PNG %g", e.Name(), i, got.Data[i], want.Data[i])
				break
			}
		}
	}
	if len(entries) < 7 {
		t.Errorf("only %d pictures", len(entries))
	}
}

func TestBatchIsInOrder(t *testing.T) {
	d := newDecoder(t, 3)
	names := []string{"picture.jpg", "picture.gif", "picture.webp", "picture.bmp", "picture.jpg", "picture.png"}
	var encoded [][]byte
	var want []float32
	for _, name := range names {
		encoded = append(encoded, read(t, name))
		one, err := d.Decode(t.Context(), encoded[len(encoded)-1:], samples(1))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, one.Data...)
	}
	given := samples(len(names))
	got, err := d.Decode(t.Context(), encoded, given)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Samples, given) || !slices.Equal(got.Shape, []int64{6, 6, 8, 3}) {
		t.Errorf("samples %v, shape %v", got.Samples, got.Shape)
	}
	comparePixels(t, got.Data, want)
	given[0].ID = "changed"
	if got.Samples[0].ID == "changed" {
		t.Error("the batch does not own its samples")
	}
}

func TestManyMayDecodeAtOnce(t *testing.T) {
	d := newDecoder(t, 2)
	encoded := [][]byte{read(t, "picture.jpg"), read(t, "picture.png")}
	want, err := d.Decode(t.Context(), encoded, samples(2))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				got, err := d.Decode(t.Context(), encoded, samples(2))
				if err != nil || !slices.Equal(got.Data, want.Data) {
					t.Errorf("other pixels, or %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Errors are one line that names the sample and says what is wrong.
func TestBadImages(t *testing.T) {
	d := newDecoder(t, 2)
	whole := read(t, "picture.jpg")
	text := []byte("this is no picture, though it is long enough to be taken for one\n")
	cases := map[string]struct {
		encoded []byte
		want    string
	}{
		"empty":         {nil, "the file is empty"},
		"text":          {text, "is not a JPEG, PNG, BMP, GIF or WebP image"},
		"one byte":      {whole[:1], "is not a JPEG, PNG, BMP, GIF or WebP image"},
		"JPEG's start":  {whole[:20], "is a damaged"},
		"text behind":   {append(slices.Clone(whole[:3]), text...), "is a damaged"},
		"HTML page":     {[]byte("<!DOCTYPE html><html></html>"), "is an HTML page"},
		"zeros":         {make([]byte, 1000), "is not a JPEG"},
		"no such image": {[]byte("BM"), "is a damaged"},
	}
	for _, extension := range []string{"jpg", "png", "bmp", "gif", "webp"} {
		encoded := read(t, "picture."+extension)
		cases["half a "+extension] = struct {
			encoded []byte
			want    string
		}{encoded[:len(encoded)/2], "is a damaged"}
	}
	unmarked, err := os.ReadFile("../../build/testdata/traits/cmyk-unmarked.jpg")
	if err != nil {
		t.Fatal(err)
	}
	marked, err := os.ReadFile("../../build/testdata/traits/cmyk.jpg")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admit(marked); err != nil {
		t.Errorf("CMYK with Adobe's marker: %v", err)
	}
	cases["CMYK without a marker"] = struct {
		encoded []byte
		want    string
	}{unmarked, "is a CMYK JPEG without Adobe's marker, which is not supported: convert it to RGB"}
	cases["no end marker"] = struct {
		encoded []byte
		want    string
	}{whole[:len(whole)-2], "is a damaged JPEG: it ends without an end marker"}
	for name, test := range cases {
		_, err := d.Decode(t.Context(), [][]byte{whole, test.encoded}, samples(2))
		if pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("%s: got %v, want an error of kind BadData", name, err)
			continue
		}
		if message := err.Error(); !strings.HasPrefix(message, "image red/1.jpg: "+test.want) || strings.ContainsAny(message, "\n\t") || strings.Contains(message, "{{") {
			t.Errorf("%s: says %q, want %q and no more than a line", name, message, test.want)
		}
	}
}

func TestTheFirstBadImageOfABatchIsNamed(t *testing.T) {
	d := newDecoder(t, 4)
	encoded := slices.Repeat([][]byte{read(t, "picture.jpg")}, 20)
	encoded[5], encoded[6], encoded[19] = nil, []byte("text"), nil
	for range 20 {
		if _, err := d.Decode(t.Context(), encoded, samples(20)); err == nil || !strings.Contains(err.Error(), "red/5.jpg") {
			t.Fatalf("got %v", err)
		}
	}
}

func TestCancelledDecode(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := newDecoder(t, 2)
	// Bad images are not reported, either.
	if _, err := d.Decode(ctx, [][]byte{nil, nil}, samples(2)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	_, err := NewDecoder(Options{Height: 2, Width: 2, Interpolation: "mitchellcubic"})
	if pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), "bilinear, nearest, bicubic, area, lanczos3") {
		t.Errorf("an interpolation: %v", err)
	}
	_, err = NewDecoder(Options{Height: 2, Width: 2, Interpolation: "bilinear", Fit: "squeeze"})
	if pipeline.KindOf(err) != pipeline.BadModel || err.Error() != `fit "squeeze": must be stretch, crop or pad` {
		t.Errorf("a fit: %v", err)
	}
	_, err = NewDecoder(Options{Height: 2, Width: 2, Interpolation: "bilinear", Workers: -1})
	if pipeline.KindOf(err) != pipeline.BadUsage {
		t.Errorf("workers: %v", err)
	}
}

func TestFormat(t *testing.T) {
	for name, want := range map[string]string{
		"picture.jpg": "JPEG", "picture.png": "PNG", "picture.bmp": "BMP", "picture.gif": "GIF", "picture.webp": "WebP",
		"png-named.jpg": "PNG", "webp-named.png": "WebP",
	} {
		if got := Format(read(t, name)); got != want {
			t.Errorf("%s is taken for %q, want %q", name, got, want)
		}
	}
	for _, text := range []string{"", "B", "RIFF", "RIFF0000WAVE", "\xff\xd8", "GIF88a"} {
		if got := Format([]byte(text)); got != "" {
			t.Errorf("%q is taken for %q", text, got)
		}
	}
}

// stored is a pipeline.Encoded in memory. An image without bytes cannot be read.
type stored [][]byte

func (s stored) Len() int                     { return len(s) }
func (s stored) Sample(i int) pipeline.Sample { return samples(len(s))[i] }
func (s stored) Bytes(i int) ([]byte, error) {
	if s[i] == nil {
		return nil, errors.New("red/" + fmt.Sprint(i) + ".jpg: it is gone")
	}
	return bytes.Clone(s[i]), nil
}

func TestSource(t *testing.T) {
	d := newDecoder(t, 2)
	s := Source{Encoded: stored{read(t, "picture.png"), read(t, "picture.jpg"), nil}, Decoder: d}
	got, err := s.Batch(t.Context(), 7, []int{1, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	var labels []int
	for _, sample := range got.Samples {
		labels = append(labels, sample.Label)
	}
	size := len(got.Data) / 3
	if !slices.Equal(labels, []int{1, 0, 1}) || !slices.Equal(got.Data[:size], got.Data[2*size:]) || slices.Equal(got.Data[:size], got.Data[size:2*size]) {
		t.Errorf("labels %v, or the pixels of others", labels)
	}
	if s.Len() != 3 || s.Sample(2).ID != "red/2.jpg" {
		t.Errorf("%d images, the last is %s", s.Len(), s.Sample(2).ID)
	}
	if _, err := s.Batch(t.Context(), 0, []int{0, 2}); err == nil || !strings.Contains(err.Error(), "it is gone") {
		t.Errorf("an image that cannot be read: %v", err)
	}
}

// A batch must never contain values of an earlier one whose memory it reuses.
func TestRecycledMemoryIsFilledAnew(t *testing.T) {
	d := newDecoder(t, 2)
	names := []string{"picture.png", "picture.jpg", "picture.png"}
	var want []float32
	for _, size := range []int{3, 2, 3, 1, 3} {
		var encoded [][]byte
		for _, name := range names[:size] {
			encoded = append(encoded, read(t, name))
		}
		batch, err := d.Decode(t.Context(), encoded, samples(size))
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = slices.Clone(batch.Data)
		}
		comparePixels(t, batch.Data, want[:len(batch.Data)])
		for i := range batch.Data {
			batch.Data[i] = -1
		}
		batch.Recycle()
	}
	block := d.spare.take(1)
	if cap(block) < len(want) {
		t.Errorf("memory of %d numbers was not used again: %d", len(want), cap(block))
	}
}
