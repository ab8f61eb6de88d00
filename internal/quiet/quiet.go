// Package quiet keeps log lines of TensorFlow and its libraries off stderr.
// Importing the package is enough: when TensorFlow loads, it sets
// TF_CPP_MIN_LOG_LEVEL to 3 unless it is set, and drops what C code prints.
//
// If C code ends the process, Guard prints one line that says why. The package
// also ends the program with one line if there is too little address space for
// Go's runtime to start.
package quiet

// #cgo CFLAGS: -Wall
// #include "last.h"
import "C"

// Off leaves the log lines on stderr. Call it before TensorFlow is used.
func Off() { C.quiet_off() }

// Guard turns a crash in C code (abort, an uncaught exception, a fault) into one
// line on stderr with the reason, and exit code 1. Go's dump of goroutines would
// not explain it; set GOTRACEBACK to get the dump.
func Guard() { C.quiet_guard_again() }
