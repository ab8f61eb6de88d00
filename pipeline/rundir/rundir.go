// Package rundir is the run folder: what a run was asked for, what it did, and
// what it learnt, each in a file that is whole or absent.
//
//	config.json         every option as it was resolved, seed, digests
//	labels.txt          the classes, one a line, in the order of the outputs
//	data.csv            which image was in which part
//	contents.csv        what each image was, by its SHA-256
//	bad-images.csv      which were skipped, and why, where skipping was asked for
//	history.jsonl       a line an epoch; repeats from run to run
//	timing.jsonl        seconds; does not
//	checkpoints/best    the best weights so far
//	checkpoints/last    where the run stood
//	model/              the trained SavedModel
//	replaced/           the run that was here before, until there is a model
//	decision.json       how its outputs become a class, where that was decided; in model/ too
//	evaluation.json     the test figures, predictions.csv beside it
//	gallery/            images worth a look, as the report has them
//	report.html         all of this for people; report.md in brief
//
// It knows no TensorFlow: whoever saves a checkpoint passes in how.
package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

// Dir is a run folder.
type Dir struct{ Path string }

// Create makes the folder of a new run with what fill writes into it, whole or
// not at all. One that exists and is not empty is refused, unless overwrite is
// set and it holds a run, whose place the new one then takes. If that had a
// model it is kept in Replaced, until the new one has a model of its own. Files
// that tftl did not write stay.
func Create(path string, overwrite bool, fill func(Dir) error) (Dir, error) {
	if err := Free(path, overwrite); err != nil {
		return Dir{}, err
	}
	if Is(path) {
		unlock, err := Dir{path}.Lock()
		if err != nil {
			return Dir{}, err
		}
		defer unlock()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return Dir{}, fmt.Errorf("output: %w", err)
	}
	d := Dir{path}
	err := atomicfile.ReplaceDirBut(d.place(), func(tmp string) error {
		if err := os.Mkdir(filepath.Join(tmp, "checkpoints"), 0o755); err != nil {
			return err
		}
		return fill(Dir{tmp})
	}, d.retire)
	return d, err
}

// Free is an error where Create would refuse the folder.
func Free(path string, overwrite bool) error {
	entries, err := os.ReadDir(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return pipeline.Errorf(pipeline.BadUsage, "output: %w", err)
	case len(entries) == 0:
		return nil
	case overwrite && Is(path):
		return replaceable(path)
	}
	hint := "choose another --output"
	if Is(path) {
		hint += ", --overwrite to replace the run, or --resume to go on with it"
	}
	return pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "output %s: exists and is not empty", path), "%s", hint)
}

// place is where the folder is, which a link may lead to: the link stays.
func (d Dir) place() string {
	if linked, err := filepath.EvalSymlinks(d.Path); err == nil {
		return linked
	}
	return d.Path
}

// retire is what becomes of the run whose place this one took; what in its folder
// is not tftl's moves here.
func (d Dir) retire(old string) error {
	if err := d.keepForeign(old); err != nil {
		return err
	}
	for _, kept := range []Dir{{old}, {Dir{old}.Replaced()}} {
		if _, err := os.Stat(kept.Model()); err != nil {
			continue
		}
		if err := os.Rename(kept.Path, d.Replaced()); err != nil {
			return err // and nothing is removed
		}
		break
	}
	return os.RemoveAll(old)
}

// Is says whether a folder is a run's. Many programs write a config.json: a
// run's has the parts that every Config has.
func Is(path string) bool {
	info, err := os.Stat(filepath.Join(path, "config.json"))
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	data, err := os.ReadFile(filepath.Join(path, "config.json"))
	if err != nil {
		return true // of whoever may not be read; reading it says why
	}
	var parts map[string]json.RawMessage
	if json.Unmarshal(data, &parts) != nil {
		_, err := os.Stat(filepath.Join(path, "checkpoints"))
		return err == nil // damaged; reading it says so
	}
	for _, name := range []string{"tftl", "data", "model", "training", "runtime"} {
		if parts[name] == nil {
			return false
		}
	}
	return true
}

// Begun says whether training left anything: an epoch or a checkpoint.
func (d Dir) Begun() bool {
	for _, trace := range []string{d.File("history.jsonl"), d.checkpoint(pipeline.Last), d.checkpoint(pipeline.Best)} {
		if _, err := os.Lstat(trace); err == nil {
			return true
		}
	}
	return false
}

// Remove removes the run. A link to its folder stays, and leads to what tftl did
// not write, if nothing else.
func (d Dir) Remove() error {
	place := d.place()
	kept, _, err := foreign(place)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(place)
	for _, e := range entries {
		if !slices.Contains(kept, e.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(place, e.Name())))
		}
	}
	if info, statErr := os.Lstat(d.Path); len(kept) > 0 || statErr != nil || info.Mode()&fs.ModeSymlink != 0 {
		return err
	}
	return errors.Join(err, os.Remove(place))
}

// Find is the run in a folder, to be read: another process may be training it.
func Find(path string) (Dir, error) {
	if !Is(path) {
		why := "it has no config.json"
		if _, err := os.Stat(filepath.Join(path, "config.json")); err == nil {
			why = "its config.json is not one of tftl's"
		}
		return Dir{}, pipeline.Errorf(pipeline.BadUsage, "%s: is no run folder: %s", path, why)
	}
	return Dir{path}, nil
}

// Open is the run in a folder, for the process that goes on with it: what one
// that was killed left half done is put right.
func Open(path string) (Dir, error) {
	d, err := Find(path)
	if err != nil {
		return d, err
	}
	if err := replaceable(path, "model"); err != nil {
		return d, err
	}
	unlock, err := d.Lock()
	if err != nil {
		return d, err
	}
	defer unlock()
	return d, errors.Join(
		atomicfile.RecoverDirBut(d.place(), d.retire),
		atomicfile.RecoverDir(d.Model()),
		atomicfile.RecoverDir(d.checkpoint(pipeline.Best)),
		atomicfile.RecoverDir(d.checkpoint(pipeline.Last)),
	)
}

// File is the path of a file of the run.
func (d Dir) File(name string) string { return filepath.Join(d.Path, name) }

// Model is the folder of the trained model.
func (d Dir) Model() string { return d.File("model") }

// Replaced is the folder of the run whose place this one took.
func (d Dir) Replaced() string { return d.File("replaced") }

// WriteJSON writes a document, indented.
func (d Dir) WriteJSON(name string, document any) error {
	data, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return atomicfile.WriteFile(d.File(name), append(data, '\n'), 0o644)
}

// ReadJSON reads one.
func (d Dir) ReadJSON(name string, into any) error {
	data, err := os.ReadFile(d.File(name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", d.File(name), err)
	}
	return nil
}

// WriteLabels writes the classes. A class is a folder's name: one with a line
// break in it cannot be told from two.
func (d Dir) WriteLabels(classes []string) error {
	for _, c := range classes {
		if strings.ContainsAny(c, "\r\n") {
			return pipeline.Errorf(pipeline.BadData, "class %q: a line break in its name", c)
		}
	}
	return atomicfile.WriteFile(d.File("labels.txt"), []byte(strings.Join(classes, "\n")+"\n"), 0o644)
}

// Epoch appends a line to the history. It is part of pipeline.Recorder.
func (d Dir) Epoch(e pipeline.Epoch) error { return d.Append("history.jsonl", e) }

// Append adds a line of JSON to a file and syncs it.
func (d Dir) Append(name string, document any) error {
	data, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	file, err := os.OpenFile(d.File(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(append(data, '\n'))
	return errors.Join(err, file.Sync(), file.Close())
}

// bestFile says of which weights a trained model was made, by their digest.
const bestFile = "best.sha256"

// ReplaceModel replaces the trained model by what export writes into an empty
// folder: the best checkpoint's. One that was made of that already stays, with
// all that was measured of it; of another, evaluation and decision go, for they
// say nothing of the new weights.
func (d Dir) ReplaceModel(export func(dir string) error) error {
	_, best, err := d.Verify(pipeline.Best)
	if err != nil {
		return err
	}
	made := filepath.Join("assets.extra", bestFile)
	if have, err := os.ReadFile(filepath.Join(d.Model(), made)); err == nil && string(have) == best+"\n" {
		return os.RemoveAll(d.Replaced())
	}
	err = atomicfile.ReplaceDir(d.Model(), func(tmp string) error {
		if err := export(tmp); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(tmp, "assets.extra"), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, made), []byte(best+"\n"), 0o644); err != nil {
			return err
		}
		var errs error
		for _, name := range []string{decisionFile, "evaluation.json", "predictions.csv", "report.html", "report.md"} {
			errs = errors.Join(errs, os.RemoveAll(d.File(name)))
		}
		return errors.Join(errs, removeGallery(d.File("gallery")))
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(d.Replaced())
}
