package check

import (
	"context"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"tftl/pipeline"
)

// Bad is an image that cannot be read or decoded, and why.
type Bad struct {
	Index  int
	Sample pipeline.Sample
	Reason string
}

// Unusable decodes every image and lists the bad ones in order. An error is never
// about an image.
func Unusable(ctx context.Context, images pipeline.Encoded, decode Decode, workers int, progress pipeline.Progress) ([]Bad, error) {
	reasons := make([]string, images.Len())
	err := each(ctx, images.Len(), workers, progress, func(i int) error {
		s := images.Sample(i)
		encoded, err := images.Bytes(i)
		if err == nil {
			_, err = decode(ctx, [][]byte{encoded}, []pipeline.Sample{s})
		}
		if err != nil {
			reasons[i], err = Reason(s, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var bad []Bad
	for i, why := range reasons {
		if why != "" {
			bad = append(bad, Bad{i, images.Sample(i), why})
		}
	}
	return bad, nil
}

// Reason is why an image is bad, without its name, or err itself if the image is
// not to blame.
func Reason(s pipeline.Sample, err error) (string, error) {
	if pipeline.KindOf(err) != pipeline.BadData {
		return "", err
	}
	return strings.TrimPrefix(err.Error(), "image "+s.ID+": "), nil
}

// each calls f for 0 to n-1, several at a time, until a call fails.
func each(ctx context.Context, n, workers int, progress pipeline.Progress, f func(i int) error) error {
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	group, pass := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	var mu sync.Mutex
	done := 0
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
			done++
			if progress != nil {
				progress(pipeline.Event{Phase: "check", Done: done, Total: n})
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
