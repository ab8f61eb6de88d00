package rundir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

// The decision is stored twice: decision.json, and a copy in the model's folder that
// goes where that goes. Both are signed documents that belong to the model's weights. The
// copy is read if there is no decision.json, so a file that was lost, or a process that
// was killed between the two, does not change what a run answers.

// decisions are the paths of both, the run's own first.
func (d Dir) decisions() []string {
	return []string{d.File(decisionFile), filepath.Join(d.Model(), extraDir, decisionFile)}
}

// weightsOf is what a decision in a model's folder belongs to.
func weightsOf(model string) string {
	best, _ := os.ReadFile(filepath.Join(model, extraDir, bestFile)) // none in older models
	return string(best)
}

// WriteDecision writes decision.json: how the model's outputs become a class.
func (d Dir) WriteDecision(document any) error {
	data, err := signed(document, weightsOf(d.Model()))
	if err != nil {
		return err
	}
	for _, path := range slices.Backward(d.decisions()) {
		err = errors.Join(err, atomicfile.WriteFile(path, data, 0o644))
	}
	return err
}

// RemoveDecision removes decision.json and its copy.
func (d Dir) RemoveDecision() error {
	var errs error
	for _, path := range slices.Backward(d.decisions()) {
		errs = errors.Join(errs, remove(path))
	}
	return errs
}

// ReadDecision reads the decision, or leaves into unchanged if there is none.
func (d Dir) ReadDecision(into any) error {
	places := d.decisions()
	if !d.sealed() {
		places = places[:1] // as older versions did
	}
	for _, path := range places {
		if err := d.readDecision(path, into); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// RestoreDecision writes the one of both files again that was lost or damaged, so that
// the model can go elsewhere with its decision. A damaged decision.json stays, because
// the copy may be of an evaluation that was not finished.
func (d Dir) RestoreDecision() error {
	if !d.sealed() || !d.HasModel() {
		return nil
	}
	var whole []byte
	for i, path := range d.decisions() {
		data, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && i == 0:
			continue
		case whole == nil && (err != nil || d.readDecision(path, &struct{}{}) != nil):
			return nil // whoever reads it says why
		case whole == nil:
			whole = data
		case !bytes.Equal(data, whole):
			return atomicfile.WriteFile(path, whole, 0o644)
		}
	}
	if whole == nil || exists(d.File(decisionFile)) {
		return nil
	}
	return atomicfile.WriteFile(d.File(decisionFile), whole, 0o644)
}

func (d Dir) readDecision(path string, into any) error {
	data, err := Dir{filepath.Dir(path)}.readRegular(filepath.Base(path))
	if err != nil {
		return err
	}
	err = readSigned(data, weightsOf(d.Model()), d.sealed(), into)
	if err == nil || !d.sealed() {
		return wrap(path, err)
	}
	err = pipeline.Errorf(pipeline.Other, "%s %w: %w", path, errDamaged, err)
	return pipeline.WithHint(err, "choose the decision again: tftl evaluate with both %s and %s", pipeline.Option("threshold"), pipeline.Option("temperature"))
}

// wrap names the file that an error is about.
func wrap(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}

// ReadModelDecision reads the copy of decision.json in a SavedModel's folder.
func ReadModelDecision(model string, into any) error {
	if run := (Dir{filepath.Dir(filepath.Clean(model))}); filepath.Base(model) == modelDir && run.sealed() {
		return run.ReadDecision(into)
	}
	path := filepath.Join(model, extraDir, decisionFile)
	data, err := Dir{filepath.Dir(path)}.readRegular(filepath.Base(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = readSigned(data, weightsOf(model), false, into)
	}
	return wrap(path, err)
}
