// Package quiet keeps the log lines of TensorFlow and of the libraries in it
// off stderr, and turns on oneDNN, whose kernels TensorFlow leaves off on older
// processors. Importing it is all there is to do for that.
//
// The first lines are written by the library's constructors, before any Go
// code, so this is C that runs before them: it sets TF_CPP_MIN_LOG_LEVEL to 3
// and TF_ENABLE_ONEDNN_OPTS to 1, unless they are set, and holds stderr back while the libraries start.
// From then on what C code prints is dropped. With --verbose on the command
// line, or TFTL_VERBOSE=true, nothing is held back.
//
// Where C code ends the process, Guard has one line say why.
package quiet

// #cgo CFLAGS: -Wall
// #include "last.h"
import "C"

// Guard makes the end of the process that C code asks for, by abort, by an
// exception that nobody catches or by a fault, one line on stderr with the
// reason and exit code 1. Go's dump of its goroutines says nothing of it; who
// wants that sets GOTRACEBACK.
func Guard() { C.quiet_guard_again() }
