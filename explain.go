package tftl

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/pixels"
)

type explainer struct {
	model *Classifier
	dir   string
	taken map[string]int // how often each file name was wanted
}

// Explainer is the model's network, which also writes a picture of each image
// that it predicts into a folder: the image as the network sees it, under a
// Grad-CAM heat map of the predicted class. PredictWith takes it. It is not safe
// for concurrent use.
func (c *Classifier) Explainer(dir string) (pipeline.Predictor, error) {
	if !c.Network.Explains() {
		err := pipeline.Errorf(pipeline.BadModel, "model %s: cannot explain: signature \"explain\" is missing", c.path)
		return nil, pipeline.WithHint(err, "export the network again with scripts/export.py and train that")
	}
	return &explainer{model: c, dir: dir, taken: map[string]int{}}, os.MkdirAll(dir, 0o755)
}

// Predict is the network's Predict, and writes the pictures as well. It must not
// be called concurrently.
func (e *explainer) Predict(ctx context.Context, images pipeline.Batch) ([]pipeline.Prediction, error) {
	if images.Recycle != nil {
		defer images.Recycle()
		images.Recycle = nil // the pixels are needed to the end
	}
	predictions, err := e.model.Network.Predict(ctx, images)
	if err != nil {
		return nil, err
	}
	var classes []int
	for _, p := range e.model.Decision.Calibrate(predictions) {
		classes = append(classes, e.model.Decision.Class(p.Probabilities))
	}
	return predictions, pixels.PaintExplained(ctx, e.model.Network, images, classes, func(i int, picture []byte) error {
		return e.write(images.Samples[i], picture)
	})
}

// longestPicture is the largest number of bytes, of the 255 of a file name, that
// an image's name may take: a number and .png follow it.
const longestPicture = 240

// write saves a picture under its image's path below the folder. Parts of the
// path that lead out of the folder are dropped, a name too long for .png is
// shortened, and of images with the same name, later ones get a number.
func (e *explainer) write(s pipeline.Sample, picture []byte) error {
	below, base := path.Split(path.Clean("/" + s.ID))
	name := filepath.Join(e.dir, filepath.FromSlash(below), atomicfile.Short(base, longestPicture))
	if e.taken[name]++; e.taken[name] > 1 {
		name = fmt.Sprintf("%s-%d", name, e.taken[name])
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteFile(name+".png", picture, 0o644)
}
