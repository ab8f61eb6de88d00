// Package cuda asks NVIDIA's driver about its GPUs, and the dynamic linker about
// libraries. It uses neither TensorFlow nor CUDA's headers, so it works, and says what is
// missing, where they are not installed. It does not compute.
package cuda

// #cgo CFLAGS: -Wall
// #cgo LDFLAGS: -ldl
// #include "cuda.h"
import "C"

import (
	"errors"
	"fmt"
)

// Driver is what a driver says of itself and of the GPUs that the process may see.
type Driver struct {
	Version int // of CUDA that it supports: 12040 for 12.4
	Devices []Device
}

// Device is a GPU.
type Device struct {
	Name         string
	Memory       int64
	Major, Minor int // compute capability
}

// Error is a call of the driver that failed.
type Error struct {
	Call    string
	Code    int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: error %d: %s", e.Call, e.Code, e.Message) }

// Load opens a library with all that it needs, closes it, and returns the path by which
// it was found.
func Load(name string) (path string, err error) {
	var found C.struct_cuda_library
	C.cuda_load(C.CString(name), &found)
	if found.why[0] != 0 {
		return "", errors.New(C.GoString(&found.why[0]))
	}
	return C.GoString(&found.path[0]), nil
}

// Ask starts the driver whose library has this path. If that fails, the answer may have
// the version.
func Ask(path string) (Driver, error) {
	var d C.struct_cuda_driver
	C.cuda_ask(C.CString(path), &d)
	answer := Driver{Version: int(d.version)}
	switch {
	case d.call != nil:
		return answer, &Error{C.GoString(d.call), int(d.code), C.GoString(&d.why[0])}
	case d.why[0] != 0:
		return answer, errors.New(C.GoString(&d.why[0]))
	}
	for _, device := range d.devices[:d.count] {
		answer.Devices = append(answer.Devices, Device{C.GoString(&device.name[0]), int64(device.memory), int(device.major), int(device.minor)})
	}
	return answer, nil
}
