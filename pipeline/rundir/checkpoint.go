package rundir

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

const previous = "previous" // the checkpoint before the last one

// standing is state.json beside a checkpoint's files: where the run stood, and the
// digests of the files. It is a signed document.
type standing struct {
	State  pipeline.State    `json:"state"`
	SHA256 map[string]string `json:"sha256"` // by file name
	// History is the digest of the epochs in history.jsonl until then. It is empty in
	// older runs, and if the last of them could not be written.
	History string `json:"history_sha256,omitempty"`
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
		digests, err := Dir{tmp}.digests()
		if err != nil {
			return err
		}
		history, err := os.ReadFile(d.File(historyFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s := standing{State: state, SHA256: digests}
		if lines, ok := firstLines(history, state.Epochs); ok {
			s.History = digest(lines)
		}
		data, err := signed(s, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, stateFile), data, 0o644)
	})
}

// firstLines returns so many lines of a file. ok is false if it has less.
func firstLines(text []byte, lines int) (first []byte, ok bool) {
	end := 0
	for range lines {
		n := bytes.IndexByte(text[end:], '\n')
		if n < 0 {
			return nil, false
		}
		end += n + 1
	}
	return text[:end], true
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
	s, sha256, err := d.verify(name)
	return s.State, sha256, err
}

func (d Dir) verify(name string) (s standing, sha256 string, err error) {
	for {
		s, sha256, err = d.verifyOnce(name)
		if !errors.Is(err, errDamaged) {
			return s, sha256, err
		}
		// A process that trains may have replaced it meanwhile.
		if now, again := d.standing(name); again != nil || now.History == s.History && maps.Equal(now.SHA256, s.SHA256) {
			return s, "", err
		}
	}
}

func (d Dir) verifyOnce(name string) (s standing, sha256 string, err error) {
	if s, err = d.standing(name); err != nil {
		return s, "", err
	}
	dir := filepath.Join(checkpointsDir, name)
	have, err := Dir{d.File(dir)}.digests()
	if err != nil {
		return s, "", err
	}
	for file, want := range s.SHA256 {
		if have[file] != want {
			return s, "", d.damaged(filepath.Join(dir, file), "its digest is not that in "+stateFile)
		}
	}
	return s, have["ckpt.data-00000-of-00001"], nil
}

// standing reads a checkpoint's state.json.
func (d Dir) standing(name string) (s standing, err error) {
	path := filepath.Join(checkpointsDir, name, stateFile)
	data, err := d.readRegular(path)
	if errors.Is(err, fs.ErrNotExist) && exists(d.checkpoint(name)) {
		data, err = d.readRegular(path) // the folder may have come meanwhile
		if errors.Is(err, fs.ErrNotExist) && exists(d.checkpoint(name)) {
			err = d.damaged(path, "it is missing")
		}
	}
	if err != nil {
		return s, err
	}
	of := name
	if name == previous { // it was the last one when it was written
		of = pipeline.Last
	}
	if err := readSigned(data, of, d.sealed(), &s); err != nil {
		return standing{}, d.damaged(path, err.Error())
	}
	at := s.State
	if min(at.Stage, at.InStage, at.Began, at.Step, at.Epochs, at.Batch, at.Seen, at.Correct) < 0 || at.InStage > at.Epochs || at.Began > at.Step {
		return standing{}, d.damaged(path, "its numbers are impossible")
	}
	return s, nil
}

// State is where the run stands according to its last checkpoint. Without one it
// is the zero State. Resume also checks that the checkpoint is whole.
func (d Dir) State() (pipeline.State, error) {
	last, err := d.standing(pipeline.Last)
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
func (d Dir) digests() (map[string]string, error) {
	entries, err := os.ReadDir(d.Path) // fs.Glob would hide the errors of a disk
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, "ckpt.") {
			continue
		}
		if all[name], err = d.digestOf(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Resume finds where to continue: the last checkpoint, the one before if that is
// damaged, or else the beginning. It cuts later epochs off the history. The warnings
// say why the last checkpoint was not used, and what else was lost.
func (d Dir) Resume() (state pipeline.State, history []pipeline.Epoch, warnings []pipeline.Message, err error) {
	timing, err := d.checkGrowing()
	if err != nil {
		return state, nil, nil, err
	}
	if !timing.Empty() {
		warnings = append(warnings, timing)
	}
	from := pipeline.Last
	at, _, err := d.verify(from)
	if err != nil {
		var before error
		instead := "the previous one"
		if at, _, before = d.verify(previous); before == nil {
			from = previous
		} else {
			at, from, instead = standing{}, "", "the beginning"
		}
		if !errors.Is(err, fs.ErrNotExist) {
			warnings = append(warnings, pipeline.Messagef("the last checkpoint cannot be used: %v; continuing from %s", err, instead))
		}
	}
	history, data, err := d.readHistory(at)
	if err != nil {
		return state, nil, nil, err
	}
	history = history[:min(at.State.Epochs, len(history))]
	if err := d.checkBest(history); err != nil {
		return state, nil, nil, err
	}
	if err = d.unseal(); err == nil && !timing.Empty() {
		err = remove(d.File(timingFile))
	}
	if err == nil && from == previous {
		err = d.promotePrevious()
	}
	if first, _ := firstLines(data, len(history)); err == nil && len(first) < len(data) {
		err = atomicfile.WriteFile(d.File(historyFile), first, 0o644)
	}
	return at.State, history, warnings, err
}

// checkBest checks the best checkpoint, if there must be one. The model is made of it,
// and a deeper stage starts from it.
func (d Dir) checkBest(history []pipeline.Epoch) error {
	if _, ok := pipeline.BestOf(history); !ok {
		return nil
	}
	best, _, err := d.verify(pipeline.Best)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another epoch may be better
	}
	if err == nil && best.State.Epochs <= len(history) {
		_, _, err = d.readHistory(best)
	}
	return err
}

// promotePrevious makes the previous checkpoint the last one.
func (d Dir) promotePrevious() error {
	if err := os.RemoveAll(d.checkpoint(pipeline.Last)); err != nil {
		return err
	}
	return os.Rename(d.checkpoint(previous), d.checkpoint(pipeline.Last))
}
