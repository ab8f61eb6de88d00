// Package quiet keeps the log lines of TensorFlow and of the libraries in it
// off stderr, and turns on oneDNN, whose kernels TensorFlow leaves off on older
// processors. Importing it is all there is to do.
//
// The first lines are written by the library's constructors, before any Go
// code, so this is C that runs before them: it sets TF_CPP_MIN_LOG_LEVEL to 3
// and TF_ENABLE_ONEDNN_OPTS to 1, unless they are set, and holds stderr back while the libraries start.
// From then on what C code prints is dropped, but for the line that says why
// it ends the process. With --verbose on the command line, or TFTL_VERBOSE=true,
// nothing is held back.
package quiet

// #cgo CFLAGS: -Wall
import "C"
