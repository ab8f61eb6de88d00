package main

import (
	"bytes"
	"context"
	"fmt"
	stdimage "image"
	"image/png"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/image/draw"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/savedmodels"
)

// explainer is a network that also leaves a picture of each image that it
// predicts: the image as the network saw it, and over it what spoke for the
// predicted class.
type explainer struct {
	predictor *savedmodels.Predictor
	decision  metrics.Decision
	dir       string
	taken     map[string]int // how often a file of this name was asked for
}

func newExplainer(dir, model string, p *savedmodels.Predictor, d metrics.Decision) (*explainer, error) {
	if !p.Explains() {
		err := pipeline.Errorf(pipeline.BadModel, "model %s: cannot explain: signature \"explain\" is missing", model)
		return nil, pipeline.WithHint(err, "export the network again with scripts/export.py and train that")
	}
	return &explainer{predictor: p, decision: d, dir: dir, taken: map[string]int{}}, os.MkdirAll(dir, 0o755)
}

// Predict is the network's, with the pictures written beside. It is no part of
// a loop that calls it twice at a time.
func (e *explainer) Predict(ctx context.Context, images pipeline.Batch) ([]pipeline.Prediction, error) {
	if images.Recycle != nil {
		defer images.Recycle()
		images.Recycle = nil // the pixels are needed to the end
	}
	predictions, err := e.predictor.Predict(ctx, images)
	if err != nil {
		return nil, err
	}
	calibrated := e.decision.Calibrate(predictions)
	for from := 0; from < len(predictions); from += explainBatch {
		to := min(from+explainBatch, len(predictions))
		var classes []int
		for _, p := range calibrated[from:to] {
			classes = append(classes, e.decision.Class(p.Probabilities))
		}
		some := slice(images, from, to)
		heat, err := e.predictor.Explain(ctx, some, classes)
		if err != nil {
			return nil, err
		}
		for i := range some.Samples {
			size := heat.Height * heat.Width
			picture := overlaid(slice(some, i, i+1), heat.Data[i*size:(i+1)*size], heat.Height, heat.Width)
			if err := e.write(some.Samples[i], picture); err != nil {
				return nil, err
			}
		}
	}
	return predictions, nil
}

// slice is some of a batch's images.
func slice(b pipeline.Batch, from, to int) pipeline.Batch {
	size := len(b.Data) / len(b.Samples)
	shape := append([]int64{int64(to - from)}, b.Shape[1:]...)
	return pipeline.Batch{Samples: b.Samples[from:to], Shape: shape, Data: b.Data[from*size : to*size]}
}

// overlaid is one image with a heat map over it.
func overlaid(b pipeline.Batch, heat []float32, height, width int) stdimage.Image {
	picture := stdimage.NewRGBA(stdimage.Rect(0, 0, int(b.Shape[2]), int(b.Shape[1])))
	for i := range len(b.Data) / 3 {
		for k := range 3 {
			picture.Pix[4*i+k] = uint8(min(max(b.Data[3*i+k], 0), 255) + 0.5)
		}
		picture.Pix[4*i+3] = 255
	}
	overlay := heatOverlay(heat, height, width)
	draw.BiLinear.Scale(picture, picture.Rect, overlay, overlay.Bounds(), draw.Over, nil)
	return picture
}

// longestPicture is how many bytes of 255 an image's name may take in that of
// its picture, which has a number, too, and .png.
const longestPicture = 240

// write gives a picture its image's path below the folder. What leads out of it
// is left off, a name that leaves no room for .png is cut, and where two images
// come to one name, the second has a number.
func (e *explainer) write(s pipeline.Sample, picture stdimage.Image) error {
	below, base := path.Split(path.Clean("/" + s.ID))
	name := filepath.Join(e.dir, filepath.FromSlash(below), atomicfile.Short(base, longestPicture))
	if e.taken[name]++; e.taken[name] > 1 {
		name = fmt.Sprintf("%s-%d", name, e.taken[name])
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, picture); err != nil {
		return err
	}
	return atomicfile.WriteFile(name+".png", encoded.Bytes(), 0o644)
}
