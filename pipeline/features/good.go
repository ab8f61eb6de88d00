package features

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"tftl/pipeline"
)

// readGood is read for images of which some cannot be read. It returns the others.
func (s *Source) readGood(ctx context.Context, images []image, want func(image) bool, bad func(index int, err error)) ([]image, error) {
	var good []image
	for _, im := range images {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if im.encoded == nil && want(im) {
			err := s.readOne(&im)
			if pipeline.KindOf(err) == pipeline.BadData && !errors.Is(err, errChanged) {
				bad(im.index, err)
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		good = append(good, im)
	}
	return good, nil
}

// decodeGood decodes a batch, of which some images cannot be decoded, one by one and
// leaves those out.
func (s *Source) decodeGood(ctx context.Context, w *work, bad func(index int, err error)) error {
	pixels, errs := make([]pipeline.Batch, len(w.images)), make([]error, len(w.images))
	var group errgroup.Group
	group.SetLimit(s.workers())
	for i := range w.images {
		group.Go(func() error {
			pixels[i], errs[i] = s.decode(ctx, w.images[i:i+1])
			return nil
		})
	}
	_ = group.Wait()
	all := work{cached: w.cached, leftOut: w.leftOut}
	for i, im := range w.images {
		switch err := errs[i]; {
		case pipeline.KindOf(err) == pipeline.BadData:
			bad(im.index, err)
			all.leftOut++
			continue
		case err != nil:
			return err
		}
		one := pixels[i]
		all.images = append(all.images, im)
		all.in.Samples = append(all.in.Samples, one.Samples...)
		all.in.Shape = slices.Concat([]int64{int64(len(all.images))}, one.Shape[1:])
		all.in.Data = append(all.in.Data, one.Data...)
		if one.Recycle != nil {
			one.Recycle()
		}
	}
	*w = all
	return nil
}
