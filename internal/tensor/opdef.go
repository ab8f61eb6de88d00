package tensor

// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
import "C"

import (
	"errors"
	"runtime"
	"unsafe"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"google.golang.org/protobuf/proto"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// OpDef is TensorFlow's definition of an operation: its inputs, outputs and attributes.
func OpDef(name string) (*op_def_go_proto.OpDef, error) {
	status := C.TF_NewStatus()
	defer C.TF_DeleteStatus(status)
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	encoded := C.TF_NewBuffer()
	defer C.TF_DeleteBuffer(encoded)
	graph := tf.NewGraph()
	C.TF_GraphGetOpDef(*(**C.TF_Graph)(unsafe.Pointer(graph)), text, encoded, status) // its first field
	runtime.KeepAlive(graph)
	if C.TF_GetCode(status) != C.TF_OK {
		return nil, errors.New(C.GoString(C.TF_Message(status)))
	}
	def := new(op_def_go_proto.OpDef)
	return def, proto.Unmarshal(unsafe.Slice((*byte)(encoded.data), int(encoded.length)), def)
}
