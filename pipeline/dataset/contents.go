package dataset

import (
	"context"
	"crypto/sha256"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"tftl/pipeline"
)

// Contents is the SHA-256 of each image's bytes, in the part's order. workers
// is how many images are read at a time; 0 is one per processor. The hash of an
// unreadable image is zero: Bytes says what is wrong with it. progress may be nil.
func (p Part) Contents(ctx context.Context, workers int, progress pipeline.Progress) ([][sha256.Size]byte, error) {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	sums := make([][sha256.Size]byte, p.Len())
	var mu sync.Mutex
	done := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range sums {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if image, err := p.Bytes(i); err == nil {
				sums[i] = sha256.Sum256(image)
			}
			if progress != nil {
				mu.Lock()
				defer mu.Unlock()
				done++
				progress(pipeline.Event{Phase: "read", Done: done, Total: p.Len()})
			}
			return nil
		})
	}
	return sums, group.Wait()
}
