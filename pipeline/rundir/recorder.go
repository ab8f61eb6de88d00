package rundir

import (
	"errors"
	"os"
	"path/filepath"

	"tftl/pipeline"
)

// Recorder is a run's folder while the run is trained: a pipeline.Recorder that
// does not put every best checkpoint on disk for good. A run goes on from its
// last checkpoint, so no best one that came after it need outlast the process:
// the newest is put in its place before the next last one is, which saves a head
// that gets better every few milliseconds most of what checkpoints cost.
type Recorder struct {
	Dir
	best *pipeline.State // of the best weights that are not in their place; nil: they are
}

// waiting is where these weights lie. RecoverDir takes it for what it is, and
// removes what a killed process leaves of it.
func (r *Recorder) waiting() string { return filepath.Join(r.Path, "checkpoints", ".best.waiting.tmp") }

// Checkpoint is the path prefix of a saved checkpoint.
func (r *Recorder) Checkpoint(name string) string {
	if name == pipeline.Best && r.best != nil {
		return filepath.Join(r.waiting(), "ckpt")
	}
	return r.Dir.Checkpoint(name)
}

// Save keeps a checkpoint. One that fails leaves what was in its place.
func (r *Recorder) Save(name string, state pipeline.State, save func(prefix string) error) error {
	if name != pipeline.Best {
		if err := r.Flush(); err != nil {
			return err
		}
		return r.Dir.Save(name, state, save)
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

// Flush puts the best checkpoint in its place, which is as it was where that
// fails: a run that goes on finds it again.
func (r *Recorder) Flush() error {
	if r.best == nil {
		return nil
	}
	state := *r.best
	r.best = nil
	err := r.Dir.Save(pipeline.Best, state, func(prefix string) error {
		entries, err := os.ReadDir(r.waiting())
		for _, e := range entries {
			err = errors.Join(err, os.Rename(filepath.Join(r.waiting(), e.Name()), filepath.Join(filepath.Dir(prefix), e.Name())))
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(r.waiting()))
}
