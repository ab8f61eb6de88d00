// Package regular opens regular files and nothing else. Opening a named pipe waits
// for a writer, and reading a device may never end; either may stand where a file is
// expected, or take its place just before it is opened.
//
// It is for all files that come from elsewhere: images, tables, configuration, models.
// It knows none of their formats.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Open is os.Open for a regular file, or a link to one. Anything else is an error
// that names the path and says what is there. It never waits.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path) // opening some devices does something
	if err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			failed.Op = "open"
		}
		return nil, err
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if info, err = file.Stat(); err == nil {
		err = check(path, info) // it may have been replaced meanwhile
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// Read is os.ReadFile for a regular file of at most so many bytes. It takes little
// more memory than the file has bytes.
func Read(path string, most int64) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s: has %d bytes, more than the limit of %d", path, info.Size(), most)
	}
	data := make([]byte, 0, info.Size()+512) // with room to notice that it has grown
	for {
		n, err := file.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF: //nolint:errorlint // a file returns it as it is
			return data, nil
		case err != nil:
			return nil, err
		case int64(len(data)) > most:
			return nil, fmt.Errorf("%s: has more than the limit of %d bytes", path, most)
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}

func check(path string, info fs.FileInfo) error {
	if mode := info.Mode(); !mode.IsRegular() {
		return fmt.Errorf("%s: is %s, not a file", path, Kind(mode))
	}
	return nil
}

// Kind says what a mode is of, with an article.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

// pipeFS is the type of the file system on which the kernel keeps pipes without a
// name.
const pipeFS = 0x50495045

// IsOpenPipe reports whether a path leads to a pipe that this process has open, such
// as /dev/stdin or a shell's <(…). Opening it never waits for a writer, as a named
// pipe would.
func IsOpenPipe(path string) bool {
	var stat syscall.Statfs_t
	return syscall.Statfs(path, &stat) == nil && stat.Type == pipeFS
}
