// Package rundir is the run folder: what a run was asked for, what it did and
// what it learned. It has typed access to every file, each of which is complete
// or absent, and the recorder that a training loop writes to. FORMAT.md describes
// the files.
//
// It knows no TensorFlow: callers pass in how a checkpoint is saved. It computes
// no metrics and renders nothing.
package rundir

import (
	"cmp"
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

// Create makes the folder of a new run with what fill writes into it, completely
// or not at all. It refuses a folder that is not empty, unless overwrite is set
// and the folder holds a run, which it replaces. A replaced run that had a model
// is kept in Replaced until the new one has a model too. Files that tftl did not
// write stay. If fill locks the folder, no other process sees it unlocked.
func Create(path string, overwrite bool, fill func(Dir) error) (Dir, error) {
	d := Dir{path}
	unlock, err := d.claim(overwrite)
	defer func() { unlock() }()
	if err != nil {
		return Dir{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return Dir{}, fmt.Errorf("output: %w", err)
	}
	if err := atomicfile.RemoveUnfinished(d.place()); err != nil {
		return Dir{}, err
	}
	err = atomicfile.ReplaceDirBut(d.place(), func(tmp string) (err error) {
		unlock() // again, because another process may have made it meanwhile
		if unlock, err = d.claim(overwrite); err != nil {
			return err
		}
		if err := os.Mkdir(filepath.Join(tmp, checkpointsDir), 0o755); err != nil {
			return err
		}
		if err := fill(Dir{tmp}); err != nil {
			return err
		}
		return Dir{tmp}.sealNew()
	}, d.retire)
	if errors.Is(err, fs.ErrExist) {
		err = pipeline.Errorf(pipeline.BadUsage, "output %s: another process has begun a run in it", path)
	}
	return d, err
}

// claim locks a folder for Create, if it exists, and returns an error if Create
// would refuse it.
func (d Dir) claim(overwrite bool) (unlock func(), err error) {
	unlock = func() {}
	if err := Free(d.Path, overwrite); err != nil {
		return unlock, err
	}
	locked, err := d.Lock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unlock, nil
	case err != nil:
		return unlock, err
	}
	return locked, Free(d.Path, overwrite) // what it was before the lock does not count
}

// Unused returns the first of runs/NAME-1, runs/NAME-2 … that does not exist, named
// after the data.
func Unused(data string) string {
	name := "run"
	if absolute, err := filepath.Abs(data); err == nil {
		plain := strings.NewReplacer("*", "", "?", "", "[", "", "]", "") // no pattern of files
		name = cmp.Or(strings.Trim(plain.Replace(filepath.Base(absolute)), "-"), name)
	}
	for i := 1; ; i++ {
		path := filepath.Join("runs", fmt.Sprintf("%s-%d", name, i))
		if _, err := os.Stat(path); err != nil {
			return path
		}
	}
}

// Free returns an error if Create would refuse the folder.
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
	err = pipeline.Errorf(pipeline.BadUsage, "output %s: exists and is not empty", path)
	if Is(path) {
		return pipeline.WithHint(err, "choose another %s, %s to replace the run, or %s to continue it",
			pipeline.Option("output"), pipeline.Option("overwrite"), pipeline.Option("resume"))
	}
	return pipeline.WithHint(err, "choose another %s", pipeline.Option("output"))
}

// place is the folder itself. If Path is a link to it, the link stays.
func (d Dir) place() string {
	if linked, err := filepath.EvalSymlinks(d.Path); err == nil {
		return linked
	}
	return d.Path
}

// retire keeps or removes the run that this one replaced. Files that tftl did not
// write move here.
func (d Dir) retire(old string) error {
	if err := d.keepForeign(old); err != nil {
		return err
	}
	for _, kept := range []Dir{{old}, {Dir{old}.Replaced()}} {
		if _, err := os.Stat(kept.Model()); err != nil {
			continue
		}
		if err := os.Rename(kept.Path, d.Replaced()); err != nil {
			return err // without removing anything
		}
		break
	}
	return os.RemoveAll(old)
}

// Is says whether a folder holds a run. Many programs write a config.json, so it
// looks for the keys that every Config has.
func Is(path string) bool {
	if exists(filepath.Join(path, runSeal)) {
		return true // whatever has become of config.json
	}
	info, err := os.Stat(filepath.Join(path, configFile))
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	data, err := os.ReadFile(filepath.Join(path, configFile))
	if err != nil {
		return true // not readable; ReadConfig says why
	}
	var parts map[string]json.RawMessage
	if json.Unmarshal(data, &parts) != nil {
		_, err := os.Stat(filepath.Join(path, checkpointsDir))
		return err == nil // damaged; ReadConfig says so
	}
	for _, name := range []string{"tftl", "data", "model", "training", "runtime"} {
		if parts[name] == nil {
			return false
		}
	}
	return true
}

// Begun says whether training has left an epoch or a checkpoint.
func (d Dir) Begun() bool {
	for _, trace := range []string{d.File(historyFile), d.checkpoint(pipeline.Last), d.checkpoint(pipeline.Best)} {
		if _, err := os.Lstat(trace); err == nil {
			return true
		}
	}
	return false
}

// Remove removes the run. Files that tftl did not write stay, and so does a link
// to the folder.
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

// Find is the run in a folder, for reading. Another process may be training it.
func Find(path string) (Dir, error) {
	if !Is(path) {
		why := "it has no config.json"
		if _, err := os.Stat(filepath.Join(path, configFile)); err == nil {
			why = "tftl did not write its config.json"
		}
		return Dir{}, pipeline.Errorf(pipeline.BadUsage, "%s is not a run folder: %s", path, why)
	}
	return Dir{path}, nil
}

// Open is the run in a folder, for the process that resumes it. It repairs what a
// killed process left behind.
func Open(path string) (Dir, error) {
	d, err := Find(path)
	if err != nil {
		return d, err
	}
	if err := replaceable(path, modelDir); err != nil {
		return d, err
	}
	unlock, err := d.Lock()
	if err != nil {
		return d, err
	}
	defer unlock()
	for _, name := range []string{configFile, historyFile, historyTable, runSeal} {
		if err := atomicfile.Sweep(d.File(name)); err != nil {
			return d, err
		}
	}
	return d, errors.Join(
		atomicfile.RecoverDirBut(d.place(), d.retire),
		atomicfile.RecoverDir(d.Model()),
		atomicfile.RecoverDir(d.checkpoint(pipeline.Best)),
		atomicfile.RecoverDir(d.checkpoint(pipeline.Last)),
	)
}

// File is the path of a file in the run folder.
func (d Dir) File(name string) string { return filepath.Join(d.Path, name) }

// Model is the folder of the trained model.
func (d Dir) Model() string { return d.File(modelDir) }

// Replaced is the folder of the run that this one replaced.
func (d Dir) Replaced() string { return d.File(replacedDir) }

// WriteJSON writes a document as indented JSON.
func (d Dir) WriteJSON(name string, document any) error {
	data, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return atomicfile.WriteFile(d.File(name), append(data, '\n'), 0o644)
}

// ReadJSON reads a document.
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

// Append adds a line of JSON to a file and syncs the file.
func (d Dir) Append(name string, document any) error {
	return d.appendLine(name, document, (*os.File).Sync)
}

// appendLine adds a line of JSON to a file, then does after.
func (d Dir) appendLine(name string, document any, after func(*os.File) error) error {
	data, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	file, err := os.OpenFile(d.File(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(append(data, '\n'))
	return errors.Join(err, after(file), file.Close())
}
