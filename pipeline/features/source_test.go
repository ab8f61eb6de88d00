package features

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tftl/pipeline"
)

// album is a data set in memory whose images can be replaced.
type album struct {
	mu     sync.Mutex
	images []string
	reads  int
}

func (a *album) Len() int { return len(a.images) }

func (a *album) Sample(i int) pipeline.Sample {
	return pipeline.Sample{ID: fmt.Sprintf("img%02d", i), Label: i % 2, Weight: 1}
}

func (a *album) Bytes(i int) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reads++
	if a.images[i] == "gone" {
		return nil, pipeline.Errorf(pipeline.BadData, "img%02d: %w", i, os.ErrNotExist)
	}
	return []byte(a.images[i]), nil
}

func (a *album) replace(i int, with string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.images[i] = with
}

func newAlbum(n int) *album {
	a := &album{}
	for i := range n {
		a.images = append(a.images, fmt.Sprintf("contents %d", i))
	}
	return a
}

// network stands in for decoding and the frozen part, and counts its work.
type network struct {
	mu       sync.Mutex
	decoded  []string // IDs
	computed int
	batches  []int // how many each
	shape    []int64
}

func (n *network) decode(_ context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := pipeline.Batch{Samples: samples, Shape: []int64{int64(len(encoded)), 1, 1, 3}}
	for i, e := range encoded {
		if string(e) == "corrupt" {
			return out, pipeline.Errorf(pipeline.BadData, "%s: not an image", samples[i].ID)
		}
		n.decoded = append(n.decoded, samples[i].ID)
		var sum float32
		for j, b := range e {
			sum += float32(j+1) * float32(b)
		}
		out.Data = append(out.Data, sum, sum/3, -sum)
	}
	return out, nil
}

func (n *network) compute(_ context.Context, images pipeline.Batch) (pipeline.Batch, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := len(images.Data) / 3
	n.computed += count
	n.batches = append(n.batches, count)
	out := pipeline.Batch{Samples: images.Samples, Shape: append([]int64{int64(count)}, n.shape...)}
	for i := range count {
		out.Data = append(out.Data, expected(images.Data[3*i])...)
	}
	return out, nil
}

// expected are the activations of an image whose first pixel is p.
func expected(p float32) []float32 {
	return []float32{p, p * p, 1 / p, float32(math.Sqrt(float64(p))), 0, -p}
}

// want are the activations of an image with these contents.
func want(contents string) []float32 {
	pixels, _ := (&network{}).decode(context.Background(), [][]byte{[]byte(contents)}, make([]pipeline.Sample, 1))
	return expected(pixels.Data[0])
}

func newSource(a *album, n *network, s *Store) *Source {
	n.shape = []int64{2, 3}
	return &Source{Encoded: a, Decode: n.decode, Compute: n.compute, Store: s, Workers: 3}
}

func checkBatch(t *testing.T, a *album, b pipeline.Batch, index []int) {
	t.Helper()
	if !slices.Equal(b.Shape, []int64{int64(len(index)), 2, 3}) || len(b.Data) != 6*len(index) || len(b.Samples) != len(index) {
		t.Fatalf("%d samples, %d values, shape %v", len(b.Samples), len(b.Data), b.Shape)
	}
	for i, at := range index {
		if b.Samples[i] != a.Sample(at) {
			t.Errorf("sample %d is %v, want %v", i, b.Samples[i], a.Sample(at))
		}
		if got, want := b.Data[6*i:6*i+6], want(a.images[at]); !sameBits(got, want) {
			t.Errorf("image %d: got %v, want %v", at, got, want)
		}
	}
}

func batch(t *testing.T, s *Source, a *album, index ...int) {
	t.Helper()
	b, err := s.Batch(context.Background(), 0, index)
	if err != nil {
		t.Fatal(err)
	}
	checkBatch(t, a, b, index)
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestBatchWithoutStore(t *testing.T) {
	a, n := newAlbum(5), &network{}
	s := newSource(a, n, nil)
	if done, cached := warm(t, s, 2); done != 0 || cached != 0 {
		t.Errorf("warmed %d, %d without a store", done, cached)
	}
	for range 2 {
		batch(t, s, a, 4, 0, 2)
	}
	if n.computed != 6 {
		t.Errorf("%d computed, want 6", n.computed)
	}
	if _, err := s.Batch(context.Background(), 0, nil); err == nil {
		t.Error("no error for an empty batch")
	}
}

func TestBatchBeforeWarm(t *testing.T) {
	a, n := newAlbum(6), &network{}
	s := newSource(a, n, open(t, t.TempDir(), space))
	batch(t, s, a, 4, 0, 2)
	batch(t, s, a, 0, 1, 4, 1) // some are stored, one is requested twice
	batch(t, s, a, 1, 4, 2)
	if n.computed > 5 {
		t.Errorf("%d computed, want at most 5", n.computed)
	}
	if a.reads != 5 {
		t.Errorf("%d reads, want 5: stored images are not read again", a.reads)
	}
}

func TestImageThatChangesDuringTheRun(t *testing.T) {
	a, n := newAlbum(4), &network{}
	s := newSource(a, n, openWith(t, Options{MaxBytes: 2 * (recordHeader + 4*6)}, space))
	warm(t, s, 1)
	before, err := s.Batch(context.Background(), 0, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	a.replace(0, "changed, and stored")
	a.replace(3, "changed, and not stored")
	// The run continues with the same images or not at all.
	if got, err := s.Batch(context.Background(), 1, []int{0}); err != nil || !sameBits(got.Data, before.Data) {
		t.Errorf("got %v, %v, want %v", got.Data, err, before.Data)
	}
	_, err = s.Batch(context.Background(), 1, []int{1, 3})
	if err == nil || !strings.Contains(err.Error(), "img03") || pipeline.KindOf(err) != pipeline.BadData {
		t.Errorf("got %v, want an error about the data that names img03", err)
	}
	// A new run sees the new image.
	batch(t, newSource(a, n, s.Store), a, 0, 3)
}

func TestDamagedRecordsAreComputedAgain(t *testing.T) {
	a, dir := newAlbum(6), t.TempDir()
	warm(t, newSource(a, &network{}, open(t, dir, space)), 3)
	path := segmentsOf(t, dir)[0]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[segmentHeader+recordHeader+5] ^= 1 // in image 0's payload
	if err := os.WriteFile(path, data[:len(data)-1], 0o666); err != nil {
		t.Fatal(err)
	}
	n := &network{}
	s := newSource(a, n, open(t, dir, space))
	for range 2 {
		batch(t, s, a, all(6)...)
	}
	if n.computed != 2 {
		t.Errorf("%d computed, want 2", n.computed)
	}
	if got := s.Store.Stats(); got.Stored != 2 || got.Damaged < 1 {
		t.Errorf("got %+v", got)
	}
}

// Records whose shape differs from the network's are not trusted, even if they
// are found first.
func TestRecordsOfAnotherShape(t *testing.T) {
	a, n := newAlbum(3), &network{}
	store := open(t, "", space)
	for i := range 2 {
		if !store.Put(sha256.Sum256([]byte(a.images[i])), []int64{6}, make([]float32, 6)) {
			t.Fatal("refused")
		}
	}
	s := newSource(a, n, store)
	batch(t, s, a, 0, 1, 2)
	batch(t, s, a, 1, 0)
}

type oneImage []byte

func (o oneImage) Len() int                   { return 1 }
func (o oneImage) Sample(int) pipeline.Sample { return pipeline.Sample{} }
func (o oneImage) Bytes(int) ([]byte, error)  { return o, nil }

func TestFeaturesThatAreNone(t *testing.T) {
	for name, result := range map[string]pipeline.Batch{
		"too few":            {Shape: []int64{1, 2}, Data: make([]float32, 2)},
		"no shape":           {Data: make([]float32, 2)},
		"shape not filled":   {Shape: []int64{2, 3}, Data: make([]float32, 5)},
		"negative shape":     {Shape: []int64{2, -1}, Data: make([]float32, 2)},
		"nothing whatsoever": {},
	} {
		s := newSource(newAlbum(2), &network{}, open(t, "", space))
		s.Compute = func(context.Context, pipeline.Batch) (pipeline.Batch, error) { return result, nil }
		if _, err := s.Batch(context.Background(), 0, []int{0, 1}); err == nil {
			t.Errorf("%s: no error from Batch", name)
		}
		if err := s.Warm(context.Background(), 2, nil); err == nil {
			t.Errorf("%s: no error from Warm", name)
		}
		if got := s.Store.Stats().Stored; got != 0 {
			t.Errorf("%s: %d stored", name, got)
		}
	}
}

func TestShapeThatChanges(t *testing.T) {
	n := &network{}
	s := newSource(newAlbum(2), n, nil)
	if _, err := s.Batch(context.Background(), 0, []int{0}); err != nil {
		t.Fatal(err)
	}
	n.shape = []int64{3, 2}
	if _, err := s.Batch(context.Background(), 0, []int{1}); err == nil {
		t.Error("no error where the shape of activations changes")
	}
}

func TestErrorsReachTheCaller(t *testing.T) {
	errCompute := errors.New("out of memory")
	tests := []struct {
		name  string
		spoil func(*album, *Source)
		want  string
	}{
		{"an image that cannot be read", func(a *album, _ *Source) { a.images[7] = "gone" }, "img07"},
		{"an image that is none", func(a *album, _ *Source) { a.images[6] = "corrupt" }, "img06"},
		{"the network", func(_ *album, s *Source) {
			s.Compute = func(context.Context, pipeline.Batch) (pipeline.Batch, error) { return pipeline.Batch{}, errCompute }
		}, errCompute.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAlbum(40)
			s := newSource(a, &network{}, open(t, "", space))
			tt.spoil(a, s)
			if err := s.Warm(context.Background(), 2, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Warm: got %v, want %q", err, tt.want)
			}
			if _, err := s.Batch(context.Background(), 0, []int{5, 6, 7}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Batch: got %v, want %q", err, tt.want)
			}
		})
	}
	if err := newSource(newAlbum(1), &network{}, open(t, "", space)).Warm(context.Background(), 0, nil); pipeline.KindOf(err) != pipeline.BadUsage {
		t.Errorf("batch size 0: got %v", err)
	}
}

func TestConcurrentBatches(t *testing.T) {
	a, n := newAlbum(20), &network{}
	s := newSource(a, n, openWith(t, Options{Dir: t.TempDir(), MaxBytes: segmentHeader + 10*(recordHeader+4*6)}, space))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20 {
				index := []int{(i + g) % 20, (i * 3) % 20, (g * 5) % 20}
				b, err := s.Batch(context.Background(), i, index)
				if err != nil {
					t.Error(err)
					return
				}
				checkBatch(t, a, b, index)
			}
		})
	}
	wg.Go(func() {
		if err := s.Warm(context.Background(), 4, nil); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}

// The file's name is not part of the key.
func TestImageOnDiskReplacedUnderItsName(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "cat.jpg")
	for _, contents := range []string{"one cat", "two cat", "one cat"} { // all of one length
		if err := os.WriteFile(path, []byte(contents), 0o666); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n := &network{shape: []int64{2, 3}}
		s := &Source{Encoded: oneImage(data), Decode: n.decode, Compute: n.compute, Store: open(t, cache, space)}
		b, err := s.Batch(context.Background(), 0, []int{0})
		if err != nil {
			t.Fatal(err)
		}
		if !sameBits(b.Data, want(contents)) {
			t.Errorf("%q: got %v, want %v", contents, b.Data, want(contents))
		}
	}
}

// An image that is read again must be the one that was read first, also if nothing is
// stored and nobody knew its digest.
func TestChangedImagesAreNoticedWithoutAStore(t *testing.T) {
	a := newAlbum(4)
	s := newSource(a, &network{}, nil)
	for range 2 {
		if _, err := s.Batch(t.Context(), 0, []int{0, 1, 2, 3}); err != nil {
			t.Fatal(err)
		}
	}
	a.replace(2, "another")
	_, err := s.Batch(t.Context(), 0, []int{1, 2})
	if !errors.Is(err, errChanged) || pipeline.KindOf(err) != pipeline.BadData || !strings.Contains(err.Error(), "img02") {
		t.Errorf("got %v", err)
	}
}
