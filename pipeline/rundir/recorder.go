package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"tftl/pipeline"
)

// Recorder is a run folder while the run is trained: a pipeline.Recorder that
// writes best checkpoints lazily. A run resumes from its last checkpoint, so a
// best one that is newer need not survive the process. Only the newest is put in
// place, just before the next last one is. If a small head improves every few
// milliseconds, this avoids most of the cost of checkpoints.
type Recorder struct {
	Dir
	// Warn receives errors that do not end a run: those of writing timing and
	// TensorBoard logs. It may be nil.
	Warn func(pipeline.Message)

	best *pipeline.State  // of best weights that are not in place yet; nil if they are
	now  func() time.Time // nil: time.Now
}

// waiting is the folder of these weights. Its name makes RecoverDir remove it if
// the process is killed.
func (r *Recorder) waiting() string {
	return filepath.Join(r.Path, checkpointsDir, ".best.waiting.tmp")
}

// Checkpoint is the path prefix of a saved checkpoint.
func (r *Recorder) Checkpoint(name string) string {
	if name == pipeline.Best && r.best != nil {
		return filepath.Join(r.waiting(), "ckpt")
	}
	return r.Dir.Checkpoint(name)
}

// Save writes a checkpoint, or leaves the old one if that fails.
func (r *Recorder) Save(name string, state pipeline.State, save func(prefix string) error) error {
	if name != pipeline.Best {
		if err := r.Flush(); err != nil {
			return err
		}
		return r.Dir.save(name, state, save)
	}
	r.best = nil
	err := os.RemoveAll(r.waiting())
	if err == nil {
		err = os.Mkdir(r.waiting(), 0o755)
	}
	if err == nil {
		err = save(filepath.Join(r.waiting(), "ckpt"))
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(r.waiting()))
	}
	r.best = &state
	return nil
}

// Epoch appends a line to history.jsonl.
func (r *Recorder) Epoch(e pipeline.Epoch) error { return r.Append(historyFile, e) }

// Flush puts the best checkpoint in place. If that fails, the old one stays, and
// a resumed run finds better weights again.
func (r *Recorder) Flush() error {
	if r.best == nil {
		return nil
	}
	state := *r.best
	r.best = nil
	err := r.Dir.save(pipeline.Best, state, func(prefix string) error {
		entries, err := os.ReadDir(r.waiting())
		for _, e := range entries {
			err = errors.Join(err, os.Rename(filepath.Join(r.waiting(), e.Name()), filepath.Join(filepath.Dir(prefix), e.Name())))
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(r.waiting()))
}
