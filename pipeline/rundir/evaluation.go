package rundir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"tftl/internal/atomicfile"
	"tftl/internal/gz"
	"tftl/internal/printable"
	"tftl/pipeline"
)

// PredictionsPath is the path of the run's predictions: predictions.csv, or
// predictions.csv.gz if it has that.
func (d Dir) PredictionsPath() string {
	if packed := d.File(packedPredictionsFile); exists(packed) {
		return packed
	}
	return d.File(predictionsFile)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// WithPredictions is the run whose predictions a file has, if it is one.
func WithPredictions(file string) (Dir, bool) {
	run, name := Dir{filepath.Dir(file)}, filepath.Base(file)
	return run, (name == predictionsFile || name == packedPredictionsFile) && Is(run.Path)
}

// WritePredictions writes what the model said of the test part: predictions.csv, or
// predictions.csv.gz if it is to be packed. It replaces either.
func (d Dir) WritePredictions(pack bool, write func(io.Writer) error) error {
	name, other := predictionsFile, packedPredictionsFile
	if pack {
		name, other = other, name
	}
	// First, because the reader would not know which of two is the newer one.
	if err := remove(d.File(other)); err != nil {
		return err
	}
	return atomicfile.Write(d.File(name), func(w io.Writer) error {
		if !pack {
			return write(w)
		}
		z := gz.NewWriter(w)
		if err := write(z); err != nil {
			return err
		}
		return z.Close()
	})
}

// RemovePredictions removes the predictions, if there are any.
func (d Dir) RemovePredictions() error {
	return errors.Join(remove(d.File(predictionsFile)), remove(d.File(packedPredictionsFile)))
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// OpenPredictions opens the predictions.
func (d Dir) OpenPredictions() (*os.File, error) {
	path := d.PredictionsPath()
	file, err := os.Open(path)
	if err == nil {
		_ = file.Close()
		file, err = d.open(filepath.Base(path))
	}
	if errors.Is(err, fs.ErrNotExist) && d.keepsNoPredictions() {
		err := pipeline.Errorf(pipeline.BadData, "run %s was evaluated without keeping its predictions", d.Path)
		return nil, d.evaluateAgain(err)
	}
	return file, d.notEvaluated(err)
}

// keepsNoPredictions says that the run was evaluated, and was to keep none.
func (d Dir) keepsNoPredictions() bool {
	var kept struct{ Predictions string }
	return d.ReadJSON(evaluationFile, &kept) == nil && kept.Predictions == NoPredictions
}

// NoPredictions is what evaluation.json says of predictions if none were kept.
const NoPredictions = "none"

// PredictionsDigest is the SHA-256 in hex of the predictions, or of evaluation.json
// if none were kept.
func (d Dir) PredictionsDigest() (string, error) {
	file, err := os.Open(d.PredictionsPath())
	if errors.Is(err, fs.ErrNotExist) && d.keepsNoPredictions() {
		file, err = os.Open(d.File(evaluationFile))
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	return digestOf(file)
}

// Evaluated says whether the run has been evaluated, and still has the predictions
// that it was to keep.
func (d Dir) Evaluated() bool {
	return exists(d.File(evaluationFile)) && (exists(d.PredictionsPath()) || d.keepsNoPredictions())
}

// WriteEvaluation writes evaluation.json: what was measured on the test part.
func (d Dir) WriteEvaluation(document any) error { return d.WriteJSON(evaluationFile, document) }

// ReadEvaluation reads evaluation.json.
func (d Dir) ReadEvaluation(into any) error {
	return d.notEvaluated(d.readJSON(evaluationFile, into))
}

// notEvaluated explains the error of a file that an evaluation writes.
func (d Dir) notEvaluated(err error) error {
	switch {
	case err == nil || errors.Is(err, errDamaged):
		return err
	case errors.Is(err, fs.ErrNotExist):
		err = pipeline.Errorf(pipeline.BadData, "run %s has not been evaluated: %w", d.Path, err)
	default:
		err = pipeline.Errorf(pipeline.BadModel, "%w", err)
	}
	return d.evaluateAgain(err)
}

func (d Dir) evaluateAgain(err error) error {
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
	if err == nil && !d.Evaluated() {
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
