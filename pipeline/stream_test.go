package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// sizes is a Predictor that notes the size of each batch.
type sizes []int

func (s *sizes) Predict(_ context.Context, b Batch) ([]Prediction, error) {
	*s = append(*s, len(b.Samples))
	predictions := make([]Prediction, len(b.Samples))
	for i, sample := range b.Samples {
		predictions[i] = Prediction{Sample: sample, Logits: []float32{b.Data[i]}}
	}
	b.Recycle()
	return predictions, nil
}

// imagesOf lists images with these names as their contents. A name with "bad"
// cannot be decoded, one with "broken" not even read.
func imagesOf(names ...string) iter.Seq2[Image, error] {
	return func(yield func(Image, error) bool) {
		for _, name := range names {
			if !yield(imageOf(name), nil) {
				return
			}
		}
	}
}

func imageOf(name string) Image {
	return Image{ID: name, Bytes: func() ([]byte, error) {
		if strings.Contains(name, "broken") {
			return nil, Errorf(BadData, "%s: is broken", name)
		}
		return []byte(name), nil
	}}
}

// decodeNames decodes a name to its length. Short names take longest.
func decodeNames(_ context.Context, encoded [][]byte, samples []Sample) (Batch, error) {
	name := string(encoded[0])
	time.Sleep(time.Millisecond / time.Duration(len(name)+1))
	if strings.Contains(name, "bad") {
		return Batch{}, Errorf(BadData, "image %s: is bad", name)
	}
	return Batch{Samples: samples, Shape: []int64{1, 1}, Data: []float32{float32(len(name))}}, nil
}

// answers collects what a stream yields, a string per batch.
func answers(outcomes iter.Seq2[[]Outcome, error]) (list []string, err error) {
	for batch, err := range outcomes {
		if err != nil {
			return list, err
		}
		var b strings.Builder
		for _, o := range batch {
			if o.Err != nil {
				fmt.Fprintf(&b, "(%v) ", o.Err)
			} else {
				fmt.Fprintf(&b, "%s=%g ", o.Sample.ID, o.Logits[0])
			}
		}
		list = append(list, strings.TrimSpace(b.String()))
	}
	return list, nil
}

// The order is that of the images, and bad ones take no place in a batch.
func TestStreamKeepsTheOrder(t *testing.T) {
	for workers := range 5 {
		var batches sizes
		s := Stream{Decode: decodeNames, Predictor: &batches, BatchSize: 2, Workers: workers}
		got, err := answers(s.Outcomes(t.Context(), imagesOf("bad0", "a", "bad1", "bb", "ccc", "broken", "dd", "e", "bad2")))
		want := []string{
			"(image bad0: is bad)", "a=1 (image bad1: is bad) bb=2", "ccc=3 (broken: is broken) dd=2", "e=1 (image bad2: is bad)",
		}
		if err != nil || !slices.Equal(got, want) || !slices.Equal(batches, []int{2, 2, 1}) {
			t.Errorf("%d workers: %q, %v, batches of %v", workers, got, err, batches)
		}
	}
}

func TestStreamEndsAfterAnError(t *testing.T) {
	failed := errors.New("failed")
	run := func(s Stream, images iter.Seq2[Image, error]) ([]string, error) {
		s.Decode, s.BatchSize, s.Workers = decodeNames, 2, 2
		if s.Predictor == nil {
			s.Predictor = new(sizes)
		}
		return answers(s.Outcomes(t.Context(), images))
	}
	// What came before is still answered.
	got, err := run(Stream{}, func(yield func(Image, error) bool) {
		_ = yield(imageOf("a"), nil) && yield(Image{}, Errorf(BadData, "no list"))
	})
	if fmt.Sprint(got, err) != "[a=1] no list" {
		t.Errorf("source: %q, %v", got, err)
	}
	broken := Image{ID: "b", Bytes: func() ([]byte, error) { return nil, failed }}
	got, err = run(Stream{}, func(yield func(Image, error) bool) { _ = yield(imageOf("a"), nil) && yield(broken, nil) })
	if !errors.Is(err, failed) || len(got) != 1 {
		t.Errorf("an error that no image is to blame for: %q, %v", got, err)
	}
	got, err = run(Stream{Predictor: alwaysFails{failed}}, imagesOf("a"))
	if !errors.Is(err, failed) || len(got) != 0 {
		t.Errorf("predictor: %q, %v", got, err)
	}
	if got, err = run(Stream{}, imagesOf()); err != nil || len(got) != 0 {
		t.Errorf("no images: %q, %v", got, err)
	}
}

type alwaysFails struct{ error }

func (f alwaysFails) Predict(context.Context, Batch) ([]Prediction, error) { return nil, f.error }

// Images that come slowly are answered when no other has come for a while.
func TestStreamOfSlowImages(t *testing.T) {
	for _, wait := range []time.Duration{0, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			var batches sizes
			var at []string
			start := time.Now()
			s := Stream{Decode: decodeNames, Predictor: &batches, BatchSize: 3, Workers: 1, Wait: wait}
			for range s.Outcomes(t.Context(), func(yield func(Image, error) bool) {
				for _, pause := range []int{0, 10, 1000, 10, 10, 10, 1000} {
					time.Sleep(time.Duration(pause) * time.Millisecond)
					if !yield(imageOf("image"), nil) {
						return
					}
				}
			}) {
				at = append(at, time.Since(start).Round(10*time.Millisecond).String())
			}
			want := "[2 3 1 1] [110ms 1.03s 1.14s 2.04s]"
			if wait == 0 {
				want = "[3 3 1] [1.01s 1.04s 2.04s]"
			}
			if got := fmt.Sprint(batches, at); got != want {
				t.Errorf("wait %v: %s, want %s", wait, got, want)
			}
		})
	}
}

// A source of any length has only so many images in memory.
func TestStreamHoldsFewImages(t *testing.T) {
	const size, workers = 4, 3
	var read, most, answered atomic.Int64
	s := Stream{Decode: decodeNames, Predictor: new(sizes), BatchSize: size, Workers: workers}
	for outcomes := range s.Outcomes(t.Context(), func(yield func(Image, error) bool) {
		for i := range 400 {
			held := read.Add(1) - answered.Load()
			if held > most.Load() {
				most.Store(held)
			}
			if name := fmt.Sprintf("image%d", i); !yield(imageOf(name), nil) {
				return
			}
		}
	}) {
		answered.Add(int64(len(outcomes)))
	}
	// Two batches decoded ahead, one that is predicted, and one image in either hand.
	if limit := int64(3*size + 2); most.Load() > limit {
		t.Errorf("%d images at a time, want at most %d", most.Load(), limit)
	}
}

// Not even a source of bad images alone.
func TestStreamHoldsFewBadImages(t *testing.T) {
	names := append([]string{"good"}, slices.Repeat([]string{"bad"}, 100)...)
	s := Stream{Decode: decodeNames, Predictor: new(sizes), BatchSize: 2, Workers: 2}
	for outcomes := range s.Outcomes(t.Context(), imagesOf(names...)) {
		if len(outcomes) > 2*mostBad {
			t.Fatalf("%d outcomes at a time", len(outcomes))
		}
	}
}

func TestStreamIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := Stream{Decode: decodeNames, Predictor: new(sizes), BatchSize: 1, Workers: 2}
	blocked := make(chan bool)
	defer close(blocked)
	for outcomes, err := range s.Outcomes(ctx, func(yield func(Image, error) bool) {
		if yield(imageOf("a"), nil) {
			<-blocked // like a pipe into which nobody writes
		}
	}) {
		if len(outcomes) == 0 && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		cancel()
	}
	for range s.Outcomes(t.Context(), imagesOf("a", "b", "c", "d", "e", "f")) {
		break
	}
}

// oneByOne is a Predictor whose answers depend on the size of the batch.
type oneByOne struct{}

func (oneByOne) Predict(_ context.Context, b Batch) ([]Prediction, error) {
	predictions := make([]Prediction, len(b.Samples))
	width := len(b.Data) / len(b.Samples)
	for i, sample := range b.Samples {
		predictions[i] = Prediction{Sample: sample, Logits: []float32{b.Data[i*width+1] / float32(b.Shape[0])}}
	}
	return predictions, nil
}

func TestFilledGivesAnImageTheSameInAnyBatch(t *testing.T) {
	given := Batch{Samples: []Sample{{ID: "a"}, {ID: "b"}}, Shape: []int64{2, 2}, Data: []float32{0, 8, 0, 4}}
	for n := 1; n <= 2; n++ {
		b := Batch{Samples: given.Samples[:n], Shape: []int64{int64(n), 2}, Data: given.Data[: 2*n : 2*n]}
		got, err := Filled{oneByOne{}, 4}.Predict(t.Context(), b)
		if err != nil || len(got) != n || got[0].Logits[0] != 2 || got[n-1].Logits[0] != []float32{2, 1}[n-1] || got[n-1].Sample != given.Samples[n-1] {
			t.Errorf("batch of %d: %+v, %v", n, got, err)
		}
		if b.Shape[0] != int64(n) || len(b.Samples) != n {
			t.Errorf("the given batch is changed: %+v", b)
		}
	}
	if _, err := (Filled{alwaysFails{errors.New("failed")}, 4}).Predict(t.Context(), given); err == nil {
		t.Error("no error")
	}
}
