package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"image"
	_ "image/jpeg" // what a gallery's pictures are
	_ "image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// GalleryDir is the folder of the pictures in a run's, and galleryFile names
// what is in it.
const (
	GalleryDir  = "gallery"
	galleryFile = "gallery.json"
)

// most is how many pictures either list of a gallery has at most.
const most = 24

// Gallery is gallery/gallery.json: pictures of the test part that are worth a
// look. Whoever has the model and the images makes them; a report shows them.
type Gallery struct {
	// Predictions is the SHA-256, in hex, of the predictions.csv that the
	// pictures were chosen by: a gallery of other predictions is not shown.
	Predictions string    `json:"predictions_sha256"`
	Mistakes    []Picture `json:"mistakes"`  // the most confident first
	Uncertain   []Picture `json:"uncertain"` // the least certain first
}

// Picture is one image of a gallery.
type Picture struct {
	ID          string  `json:"path"`
	Label       string  `json:"label"`
	Predicted   string  `json:"predicted"`
	Probability float64 `json:"probability"` // of the predicted class
	Thumb       string  `json:"thumb"`       // a file beside gallery.json
	// Overlay is one, too, and shows where the network found its class: to be
	// laid over the thumb and stretched to its size. Empty where the model
	// cannot say.
	Overlay string `json:"overlay,omitempty"`
}

// Choose picks the samples that a gallery shows: the mistakes that the model
// was most sure of, and the samples that it was least sure of, right or wrong:
// those whose best probability is nearest to the next, or to the threshold
// where there is one. Of a small set no more than half are called uncertain.
// Both are indices of the table's predictions.
func Choose(t metrics.Table, d metrics.Decision) (mistakes, uncertain []int) {
	predictions := d.Calibrate(t.Predictions)
	sure := make([]float32, len(predictions)) // probability of the predicted class
	gap := make([]float32, len(predictions))
	for i, p := range predictions {
		class := d.Class(p.Probabilities)
		sure[i] = p.Probabilities[class]
		gap[i] = margin(p.Probabilities)
		if d.Threshold > 0 && len(p.Probabilities) == 2 {
			gap[i] = float32(math.Abs(float64(p.Probabilities[1]) - d.Threshold))
		}
		if class != p.Sample.Label {
			mistakes = append(mistakes, i)
		}
		uncertain = append(uncertain, i)
	}
	slices.SortStableFunc(mistakes, func(a, b int) int { return cmp.Compare(sure[b], sure[a]) })
	slices.SortStableFunc(uncertain, func(a, b int) int { return cmp.Compare(gap[a], gap[b]) })
	return mistakes[:min(len(mistakes), most)], uncertain[:min((len(uncertain)+1)/2, most)]
}

// margin is how far the largest of two or more is from the second largest.
func margin(probabilities []float32) float32 {
	first, second := float32(0), float32(0)
	for _, p := range probabilities {
		switch {
		case p > first:
			first, second = p, first
		case p > second:
			second = p
		}
	}
	return first - second
}

// PredictionsDigest is what Gallery.Predictions holds.
func PredictionsDigest(run rundir.Dir) (string, error) {
	data, err := os.ReadFile(run.File("predictions.csv"))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// WriteGallery writes what a gallery is into its folder.
func WriteGallery(dir string, g Gallery) error {
	return rundir.Dir{Path: dir}.WriteJSON(galleryFile, g)
}

// HasGallery says whether a run has pictures of its present predictions.
func HasGallery(run rundir.Dir) (bool, error) {
	g, err := readGallery(run)
	return g != nil, err
}

// readGallery is the run's gallery, or nil where there is none of its predictions.
func readGallery(run rundir.Dir) (*Gallery, error) {
	g := new(Gallery)
	err := run.ReadJSON(filepath.Join(GalleryDir, galleryFile), g)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	digest, err := PredictionsDigest(run)
	if err != nil || digest != g.Predictions {
		return nil, err
	}
	return g, nil
}

// inline is one of the gallery's files as a data URI, and its size.
func inline(run rundir.Dir, name string) (uri template.URL, width, height int, err error) {
	path := run.File(filepath.Join(GalleryDir, name))
	if !filepath.IsLocal(name) || filepath.Dir(name) != "." {
		return "", 0, 0, fmt.Errorf("%s: %q is no file beside it", run.File(filepath.Join(GalleryDir, galleryFile)), name)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", 0, 0, err
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "", 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	return template.URL("data:image/" + format + ";base64," + base64.StdEncoding.EncodeToString(data)), config.Width, config.Height, nil
}
