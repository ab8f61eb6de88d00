package check

import (
	"context"
	"strings"

	"tftl/internal/parallel"
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
	return parallel.Each(ctx, n, workers, func(ended int) {
		if progress != nil {
			progress(pipeline.Event{Phase: "check", Done: ended, Total: n})
		}
	}, f)
}
