package fake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Opens watches the files below a folder. The function that it returns says how often
// each was opened since the last call, by its path below the folder.
func Opens(t testing.TB, folder string) func() map[string]int {
	t.Helper()
	queue, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(queue) })
	folders := map[int32]string{}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		watch, err := unix.InotifyAddWatch(queue, path, unix.IN_OPEN)
		folders[int32(watch)] = path
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() map[string]int {
		t.Helper()
		opened := map[string]int{}
		buffer := make([]byte, 1<<20)
		for {
			n, err := unix.Read(queue, buffer)
			if errors.Is(err, unix.EAGAIN) || n == 0 {
				return opened
			}
			if err != nil {
				t.Fatal(err)
			}
			le := binary.LittleEndian
			for event := buffer[:n]; len(event) > 0; event = event[unix.SizeofInotifyEvent+int(le.Uint32(event[12:])):] {
				mask, name := le.Uint32(event[4:]), event[unix.SizeofInotifyEvent:][:le.Uint32(event[12:])]
				if mask&unix.IN_ISDIR != 0 || len(name) == 0 {
					continue
				}
				path := filepath.Join(folders[int32(le.Uint32(event))], string(bytes.TrimRight(name, "\x00")))
				opened[strings.TrimPrefix(path, folder+"/")]++
			}
		}
	}
}
