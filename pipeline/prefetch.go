package pipeline

import (
	"context"
	"iter"
	"slices"
)

// prefetchDepth is the number of batches kept ready. Two are enough to hide a
// slow one; more only take memory.
const prefetchDepth = 2

// batches reads batches of size samples in the given order, ahead of the loop
// that consumes them. It ends after an error. Breaking out of the loop ends its
// goroutine.
func batches(ctx context.Context, source Source, epoch int, order []int, size int) iter.Seq2[Batch, error] {
	type item struct {
		batch Batch
		err   error
	}
	return func(yield func(Batch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		ready := make(chan item, prefetchDepth)
		go func() {
			defer close(ready)
			for index := range slices.Chunk(order, size) {
				batch, err := source.Batch(ctx, epoch, index)
				select {
				case ready <- item{batch, err}:
				case <-ctx.Done():
					return
				}
				if err != nil {
					return
				}
			}
		}()
		defer func() {
			cancel()
			for range ready { // when this ends, the goroutine has ended
			}
		}()
		for {
			select {
			case next, ok := <-ready:
				if !ok || !yield(next.batch, next.err) {
					return
				}
			case <-ctx.Done():
				yield(Batch{}, ctx.Err()) // before the batch that is read now, which may take long
				return
			}
		}
	}
}
