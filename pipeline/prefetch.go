package pipeline

import (
	"context"
	"iter"
	"slices"
)

// prefetchDepth is how many batches wait ready. Two hide an uneven one; more
// only take memory.
const prefetchDepth = 2

// batches reads a source in an order, size samples at a time, ahead of whoever
// takes them. It ends after an error; breaking off ends its goroutine.
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
			for range ready { // the goroutine is gone when this ends
			}
		}()
		for next := range ready {
			if !yield(next.batch, next.err) {
				return
			}
		}
	}
}
