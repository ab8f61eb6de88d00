// Package quiet keeps log lines of TensorFlow and its libraries off stderr, and
// turns on oneDNN, which TensorFlow leaves off on older processors. Importing the
// package is enough.
//
// The library's constructors write the first lines before any Go code runs, so
// this is C code that runs before them. It sets TF_CPP_MIN_LOG_LEVEL to 3 and
// TF_ENABLE_ONEDNN_OPTS to 1, unless they are set, and redirects stderr while the
// libraries start. After that it drops what C code prints. With --verbose on the
// command line or TFTL_VERBOSE=true it drops nothing.
//
// If C code ends the process, Guard prints one line that says why.
package quiet

// #cgo CFLAGS: -Wall
// #include "last.h"
import "C"

// Guard turns a crash in C code (abort, an uncaught exception, a fault) into one
// line on stderr with the reason, and exit code 1. Go's dump of goroutines would
// not explain it; set GOTRACEBACK to get the dump.
func Guard() { C.quiet_guard_again() }
