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
	model   *Classifier
	network pipeline.Predictor
	dir     string
	taken   map[string]int // how often each file name was needed
}

// Explainer returns a predictor that also writes a picture of each image that it
// predicts into a folder: the image as the network sees it, under a Grad-CAM heat
// map of the predicted class. The predictions are those of network, which is the
// model's own or wraps it. It is not safe for concurrent use.
func (c *Classifier) Explainer(network pipeline.Predictor, dir string) (pipeline.Predictor, error) {
	if !c.Network.Explains() {
		err := pipeline.Errorf(pipeline.BadModel, "model %s: cannot explain: signature \"explain\" is missing", c.path)
		return nil, pipeline.WithHint(err, "a network whose features are one vector has no heat maps; if yours has feature maps, export it again with tftl-export and train the new export")
	}
	return &explainer{model: c, network: network, dir: dir, taken: map[string]int{}}, os.MkdirAll(dir, 0o755)
}

// Predict predicts with the network and writes the pictures. It must not be
// called concurrently.
func (e *explainer) Predict(ctx context.Context, images pipeline.Batch) ([]pipeline.Prediction, error) {
	if images.Recycle != nil {
		defer images.Recycle()
		images.Recycle = nil // the pixels are needed until the end
	}
	predictions, err := e.network.Predict(ctx, images)
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

// longestPicture is the most bytes of a picture's name that may come from its
// image. A number and .png follow, and file systems allow 255 bytes.
const longestPicture = 240

// write saves a picture below the folder under its image's path. It drops parts
// of the path that lead out of the folder, shortens long names, and adds numbers
// to names that are already taken.
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
