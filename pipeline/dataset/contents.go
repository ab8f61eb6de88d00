package dataset

import (
	"context"
	"crypto/sha256"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Contents is the SHA-256 of each image's bytes, in the part's order. It reads
// workers images at a time; 0 is one for each processor. An image that cannot be
// read has zeros: whoever needs it is told why.
func (p Part) Contents(ctx context.Context, workers int) ([][sha256.Size]byte, error) {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	sums := make([][sha256.Size]byte, p.Len())
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
			return nil
		})
	}
	return sums, group.Wait()
}
