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

// previous is the last checkpoint before the last.
const previous = "previous"

// seal is state.json beside a checkpoint's files: where the run stood, and what
// the files must be.
type seal struct {
	State  pipeline.State    `json:"state"`
	SHA256 map[string]string `json:"sha256"` // by file name
}

// Checkpoint is the path prefix of a checkpoint, as tf.train.load_checkpoint
// takes it. It is part of pipeline.Recorder.
func (d Dir) Checkpoint(name string) string {
	return filepath.Join(d.checkpoint(name), "ckpt")
}

func (d Dir) checkpoint(name string) string { return filepath.Join(d.Path, "checkpoints", name) }

// Save replaces a checkpoint by what save writes, or leaves the old one. Of the
// last checkpoint the one before is kept too. It is part of pipeline.Recorder.
func (d Dir) Save(name string, state pipeline.State, save func(prefix string) error) error {
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
		return os.WriteFile(filepath.Join(tmp, "state.json"), append(data, '\n'), 0o644)
	})
}

// keepPrevious moves the last checkpoint aside. Between this and the new one's
// arrival the previous one is the last.
func (d Dir) keepPrevious() error {
	if _, _, err := d.Verify(pipeline.Last); err != nil {
		return nil // there is none, or none worth keeping
	}
	if err := os.RemoveAll(d.checkpoint(previous)); err != nil {
		return err
	}
	return os.Rename(d.checkpoint(pipeline.Last), d.checkpoint(previous))
}

// Verify reads a checkpoint's state and sees that its files are what was
// written. sha256 is that of its values.
func (d Dir) Verify(name string) (state pipeline.State, sha256 string, err error) {
	dir := d.checkpoint(name)
	data, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return state, "", err
	}
	var s seal
	if err := json.Unmarshal(data, &s); err != nil {
		return state, "", fmt.Errorf("%s: %w", filepath.Join(dir, "state.json"), err)
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

// Finished says whether a run of so many stages has ended of itself, and left
// its model: one that was interrupted, or that ran out of its time, has not.
func (d Dir) Finished(stages int) bool {
	var last seal
	if err := d.ReadJSON(filepath.Join("checkpoints", pipeline.Last, "state.json"), &last); err != nil {
		return false
	}
	_, err := os.Stat(d.Model())
	return err == nil && last.State.Stage >= stages
}

// digests are the SHA-256 of a checkpoint's files by their names.
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

// Resume finds where to go on: the last checkpoint, or where that is damaged
// the one before, and cuts the history off behind it. Without any it is the
// beginning. warning says what was passed over.
func (d Dir) Resume() (state pipeline.State, history []pipeline.Epoch, warning string, err error) {
	state, _, err = d.Verify(pipeline.Last)
	if err != nil {
		var before error
		from := "the one before"
		if state, _, before = d.Verify(previous); before != nil {
			state, from = pipeline.State{}, "the beginning"
		} else if before = d.promotePrevious(); before != nil {
			return state, nil, "", before
		}
		if !errors.Is(err, fs.ErrNotExist) {
			warning = fmt.Sprintf("the last checkpoint cannot be used: %v; going on from %s", err, from)
		}
	}
	history, err = d.history(state.Epochs)
	return state, history, warning, err
}

// promotePrevious puts the one before in the last one's place.
func (d Dir) promotePrevious() error {
	if err := os.RemoveAll(d.checkpoint(pipeline.Last)); err != nil {
		return err
	}
	return os.Rename(d.checkpoint(previous), d.checkpoint(pipeline.Last))
}

// history reads the first lines of history.jsonl and cuts off the rest: epochs
// after the checkpoint, which will be run again.
func (d Dir) history(lines int) ([]pipeline.Epoch, error) {
	path := d.File("history.jsonl")
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var history []pipeline.Epoch
	rest := data
	for range lines {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			return nil, fmt.Errorf("%s: has %d epochs, and the checkpoint %d", path, len(history), lines)
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
