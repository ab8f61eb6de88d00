package libtensorflow

// #include "open.h"
import "C"

import (
	"errors"
	"path/filepath"
)

// Version is the TensorFlow that this program was made for. Another patch of it works
// too; what else works has not been tried.
const Version = "2.21.0"

// Files are where the library was found.
type Files struct {
	Library   string // the file itself, not a link to it
	Framework string // the file that opens CUDA's libraries, in the folder from which it looks for them; empty if unknown
}

// Open loads the library, if that has not been done yet. Unlike a call of one of its
// functions, it does not end the program if there is none.
func Open() (Files, error) {
	loaded := C.libtensorflow_open()
	if loaded.handle == nil {
		return Files{}, errors.New(C.GoString(&loaded.why[0]))
	}
	return Files{Library: resolved(C.GoString(&loaded.library[0])), Framework: inRealFolder(C.GoString(&loaded.framework[0]))}, nil
}

// resolved follows links, as far as possible.
func resolved(path string) string {
	if path == "" {
		return ""
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return path
}

// inRealFolder follows links of the folder only: the dynamic linker looks beside a
// link, not beside its target.
func inRealFolder(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Join(resolved(filepath.Dir(path)), filepath.Base(path))
}
