// Package quiet keeps TensorFlow's own log lines off stderr. Importing it is
// all there is to do. The lines are written by the library's constructors,
// before any Go code, so this is C that runs before them: it sets
// TF_CPP_MIN_LOG_LEVEL to 3 unless the variable is set, or the command line has
// --verbose.
package quiet

// #cgo CFLAGS: -Wall
import "C"
