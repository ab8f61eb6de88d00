package fake

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"image/png"

	"tftl/pipeline"
)

// Painter paints single pixels. It reads the images as a real one does.
type Painter struct{}

// Thumbnail returns a JPEG.
func (Painter) Thumbnail(context.Context, []byte, pipeline.Sample) ([]byte, error) { return Square(1) }

// Square is a JPEG with this many pixels on a side.
func Square(side int) ([]byte, error) {
	var out bytes.Buffer
	err := jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, side, side)), nil)
	return out.Bytes(), err
}

// Overlays returns a PNG for each image.
func (Painter) Overlays(_ context.Context, images pipeline.Encoded, _ []int, found func(int, []byte) error) error {
	for k := range images.Len() {
		if _, err := images.Bytes(k); err != nil {
			return err
		}
		var out bytes.Buffer
		if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
			return err
		}
		if err := found(k, out.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
