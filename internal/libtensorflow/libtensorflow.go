// Package libtensorflow loads TensorFlow's C library when it is first called,
// instead of when the program starts. The library has 336 MB and takes a quarter of
// a second, which commands that do not need it, such as --help, need not wait for.
// Importing the package is enough.
//
// On amd64 and arm64 it defines every function of the library that the program calls
// (symbols.h) as a jump to the real one. The first call of each finds that by
// dlsym. So a program can be built for a processor whose library is not there. On
// other processors the program is linked with the library as usual.
//
// Before the library loads, TF_ENABLE_ONEDNN_OPTS becomes 1 unless it is set:
// TensorFlow turns oneDNN on by itself only if it finds AVX512-VNNI, AVX512-BF16 or
// AMX, but it is faster with AVX2 too.
package libtensorflow

// #cgo CFLAGS: -Wall
// #cgo linux LDFLAGS: -Wl,--as-needed -ldl
import "C"
