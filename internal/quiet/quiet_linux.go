// Package quiet keeps log lines of TensorFlow and its libraries off stderr.
// Importing the package is enough: when TensorFlow loads, it sets
// TF_CPP_MIN_LOG_LEVEL to 3 unless it is set, and drops what C code prints.
//
// If the program crashes, in C or in Go, Guard prints one line that says why. The
// package also ends the program with one line if there is too little address space
// for Go's runtime to start, or if no thread can be started.
package quiet

// #cgo CFLAGS: -Wall
// #cgo LDFLAGS: -ldl
// #include "last.h"
import "C"

import (
	"os"
	"runtime/debug"
)

// Off leaves the log lines on stderr. Call it before TensorFlow is used.
func Off() { C.quiet_off() }

// Guard turns a crash into one line on stderr with the reason, a second one with
// the hint, and exit code 1. A crash is a panic in any goroutine, a fatal error of
// Go's runtime, or an abort, an uncaught exception or a fault in C code. The dump of
// goroutines would not explain it to a user; set GOTRACEBACK to get the dump too.
//
// Guard returns the standard error stream. From now on, what is written to os.Stderr
// or to its file descriptor is taken for the reason of a crash.
func Guard(hint string) *os.File {
	if os.Getenv("GOTRACEBACK") != "crash" {
		debug.SetTraceback("crash") // raise SIGABRT in the end, which last.c handles
	}
	return os.NewFile(uintptr(C.quiet_guard_again(C.CString(hint))), os.Stderr.Name())
}
