package parallel_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"tftl/internal/parallel"
)

func TestEach(t *testing.T) {
	var seen [100]atomic.Int32
	last := 0
	err := parallel.Each(t.Context(), len(seen), 3, func(ended int) {
		if ended != last+1 {
			t.Errorf("%d after %d", ended, last)
		}
		last = ended
	}, func(i int) error {
		seen[i].Add(1)
		return nil
	})
	if err != nil || last != len(seen) {
		t.Errorf("%v after %d", err, last)
	}
	for i := range seen {
		if n := seen[i].Load(); n != 1 {
			t.Errorf("%d is called %d times", i, n)
		}
	}
}

func TestEachStops(t *testing.T) {
	broken := errors.New("broken")
	var calls atomic.Int32
	err := parallel.Each(t.Context(), 1000, 1, nil, func(int) error { calls.Add(1); return broken })
	if !errors.Is(err, broken) || calls.Load() > 10 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := parallel.Each(ctx, 10, 0, nil, func(int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
