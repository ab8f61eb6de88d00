package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const decisionFile = "decision.json"

// WriteDecision writes how the model's outputs become a class. It belongs to
// the trained model, so a copy lies in the model's folder and goes where that
// goes.
func (d Dir) WriteDecision(document any) error {
	model := Dir{filepath.Join(d.Model(), "assets.extra")}
	if err := model.WriteJSON(decisionFile, document); err != nil {
		return err
	}
	return d.WriteJSON(decisionFile, document)
}

// RemoveDecision goes back to none.
func (d Dir) RemoveDecision() error {
	for _, path := range []string{filepath.Join(d.Model(), "assets.extra", decisionFile), d.File(decisionFile)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// ReadDecision reads it; where none was written, into stays as it is.
func (d Dir) ReadDecision(into any) error {
	if err := d.ReadJSON(decisionFile, into); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ReadModelDecision reads the copy in the folder of a SavedModel.
func ReadModelDecision(model string, into any) error {
	return Dir{filepath.Join(model, "assets.extra")}.ReadDecision(into)
}
