package rundir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"tftl/internal/atomicfile"
	"tftl/internal/printable"
	"tftl/pipeline"
)

// PredictionsPath is the path of predictions.csv.
func (d Dir) PredictionsPath() string { return d.File(predictionsFile) }

// WithPredictions is the run whose predictions.csv a file is, if it is one.
func WithPredictions(file string) (Dir, bool) {
	run := Dir{filepath.Dir(file)}
	return run, filepath.Base(file) == predictionsFile && Is(run.Path)
}

// WritePredictions writes predictions.csv: what the model said of the test part.
func (d Dir) WritePredictions(write func(io.Writer) error) error {
	return atomicfile.Write(d.PredictionsPath(), write)
}

// OpenPredictions opens predictions.csv.
func (d Dir) OpenPredictions() (*os.File, error) {
	file, err := os.Open(d.PredictionsPath())
	return file, d.notEvaluated(err)
}

// Evaluated says whether the run has predictions and what was measured on them.
func (d Dir) Evaluated() bool {
	for _, name := range []string{predictionsFile, evaluationFile} {
		if _, err := os.Stat(d.File(name)); err != nil {
			return false
		}
	}
	return true
}

// WriteEvaluation writes evaluation.json: what was measured on the test part.
func (d Dir) WriteEvaluation(document any) error { return d.WriteJSON(evaluationFile, document) }

// ReadEvaluation reads evaluation.json.
func (d Dir) ReadEvaluation(into any) error {
	return d.notEvaluated(d.ReadJSON(evaluationFile, into))
}

// notEvaluated explains the error of a file that an evaluation writes.
func (d Dir) notEvaluated(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		err = pipeline.Errorf(pipeline.BadData, "run %s has not been evaluated: %w", d.Path, err)
	default:
		err = pipeline.Errorf(pipeline.BadModel, "%w", err)
	}
	return pipeline.WithHint(err, "run: tftl evaluate %s %s", pipeline.Option("model"), printable.Argument(d.Path))
}

// BatchRecord is batch.json. A batch measures a run again unless its record
// would come out the same.
type BatchRecord struct {
	Inputs     string `json:"inputs_sha256"`     // Config.Inputs
	Terms      string `json:"terms_sha256"`      // of the options of the evaluation
	Evaluation string `json:"evaluation_sha256"` // of evaluation.json: somebody else's is not the batch's
}

// NewBatchRecord is the record of the run as it has been evaluated.
func (d Dir) NewBatchRecord(inputs, terms string) (BatchRecord, error) {
	data, err := os.ReadFile(d.File(evaluationFile))
	if err == nil {
		_, err = os.Stat(d.PredictionsPath())
	}
	if err != nil {
		return BatchRecord{}, d.notEvaluated(err)
	}
	sum := sha256.Sum256(data)
	return BatchRecord{inputs, terms, hex.EncodeToString(sum[:])}, nil
}

// WriteBatchRecord writes batch.json.
func (d Dir) WriteBatchRecord(r BatchRecord) error { return d.WriteJSON(batchFile, r) }

// ReadBatchRecord reads batch.json.
func (d Dir) ReadBatchRecord() (r BatchRecord, err error) {
	err = d.ReadJSON(batchFile, &r)
	return r, err
}

// ReportPage is the path of report.html.
func (d Dir) ReportPage() string { return d.File(reportPage) }

// ReportBrief is the path of report.md.
func (d Dir) ReportBrief() string { return d.File(reportBrief) }

// WriteReport writes report.html and report.md.
func (d Dir) WriteReport(page, brief []byte) error {
	return errors.Join(
		atomicfile.WriteFile(d.ReportPage(), page, 0o644),
		atomicfile.WriteFile(d.ReportBrief(), brief, 0o644),
	)
}

// GalleryFile is the path of one of the gallery's files.
func (d Dir) GalleryFile(name string) string { return filepath.Join(d.Path, galleryDir, name) }

// GalleryIndex is the path of gallery.json, which lists the gallery's images.
func (d Dir) GalleryIndex() string { return d.GalleryFile(galleryFile) }

// ReadGallery reads gallery.json.
func (d Dir) ReadGallery(into any) error {
	return d.ReadJSON(filepath.Join(galleryDir, galleryFile), into)
}

// WriteGallery writes gallery.json into the folder that ReplaceGallery fills.
func WriteGallery(dir string, document any) error { return Dir{dir}.WriteJSON(galleryFile, document) }

// ThumbName names the gallery's image number n, from 1.
func ThumbName(n int) string { return fmt.Sprintf("%02d.jpg", n) }

// HeatName names the heat map of the gallery's image number n.
func HeatName(n int) string { return fmt.Sprintf("%02d-heat.png", n) }
