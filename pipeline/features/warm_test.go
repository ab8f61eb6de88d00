package features

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tftl/pipeline"
)

func warm(t *testing.T, s *Source, batchSize int) (done, cached int) {
	t.Helper()
	err := s.Warm(context.Background(), batchSize, func(d, c int) {
		if d < done || c < cached || c > d {
			t.Errorf("progress went from %d, %d to %d, %d", done, cached, d, c)
		}
		done, cached = d, c
	})
	if err != nil {
		t.Fatal(err)
	}
	return done, cached
}

func TestWarmComputesWhatIsMissing(t *testing.T) {
	a, dir := newAlbum(23), t.TempDir()
	first := &network{}
	s := newSource(a, first, open(t, dir, space))
	if done, cached := warm(t, s, 5); done != 23 || cached != 0 {
		t.Errorf("done %d, cached %d, want 23 and 0", done, cached)
	}
	if !slices.Equal(first.batches, []int{5, 5, 5, 5, 3}) {
		t.Errorf("batches of %v", first.batches)
	}
	if a.reads != 23 {
		t.Errorf("%d reads, want each image once", a.reads)
	}
	batch(t, s, a, 22, 7, 7, 0)
	batch(t, s, a, all(23)...)
	if first.computed != 23 || a.reads != 23 {
		t.Errorf("%d computed and %d read, want nothing after the frozen pass", first.computed, a.reads)
	}

	// The next run, with two images replaced under their names and one new.
	a.replace(3, "another image")
	a.replace(20, "one more")
	a.images = append(a.images, "contents 99")
	second := &network{}
	s = newSource(a, second, open(t, dir, space))
	if done, cached := warm(t, s, 5); done != 24 || cached != 21 {
		t.Errorf("done %d, cached %d, want 24 and 21", done, cached)
	}
	if !slices.Equal(second.decoded, []string{"img03", "img20", "img23"}) {
		t.Errorf("decoded %v", second.decoded)
	}
	batch(t, s, a, all(24)...)

	// And one that finds everything, with no call to learn the shape from.
	third := &network{}
	s = newSource(a, third, open(t, dir, space))
	if done, cached := warm(t, s, 5); done != 24 || cached != 24 {
		t.Errorf("done %d, cached %d, want 24 and 24", done, cached)
	}
	batch(t, s, a, all(24)...)
	if third.computed != 0 {
		t.Errorf("%d computed, want none", third.computed)
	}
}

func TestAnotherSpaceIsComputedAnew(t *testing.T) {
	a, dir := newAlbum(4), t.TempDir()
	warm(t, newSource(a, &network{}, open(t, dir, space)), 4)
	n := &network{}
	if _, cached := warm(t, newSource(a, n, open(t, dir, "another model")), 4); cached != 0 || n.computed != 4 {
		t.Errorf("%d cached, %d computed", cached, n.computed)
	}
}

func TestSameBytesUnderTwoNames(t *testing.T) {
	a, n := newAlbum(9), &network{}
	a.images[8] = a.images[0]
	s := newSource(a, n, open(t, "", space))
	if done, cached := warm(t, s, 2); done != 9 || cached > 1 {
		t.Errorf("done %d, cached %d", done, cached)
	}
	if got := s.Store.Stats().Stored; got != 8 {
		t.Errorf("%d stored, want 8", got)
	}
	batch(t, s, a, 8, 0)
}

func TestFullStore(t *testing.T) {
	record := int64(recordHeader + 4*6)
	a, n := newAlbum(30), &network{}
	s := newSource(a, n, openWith(t, Options{MaxBytes: 3 * record}, space))
	if done, _ := warm(t, s, 2); done != 30 {
		t.Errorf("done %d, want 30", done)
	}
	if n.computed > 4 {
		t.Errorf("%d computed for a store that takes 3", n.computed)
	}
	if got := s.Left(); got != 30-n.computed {
		t.Errorf("%d images are left, %d computed", got, n.computed)
	}
	batch(t, s, a, all(30)...)
	batch(t, s, a, 29, 2, 0, 17)
	if stats := s.Store.Stats(); stats.Stored != 3 || stats.Refused == 0 {
		t.Errorf("got %+v", stats)
	}
}

func TestCancelledWarm(t *testing.T) {
	a, n := newAlbum(200), &network{}
	dir := t.TempDir()
	s := newSource(a, n, open(t, dir, space))
	ctx, cancel := context.WithCancel(context.Background())
	err := s.Warm(ctx, 2, func(done, _ int) {
		if done >= 6 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if n.computed != 6 {
		t.Errorf("%d computed after being cancelled at 6", n.computed)
	}
	if _, err := s.Batch(ctx, 0, []int{199}); !errors.Is(err, context.Canceled) {
		t.Errorf("Batch: got %v, want %v", err, context.Canceled)
	}
	// What was computed is kept: the next pass continues from there.
	if _, cached := warm(t, newSource(a, n, open(t, dir, space)), 10); cached < 6 {
		t.Errorf("%d cached, want at least 6", cached)
	}
}

func TestWarmHoldsFewBatches(t *testing.T) {
	a, n := newAlbum(100), &network{}
	s := newSource(a, n, open(t, "", space))
	var mu sync.Mutex
	held, most := 0, 0
	s.Decode = func(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
		mu.Lock()
		held++
		most = max(most, held)
		mu.Unlock()
		return n.decode(ctx, encoded, samples)
	}
	s.Compute = func(ctx context.Context, images pipeline.Batch) (pipeline.Batch, error) {
		mu.Lock()
		defer mu.Unlock()
		held--
		return n.compute(ctx, images)
	}
	warm(t, s, 1)
	if most > 4 {
		t.Errorf("%d decoded batches at once", most)
	}
}

// An image whose digest is known is read only if it must be computed.
func TestWarmReadsNoKnownImage(t *testing.T) {
	a, dir := newAlbum(20), t.TempDir()
	know := func(s *Source) *Source {
		s.Know(func(id string) [sha256.Size]byte {
			var i int
			if _, err := fmt.Sscanf(id, "img%d", &i); err != nil || i == 7 {
				return [sha256.Size]byte{} // not known
			}
			return sha256.Sum256([]byte(a.images[i]))
		})
		return s
	}
	warm(t, know(newSource(a, &network{}, open(t, dir, space))), 3)
	if a.reads != 20 {
		t.Errorf("%d reads of new images, want 20", a.reads)
	}
	a.images = append(a.images, "one more")
	n := &network{}
	if done, cached := warm(t, know(newSource(a, n, open(t, dir, space))), 3); done != 21 || cached != 20 || n.computed != 1 || a.reads != 22 {
		t.Errorf("%d done, %d cached, %d computed; %d reads, want one of the new image and one of the unknown", done, cached, n.computed, a.reads-20)
	}
	// There is nothing to read them for once the store is full.
	a = newAlbum(200)
	full := know(newSource(a, n, openWith(t, Options{MaxBytes: recordHeader + 4*6}, space)))
	if warm(t, full, 1); a.reads > 100 {
		t.Errorf("%d of 200 images are read for a store that takes one", a.reads)
	}
}

func TestWarmGoodLeavesOutBadImages(t *testing.T) {
	for name, room := range map[string]int64{"room": 0, "a full store": 2 * (recordHeader + 4*6)} {
		t.Run(name, func(t *testing.T) {
			a, n := newAlbum(40), &network{}
			a.images[0], a.images[7], a.images[8], a.images[39] = "corrupt", "gone", "corrupt", "gone"
			s := newSource(a, n, openWith(t, Options{MaxBytes: room}, space))
			var mu sync.Mutex
			var bad []int
			last := 0
			err := s.WarmGood(t.Context(), 4, func(done, _ int) { last = done }, func(i int, err error) {
				mu.Lock()
				defer mu.Unlock()
				bad = append(bad, i)
				if !strings.Contains(err.Error(), fmt.Sprintf("img%02d", i)) {
					t.Errorf("image %d: %v", i, err)
				}
			})
			slices.Sort(bad)
			if err != nil || last != 40 || !slices.Equal(bad, []int{0, 7, 8, 39}) {
				t.Errorf("%v, %d done, bad %v", err, last, bad)
			}
			if room == 0 && n.computed != 36 {
				t.Errorf("%d computed, want 36", n.computed)
			}
			good := slices.DeleteFunc(all(40), func(i int) bool { return slices.Contains(bad, i) })
			batch(t, s, a, good...)
		})
	}
}

// A bad image does not excuse one that has changed.
func TestWarmGoodFindsChangedImages(t *testing.T) {
	a := newAlbum(9)
	a.images[1] = "gone"
	s := newSource(a, &network{}, open(t, "", space))
	s.Know(func(id string) (sum [sha256.Size]byte) {
		if id == "img05" {
			sum[0] = 1
		}
		return sum
	})
	if err := s.WarmGood(t.Context(), 4, nil, func(int, error) {}); !errors.Is(err, errChanged) {
		t.Errorf("got %v", err)
	}
}
