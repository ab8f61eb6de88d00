package rundir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

const (
	previous  = "previous" // the checkpoint before the last one
	stateFile = "state.json"
)

// seal is state.json beside a checkpoint's files: where the run stood, and the
// digests of the files.
type seal struct {
	State  pipeline.State    `json:"state"`
	SHA256 map[string]string `json:"sha256"` // by file name
}

// Checkpoint is the path prefix of a checkpoint, as tf.train.load_checkpoint
// takes it.
func (d Dir) Checkpoint(name string) string {
	return filepath.Join(d.checkpoint(name), "ckpt")
}

func (d Dir) checkpoint(name string) string { return filepath.Join(d.Path, checkpointsDir, name) }

// save replaces a checkpoint with what save writes, or leaves the old one. It
// keeps the checkpoint before the last one too.
func (d Dir) save(name string, state pipeline.State, save func(prefix string) error) error {
	if name == pipeline.Last {
		if err := d.keepPrevious(); err != nil {
			return err
		}
	}
	return atomicfile.ReplaceDir(d.checkpoint(name), func(tmp string) error {
		if err := save(filepath.Join(tmp, "ckpt")); err != nil {
			return err
		}
		digests, err := digests(tmp)
		if err != nil {
			return err
		}
		data, err := json.MarshalIndent(seal{state, digests}, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, stateFile), append(data, '\n'), 0o644)
	})
}

// keepPrevious moves the last checkpoint aside. Until the new one is in its
// place, a run resumes from the previous one.
func (d Dir) keepPrevious() error {
	if _, _, err := d.Verify(pipeline.Last); err != nil {
		return nil // missing, or not worth keeping
	}
	if err := os.RemoveAll(d.checkpoint(previous)); err != nil {
		return err
	}
	return os.Rename(d.checkpoint(pipeline.Last), d.checkpoint(previous))
}

// Verify reads a checkpoint's state and checks that its files are what was
// written. sha256 is the digest of its values.
func (d Dir) Verify(name string) (state pipeline.State, sha256 string, err error) {
	dir := d.checkpoint(name)
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return state, "", err
	}
	var s seal
	if err := json.Unmarshal(data, &s); err != nil {
		return state, "", fmt.Errorf("%s: %w", filepath.Join(dir, stateFile), err)
	}
	have, err := digests(dir)
	if err != nil {
		return state, "", err
	}
	for file, want := range s.SHA256 {
		if have[file] != want {
			return state, "", fmt.Errorf("%s is damaged", filepath.Join(dir, file))
		}
	}
	return s.State, have["ckpt.data-00000-of-00001"], nil
}

// State is where the run stands according to its last checkpoint. Without one it
// is the zero State. Resume also checks that the checkpoint is whole.
func (d Dir) State() (pipeline.State, error) {
	var last seal
	err := d.ReadJSON(filepath.Join(checkpointsDir, pipeline.Last, stateFile), &last)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return last.State, err
}

// Finished says whether a run with this number of stages has trained them all
// and has a model. One that was interrupted or hit a time limit has not.
func (d Dir) Finished(stages int) bool {
	last, err := d.State()
	if err == nil {
		_, err = os.Stat(d.Model())
	}
	return err == nil && last.Stage >= stages
}

// digests are the SHA-256 of a checkpoint's files by name.
func digests(dir string) (map[string]string, error) {
	names, err := fs.Glob(os.DirFS(dir), "ckpt.*") // a folder's own name may look like a pattern
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, name := range names {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, file)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		all[name] = hex.EncodeToString(h.Sum(nil))
	}
	return all, nil
}

// Resume finds where to continue: the last checkpoint, the one before if that is
// damaged, or else the beginning. It cuts later epochs off the history. warning
// says why the last checkpoint was not used.
func (d Dir) Resume() (state pipeline.State, history []pipeline.Epoch, warning pipeline.Message, err error) {
	state, _, err = d.Verify(pipeline.Last)
	if err != nil {
		var before error
		from := "the previous one"
		if state, _, before = d.Verify(previous); before != nil {
			state, from = pipeline.State{}, "the beginning"
		} else if before = d.promotePrevious(); before != nil {
			return state, nil, warning, before
		}
		if !errors.Is(err, fs.ErrNotExist) {
			warning = pipeline.Messagef("the last checkpoint cannot be used: %v; continuing from %s", err, from)
		}
	}
	history, err = d.history(state.Epochs)
	return state, history, warning, err
}

// promotePrevious makes the previous checkpoint the last one.
func (d Dir) promotePrevious() error {
	if err := os.RemoveAll(d.checkpoint(pipeline.Last)); err != nil {
		return err
	}
	return os.Rename(d.checkpoint(previous), d.checkpoint(pipeline.Last))
}

// history reads the first lines of history.jsonl and cuts off the rest: epochs
// after the checkpoint, which will be trained again.
func (d Dir) history(lines int) ([]pipeline.Epoch, error) {
	path := d.File(historyFile)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var history []pipeline.Epoch
	rest := data
	for range lines {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			return nil, fmt.Errorf("%s: has %d epochs, but the checkpoint has %d", path, len(history), lines)
		}
		var e pipeline.Epoch
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, len(history)+1, err)
		}
		history, rest = append(history, e), after
	}
	if len(rest) == 0 {
		return history, nil
	}
	return history, atomicfile.WriteFile(path, data[:len(data)-len(rest)], 0o644)
}
