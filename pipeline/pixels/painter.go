package pixels

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"

	"golang.org/x/image/draw"

	"tftl/pipeline"
)

const (
	thumbSide    = 240 // pixels of a thumbnail's longer side: sharp at half the size on a dense screen
	explainBatch = 8   // images explained at a time: gradients take more memory than predictions
)

// Explainer is a network that can show which parts of images speak for a class.
type Explainer interface {
	// Explains reports whether it really can: not every model has what it takes.
	Explains() bool
	// Explain returns the heat map of each image for its class.
	Explain(ctx context.Context, images pipeline.Batch, classes []int) (pipeline.HeatMaps, error)
}

// HeatMaps returns the heat map of each image for its class. ok is false if the
// model cannot make any.
type HeatMaps func(ctx context.Context, images pipeline.Encoded, classes []int) (heat pipeline.HeatMaps, ok bool, err error)

// Painter makes pictures of images as a network sees them. It is not safe for
// concurrent use.
type Painter struct {
	input    Options
	heat     HeatMaps
	decoders map[[2]int]*Decoder // of thumbnails, by height and width: photographs come in few shapes
}

// NewPainter makes a Painter for a network: what its images are decoded to, and
// where its heat maps come from.
func NewPainter(input Options, heat HeatMaps) *Painter {
	return &Painter{input, heat, map[[2]int]*Decoder{}}
}

// Close frees what decodes thumbnails.
func (p *Painter) Close() {
	for _, d := range p.decoders {
		_ = d.Close()
	}
}

// Thumbnail makes a small JPEG. It shows the whole image in its own shape if the
// network sees all of it, otherwise what the network sees.
func (p *Painter) Thumbnail(ctx context.Context, encoded []byte, sample pipeline.Sample) ([]byte, error) {
	o := Options{Height: p.input.Height, Width: p.input.Width, Interpolation: "area", Fit: p.input.Fit, Workers: 1}
	if o.Fit == "" || o.Fit == "stretch" {
		header, err := ReadHeader(encoded)
		if err != nil {
			return nil, pipeline.Errorf(pipeline.BadData, "image %s: %w", sample.ID, err)
		}
		o.Height, o.Width = header.Height, header.Width
	}
	scale := min(1, thumbSide/float64(max(o.Height, o.Width, 1)))
	for _, side := range []*int{&o.Height, &o.Width} {
		*side = max(1, int(float64(*side)*scale+0.5))
	}
	shape := [2]int{o.Height, o.Width}
	if p.decoders[shape] == nil {
		decoder, err := NewDecoder(o)
		if err != nil {
			return nil, err
		}
		p.decoders[shape] = decoder
	}
	batch, err := p.decoders[shape].Decode(ctx, [][]byte{encoded}, []pipeline.Sample{sample})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, picture(batch.Data, o.Height, o.Width), &jpeg.Options{Quality: 85})
	return out.Bytes(), err
}

// Overlays calls found with a PNG for each image: the heat map of its class, to be
// stretched over the image. It does nothing if the network cannot explain.
func (p *Painter) Overlays(ctx context.Context, images pipeline.Encoded, classes []int, found func(k int, overlay []byte) error) error {
	heat, ok, err := p.heat(ctx, images, classes)
	if err != nil || !ok {
		return err
	}
	for k := range classes {
		encoded, err := encodePNG(heatOverlay(heat, k))
		if err != nil {
			return err
		}
		if err := found(k, encoded); err != nil {
			return err
		}
	}
	return nil
}

// Explained makes the heat maps of a network that explains pixels.
func Explained(network Explainer, decoder *Decoder) HeatMaps {
	return func(ctx context.Context, images pipeline.Encoded, classes []int) (heat pipeline.HeatMaps, ok bool, err error) {
		if !network.Explains() {
			return heat, false, nil
		}
		source := Source{Encoded: images, Decoder: decoder}
		for from := 0; from < len(classes); from += explainBatch {
			var index []int
			for i := from; i < min(from+explainBatch, len(classes)); i++ {
				index = append(index, i)
			}
			batch, err := source.Batch(ctx, 0, index)
			if err != nil {
				return heat, true, err
			}
			some, err := network.Explain(ctx, batch, classes[from:from+len(index)])
			if err != nil {
				return heat, true, err
			}
			heat.Append(some)
		}
		return heat, true, nil
	}
}

// PaintExplained calls found with a PNG of each image of a batch, under the heat
// map of its class.
func PaintExplained(ctx context.Context, network Explainer, images pipeline.Batch, classes []int, found func(i int, picture []byte) error) error {
	height, width := int(images.Shape[1]), int(images.Shape[2])
	batch := func(from, to int) (pipeline.Batch, error) { return some(images, from, to), nil }
	return explainEach(ctx, network, classes, batch, func(k int, pixels []float32, overlay *image.NRGBA) error {
		canvas := picture(pixels, height, width)
		draw.BiLinear.Scale(canvas, canvas.Rect, overlay, overlay.Rect, draw.Over, nil)
		encoded, err := encodePNG(canvas)
		if err != nil {
			return err
		}
		return found(k, encoded)
	})
}

// explainEach explains images a few at a time, and calls found with each one's
// pixels and the overlay for them. There is an image for each class.
func explainEach(ctx context.Context, network Explainer, classes []int, batch func(from, to int) (pipeline.Batch, error),
	found func(k int, pixels []float32, overlay *image.NRGBA) error,
) error {
	for from := 0; from < len(classes); from += explainBatch {
		to := min(from+explainBatch, len(classes))
		images, err := batch(from, to)
		if err != nil {
			return err
		}
		images.Recycle = nil // its pixels are still needed after Explain
		heat, err := network.Explain(ctx, images, classes[from:to])
		if err != nil {
			return err
		}
		for i := range images.Samples {
			if err := found(from+i, some(images, i, i+1).Data, heatOverlay(heat, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// some returns the images [from, to) of a batch.
func some(b pipeline.Batch, from, to int) pipeline.Batch {
	size := len(b.Data) / len(b.Samples)
	shape := append([]int64{int64(to - from)}, b.Shape[1:]...)
	return pipeline.Batch{Samples: b.Samples[from:to], Shape: shape, Data: b.Data[from*size : to*size]}
}
