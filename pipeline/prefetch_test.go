package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// take reads batches and returns their samples' numbers.
func take(ctx context.Context, s Source, order []int, size int, pause func(k int)) (got [][]int, err error) {
	for batch, err := range batches(ctx, s, 1, order, size) {
		if err != nil {
			return got, err
		}
		var numbers []int
		for _, v := range batch.Data {
			numbers = append(numbers, int(v))
		}
		got = append(got, numbers)
		pause(len(got))
	}
	return got, nil
}

func TestBatchesAreTheSameWhateverTheTiming(t *testing.T) {
	order := Order(1, 1, 23)
	want := slices.Collect(slices.Chunk(order, 4))
	for name, times := range map[string]struct{ read, use func(k int) time.Duration }{
		"no pause":    {func(int) time.Duration { return 0 }, func(int) time.Duration { return 0 }},
		"slow reader": {func(int) time.Duration { return time.Second }, func(int) time.Duration { return 0 }},
		"slow user":   {func(int) time.Duration { return 0 }, func(int) time.Duration { return time.Second }},
		"uneven":      {func(k int) time.Duration { return time.Duration(k*k%3) * time.Second }, func(k int) time.Duration { return time.Duration(k%4) * time.Second }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := numbers{n: 23, before: func(_ context.Context, _ int, index []int) error {
					time.Sleep(times.read(index[0]))
					return nil
				}}
				got, err := take(t.Context(), s, order, 4, func(k int) { time.Sleep(times.use(k)) })
				if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("got %v, %v, want %v", got, err, want)
				}
			})
		})
	}
}

// reading returns a source that counts its calls, and those that have not
// returned.
func reading(active, calls *atomic.Int32) numbers {
	return numbers{n: 100, before: func(ctx context.Context, _ int, _ []int) error {
		active.Add(1)
		defer active.Add(-1)
		calls.Add(1)
		select {
		case <-time.After(time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

func TestBreakingOffEndsTheReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it fails if a goroutine is left
		var active, calls atomic.Int32
		for range batches(t.Context(), reading(&active, &calls), 1, sequence(100), 1) {
			break
		}
		if n := active.Load(); n != 0 {
			t.Errorf("%d reads go on behind the loop", n)
		}
	})
}

func TestNoMoreIsReadAheadThanFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var active, calls atomic.Int32
		taken := 0
		for range batches(t.Context(), reading(&active, &calls), 1, sequence(100), 1) {
			taken++
			time.Sleep(time.Hour)
			synctest.Wait()
			// The ones that are ready, and one that waits for room.
			if ahead := int(calls.Load()) - taken; ahead > prefetchDepth+1 {
				t.Fatalf("%d batches were read ahead", ahead)
			}
			if taken == 10 {
				break
			}
		}
	})
}

func TestBatchesEndAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("a broken image")
		s := numbers{n: 10, before: func(_ context.Context, _ int, index []int) error {
			if index[0] >= 4 {
				return broken
			}
			return nil
		}}
		got, err := take(t.Context(), s, sequence(10), 2, func(int) {})
		if !errors.Is(err, broken) || len(got) != 2 {
			t.Errorf("got %v, %v, want two batches and the error", got, err)
		}
	})
}

func TestBatchesEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var active, calls atomic.Int32
		got, _ := take(ctx, reading(&active, &calls), sequence(100), 1, func(k int) {
			if k == 3 {
				cancel()
			}
		})
		if len(got) > 3+prefetchDepth || active.Load() != 0 {
			t.Errorf("%d batches came, %d reads go on", len(got), active.Load())
		}
	})
}
