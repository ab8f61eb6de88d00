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
	var pixels bytes.Buffer
	err = d.admitted(ctx, encoded, func(header Header, in *tf.Tensor) error {
		feed := map[tf.Output]*tf.Tensor{d.encoded: in}
		results, err := d.session.Run(feed, []tf.Output{d.rgb.image}, nil)
		if err != nil && header.Format == "WebP" {
			results, err = d.session.Run(feed, []tf.Output{d.rgba.image}, nil)
		}
		if err != nil {
			return decodeError(encoded, err)
		}
		defer tensor.Free(results...)
		shape := results[0].Shape()
		if len(shape) != 3 || shape[2] != 3 {
			return fmt.Errorf("is decoded to %v", shape)
		}
		height, width = int(shape[0]), int(shape[1])
		pixels.Grow(3 * width * height)
		_, err = results[0].WriteContentsTo(&pixels)
		return err
	})
	if ctx.Err() != nil {
		return nil, 0, 0, ctx.Err()
	}
	return pixels.Bytes(), width, height, bad(s, err)
}
