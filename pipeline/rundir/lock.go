package rundir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"tftl/pipeline"
)

// Lock keeps other processes from training in the folder until unlock is called
// or the process ends, however it ends. Reading needs no lock.
func (d Dir) Lock() (unlock func(), err error) {
	folder, err := os.Open(d.Path)
	if err != nil {
		return nil, err
	}
	switch err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		_ = folder.Close()
		return nil, pipeline.Errorf(pipeline.BadUsage, "run %s: another process is training in it", d.Path)
	case err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.ENOSYS):
		_ = folder.Close()
		return nil, fmt.Errorf("run %s: lock: %w", d.Path, err)
	}
	if !d.isStill(folder) {
		_ = folder.Close()
		return nil, pipeline.Errorf(pipeline.BadUsage, "run %s: another process is replacing it", d.Path)
	}
	return func() { _ = folder.Close() }, nil
}

// isStill says whether an open folder is the one at the path, and was not replaced
// before it was locked.
func (d Dir) isStill(folder *os.File) bool {
	opened, err := folder.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(d.Path)
	return err == nil && os.SameFile(opened, now)
}

// LockEvaluation waits until no other process writes an evaluation of the run,
// and makes others wait until unlock is called.
func (d Dir) LockEvaluation(ctx context.Context) (unlock func(), err error) {
	file, err := os.Open(d.File(labelsFile)) // a file that is never replaced
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) { // a file system without locks goes without
			return func() { _ = file.Close() }, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Held is a run's folder that is held open, with the model in it. So it is still
// known as this one when another has taken its place.
type Held struct {
	Dir
	open []*os.File
}

// Hold holds the folder of a run.
func (d Dir) Hold() (*Held, error) {
	h := &Held{Dir: d}
	for _, path := range h.places() {
		folder, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) && len(h.open) > 0 { // it has no model yet
			return h, nil
		}
		if err != nil {
			h.Close()
			return nil, err
		}
		h.open = append(h.open, folder)
	}
	return h, nil
}

func (h *Held) places() []string { return []string{h.Path, h.Model()} }

// Same returns an error if the run or its model has been replaced since.
func (h *Held) Same() error {
	for i, folder := range h.open {
		was, err := folder.Stat()
		if err != nil {
			return err
		}
		if now, err := os.Stat(h.places()[i]); err != nil || !os.SameFile(was, now) {
			err := pipeline.Errorf(pipeline.Other, "%s was replaced by another process meanwhile: nothing is written into the new one", h.places()[i])
			return pipeline.WithHint(err, "evaluate again")
		}
	}
	return nil
}

// Close lets the folder go.
func (h *Held) Close() {
	for _, folder := range h.open {
		_ = folder.Close()
	}
}
