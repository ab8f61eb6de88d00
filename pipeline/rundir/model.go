package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

// ReplaceModel replaces the trained model with what export writes into an empty
// folder from the best checkpoint. If the model already has these weights, it
// stays, and so does its evaluation. Otherwise evaluation and decision are
// removed, because they describe the old weights.
func (d Dir) ReplaceModel(export func(dir string) error) error {
	_, best, err := d.Verify(pipeline.Best)
	if err != nil {
		return err
	}
	if d.modelIs(best) {
		return os.RemoveAll(d.Replaced())
	}
	err = atomicfile.ReplaceDir(d.Model(), func(tmp string) error {
		if err := export(tmp); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(tmp, extraDir), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, extraDir, bestFile), []byte(best+"\n"), 0o644); err != nil {
			return err
		}
		var errs error
		for _, f := range files() {
			if f.measured {
				errs = errors.Join(errs, os.RemoveAll(d.File(f.pattern)))
			}
		}
		return errors.Join(errs, removeGallery(d.File(galleryDir)))
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(d.Replaced())
}

// modelIs reports whether the model was made of a checkpoint with this digest.
func (d Dir) modelIs(checkpoint string) bool {
	have, err := os.ReadFile(filepath.Join(d.Model(), extraDir, bestFile))
	return err == nil && string(have) == checkpoint+"\n"
}

// HasModel reports whether the run has a trained model.
func (d Dir) HasModel() bool {
	_, err := os.Stat(d.Model())
	return err == nil
}

// ModelIsBest reports whether the model has the weights of the best checkpoint. It
// has not if training went on, and it is unknown of old runs.
func (d Dir) ModelIsBest() bool {
	_, best, err := d.Verify(pipeline.Best)
	return err == nil && d.modelIs(best)
}

// WriteDecision writes decision.json: how the model's outputs become a class. It
// belongs to the trained model, so a copy in the model's folder goes where that
// goes.
func (d Dir) WriteDecision(document any) error {
	model := Dir{filepath.Join(d.Model(), extraDir)}
	if err := model.WriteJSON(decisionFile, document); err != nil {
		return err
	}
	return d.WriteJSON(decisionFile, document)
}

// RemoveDecision removes decision.json and its copy.
func (d Dir) RemoveDecision() error {
	for _, path := range []string{filepath.Join(d.Model(), extraDir, decisionFile), d.File(decisionFile)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// ReadDecision reads decision.json, or leaves into unchanged if there is none.
func (d Dir) ReadDecision(into any) error {
	if err := d.ReadJSON(decisionFile, into); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ReadModelDecision reads the copy of decision.json in a SavedModel's folder.
func ReadModelDecision(model string, into any) error {
	return Dir{filepath.Join(model, extraDir)}.ReadDecision(into)
}
