package rundir

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"tftl/pipeline"
)

// Lock keeps other processes from training in the folder until unlock is
// called, or the process ends, however it ends. Who only reads needs none.
func (d Dir) Lock() (unlock func(), err error) {
	folder, err := os.Open(d.Path)
	if err != nil {
		return nil, err
	}
	switch err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		_ = folder.Close()
		return nil, pipeline.Errorf(pipeline.BadUsage, "run %s: another process is training it", d.Path)
	case err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.ENOSYS):
		_ = folder.Close()
		return nil, fmt.Errorf("run %s: lock: %w", d.Path, err)
	}
	return func() { _ = folder.Close() }, nil
}
