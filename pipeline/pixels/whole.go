package pixels

import (
	"bytes"
	"context"
	"fmt"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// Whole decodes an image without resizing it: the options but Workers do not matter. The
// result has three bytes per pixel, row by row. As for a network, EXIF orientation and
// transparency are ignored. An image that cannot be decoded is an error of kind
// pipeline.BadData that names it.
func (d *Decoder) Whole(ctx context.Context, encoded []byte, s pipeline.Sample) (rgb []byte, width, height int, err error) {
	rgb, shape, err := d.whole(ctx, encoded)
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, 0, ctx.Err()
		}
		return nil, 0, 0, bad(s, err)
	}
	return rgb, int(shape[1]), int(shape[0]), nil
}

func (d *Decoder) whole(ctx context.Context, encoded []byte) ([]byte, []int64, error) {
	header, err := admit(encoded)
	if err != nil {
		return nil, nil, err
	}
	if err := d.room.Acquire(ctx, d.weight(header)); err != nil {
		return nil, nil, err
	}
	defer d.room.Release(d.weight(header))
	in, release, err := tensor.Lend(encoded)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	feed := map[tf.Output]*tf.Tensor{d.encoded: in}
	results, err := d.session.Run(feed, []tf.Output{d.rgb.image}, nil)
	if err != nil && header.Format == "WebP" {
		results, err = d.session.Run(feed, []tf.Output{d.rgba.image}, nil)
	}
	if err != nil {
		return nil, nil, decodeError(encoded, err)
	}
	defer tensor.Free(results...)
	shape := results[0].Shape()
	if len(shape) != 3 || shape[2] != 3 {
		return nil, nil, fmt.Errorf("is decoded to %v", shape)
	}
	var rgb bytes.Buffer
	rgb.Grow(int(shape[0] * shape[1] * shape[2]))
	_, err = results[0].WriteContentsTo(&rgb)
	return rgb.Bytes(), shape, err
}
