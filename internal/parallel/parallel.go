// Package parallel calls a function for many items, several at a time.
package parallel

import (
	"context"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Each calls f for 0 to n-1, as many at a time as there are workers, until a call fails
// or the context ends. 0 workers are one per processor. After each call it calls done, if
// not nil, with the number of calls that have ended, from one goroutine at a time.
func Each(ctx context.Context, n, workers int, done func(ended int), f func(i int) error) error {
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	group, pass := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	var mu sync.Mutex
	ended := 0
	for i := range n {
		if pass.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := f(i); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			ended++
			if done != nil {
				done(ended)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
