package report

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"image"
	_ "image/jpeg" // the formats of a gallery's pictures
	_ "image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"tftl/pipeline/rundir"
)

// Gallery is gallery/gallery.json: pictures of the test part that are worth a
// look. A report shows them; making them takes the model and the images.
type Gallery struct {
	// Predictions is the SHA-256 in hex of the predictions from which the pictures
	// were chosen (rundir.Dir.PredictionsDigest). A gallery of others is not shown.
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
	// Overlay is another file: the Grad-CAM heat map, to be stretched over the
	// thumb. It is empty if the model cannot make one.
	Overlay string `json:"overlay,omitempty"`
}

// WriteGallery writes gallery.json into a gallery's folder.
func WriteGallery(dir string, g Gallery) error {
	return rundir.WriteGallery(dir, g)
}

// HasGallery reports whether a run has the pictures of its current predictions: all
// of them, and no others.
func HasGallery(run rundir.Dir) (bool, error) {
	g, err := readGallery(run)
	if g == nil || err != nil {
		return false, intact(err)
	}
	missing := map[string]bool{filepath.Base(run.GalleryIndex()): true}
	sealed, err := run.GalleryFiles()
	if err != nil {
		return false, intact(err)
	}
	for _, name := range sealed {
		missing[name] = true
	}
	for _, p := range slices.Concat(g.Mistakes, g.Uncertain) {
		missing[p.Thumb] = true
		if p.Overlay != "" {
			missing[p.Overlay] = true
		}
	}
	files, err := os.ReadDir(filepath.Dir(run.GalleryIndex()))
	for _, file := range files {
		if !missing[file.Name()] {
			return false, err
		}
		delete(missing, file.Name())
	}
	return len(missing) == 0, err
}

// intact leaves out the error of a damaged gallery, which is as good as none.
func intact(err error) error {
	if rundir.Damaged(err) {
		return nil
	}
	return err
}

// readGallery is the run's gallery, or nil if there is none of its predictions.
func readGallery(run rundir.Dir) (*Gallery, error) {
	g := new(Gallery)
	err := run.ReadGallery(g)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	digest, err := run.PredictionsDigest()
	if err != nil || digest != g.Predictions {
		return nil, err
	}
	return g, nil
}

// inline is a file of the gallery as a data URI, with its size.
func inline(run rundir.Dir, name string) (uri template.URL, width, height int, err error) {
	if !filepath.IsLocal(name) || filepath.Dir(name) != "." {
		return "", 0, 0, fmt.Errorf("%s: %q is not a file beside it", run.GalleryIndex(), name)
	}
	data, err := run.ReadGalleryFile(name)
	if err != nil {
		return "", 0, 0, err
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "", 0, 0, fmt.Errorf("%s: %w", run.GalleryFile(name), err)
	}
	return template.URL("data:image/" + format + ";base64," + base64.StdEncoding.EncodeToString(data)), config.Width, config.Height, nil
}
