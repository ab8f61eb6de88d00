package features

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tftl/pipeline"
)

// work is what one step of the frozen pass hands to the next: a batch of images
// that are not in the store, and how many were found in it or left out meanwhile.
type work struct {
	images  []image
	cached  int
	leftOut int
	in      entry
}

// Warm is the frozen pass: it adds the missing activations to the Store, in batches
// of batchSize. It reads each image once, and not at all if its digest is known and
// the Store has its activations. Reading, decoding and computing overlap, with a few
// batches in memory at a time.
//
// It calls progress, which may be nil, with the number of images done and how many
// of them were cached, one call at a time. Once the Store refuses something, the
// remaining images are hashed but not computed, as Batch would have to
// compute them again. Without a Store it does nothing.
func (s *Source) Warm(ctx context.Context, batchSize int, progress func(done, cached int)) error {
	return s.WarmGood(ctx, batchSize, progress, nil)
}

// WarmGood is Warm, but calls bad with each image that cannot be read or decoded, and
// leaves it out. Such images must not be in a batch later. It also decodes what the
// Store has no room for, as it might be bad. Calls of bad may come at the same time.
func (s *Source) WarmGood(ctx context.Context, batchSize int, progress func(done, cached int), bad func(index int, err error)) error {
	if s.Store == nil {
		return nil
	}
	if batchSize < 1 {
		return pipeline.Errorf(pipeline.BadUsage, "features: batch size %d is not positive", batchSize)
	}
	pass, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	read, decoded := make(chan work), make(chan work, 1)
	var full atomic.Bool // the store has refused something
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(read)
		if err := s.findMissing(pass, batchSize, read, finder{&full, bad}); err != nil {
			cancel(err)
		}
	})
	wg.Go(func() {
		defer close(decoded)
		if err := s.decodeAll(pass, read, decoded, finder{&full, bad}); err != nil {
			cancel(err)
		}
	})

	var done, cached int
	waiting := time.Now()
	for w := range decoded {
		waited := time.Since(waiting)
		if pass.Err() != nil {
			continue // until the others have noticed too
		}
		switch {
		case len(w.images) == 0:
		case full.Load():
			s.leave(len(w.images))
		default: // it was decoded
			s.wait(waited)
			_, stored, err := s.compute(pass, w.images, w.in)
			if err != nil {
				cancel(err)
				continue
			}
			full.Store(!stored)
		}
		cached += w.cached
		done += w.cached + w.leftOut + len(w.images)
		if progress != nil {
			progress(done, cached)
		}
		waiting = time.Now()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Cause(pass)
}

func (s *Source) leave(images int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left += images
}

// Left is how many images Warm did not compute because the Store was full. They
// count as done.
func (s *Source) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

func (s *Source) wait(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited += d
}

// Waited is how long Warm had nothing to compute, because no batch was decoded yet.
func (s *Source) Waited() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waited
}

// finder is what the steps of the frozen pass know of each other.
type finder struct {
	full *atomic.Bool // the store has refused something
	bad  func(index int, err error)
}

// skips says whether images are of no use any more.
func (f finder) skips() bool { return f.bad == nil && f.full.Load() }

// findMissing sends the images that are not stored. It reads them, and those whose
// digests are not known.
func (s *Source) findMissing(ctx context.Context, batchSize int, to chan<- work, f finder) error {
	var next work
	window := max(batchSize, 4*s.workers())
	for start, n := 0, s.Due(); start < n; start += window {
		index := s.due(start, window)
		images := s.images(index)
		wanted := func(im image) bool { return im.digest == Digest{} || !f.skips() && !s.stored(im) }
		err := s.read(ctx, images, wanted)
		if err != nil && f.bad != nil {
			images, err = s.readGood(ctx, images, wanted, f.bad)
			next.leftOut += len(index) - len(images)
		}
		if err != nil {
			return err
		}
		for _, im := range images {
			if s.stored(im) {
				next.cached++
				continue
			}
			next.images = append(next.images, im)
			if len(next.images) < batchSize {
				continue
			}
			if err := send(ctx, to, next); err != nil {
				return err
			}
			next = work{}
		}
		if next.cached+next.leftOut > 0 { // these are progress too
			if err := send(ctx, to, work{cached: next.cached, leftOut: next.leftOut}); err != nil {
				return err
			}
			next.cached, next.leftOut = 0, 0
		}
	}
	if len(next.images) == 0 {
		return nil
	}
	return send(ctx, to, next)
}

func (s *Source) stored(im image) bool {
	_, ok := s.Store.Shape(s.key(im))
	return ok
}

// decodeAll decodes each batch while an earlier one is computed.
func (s *Source) decodeAll(ctx context.Context, from <-chan work, to chan<- work, f finder) error {
	for w := range from {
		if len(w.images) > 0 && !f.skips() {
			var err error
			if w.in, err = s.enter(ctx, w.images); err != nil && f.bad != nil {
				err = s.decodeGood(ctx, &w, f.bad)
			}
			if err != nil {
				return err
			}
		}
		if err := send(ctx, to, w); err != nil {
			return err
		}
	}
	return nil
}

func send(ctx context.Context, to chan<- work, w work) error {
	select {
	case to <- w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
