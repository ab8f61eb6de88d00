// Package quiet keeps TensorFlow's own log lines off stderr. Importing it is
// all there is to do.
//
// The lines are written by the library's constructors, before any Go code, so
// this is C that runs before them: it sets TF_CPP_MIN_LOG_LEVEL to 3, unless
// the variable is set, and holds stderr back while the libraries start. With
// --verbose on the command line it does nothing.
package quiet

// #cgo CFLAGS: -Wall
import "C"
