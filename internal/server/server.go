// Package server starts TensorFlow's own gRPC server in this process, on one address.
// TensorFlow has it listen on every address of the machine, without any check of who
// calls.
package server

// #cgo CFLAGS: -Wall
// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
// #include "server.h"
import "C"

import (
	"errors"
	"net/netip"

	_ "tftl/internal/libtensorflow" // loads it when it is first called
)

// Start starts the server of a serialized tensorflow.ServerDef, which binds the port of
// listen, and returns the target of sessions that use it. A process has one server,
// until it ends.
func Start(def []byte, listen netip.AddrPort) (target string, err error) {
	if !narrows {
		return "", errors.New("on this system TensorFlow's server cannot be kept from listening on every address")
	}
	narrow(listen)
	status := C.TF_NewStatus()
	defer C.TF_DeleteStatus(status)
	content := C.CBytes(def)
	defer C.free(content)
	server := C.TF_NewServer(content, C.size_t(len(def)), status)
	if C.TF_GetCode(status) == C.TF_OK {
		C.TF_ServerStart(server, status)
	}
	if C.TF_GetCode(status) != C.TF_OK {
		return "", errors.New(C.GoString(C.TF_Message(status)))
	}
	return C.GoString(C.TF_ServerTarget(server)), nil
}
