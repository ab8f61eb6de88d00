package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"tftl/internal/atomicfile"
	"tftl/internal/printable"
	"tftl/pipeline"
)

// ReplaceModel replaces the trained model with what export writes into an empty
// folder from the best checkpoint. If the model already has these weights, it
// stays, and so does its evaluation. Otherwise evaluation and decision are
// removed, because they describe the old weights.
//
// check says whether a model that stays is whole; nil does not look.
func (d Dir) ReplaceModel(export, check func(dir string) error) error {
	_, best, err := d.Verify(pipeline.Best)
	if err != nil {
		return err
	}
	is, err := d.modelIs(best)
	if err != nil {
		return err
	}
	if is {
		if check != nil {
			err = check(d.Model())
		}
		if err != nil {
			return pipeline.WithHint(err, "remove %s and resume the run: then its model is written again", printable.Argument(d.Model()))
		}
		return errors.Join(d.RestoreDecision(), os.RemoveAll(d.Replaced()))
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
func (d Dir) modelIs(checkpoint string) (bool, error) {
	have, err := d.readFile(bestPath)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return string(have) == checkpoint+"\n", err
}

// HasModel reports whether the run has a trained model.
func (d Dir) HasModel() bool {
	_, err := os.Stat(d.Model())
	return err == nil
}

// ModelIsBest reports whether the model has the weights of the best checkpoint. It
// has not if training went on, and it is unknown of old runs.
func (d Dir) ModelIsBest() (bool, error) {
	_, best, err := d.Verify(pipeline.Best)
	if errors.Is(err, fs.ErrNotExist) || err != nil && !d.sealed() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return d.modelIs(best)
}
