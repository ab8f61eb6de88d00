package tensor

/*
#include <stdlib.h>
#include "tensorflow/c/c_api.h"
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// Run is the Run of a session with options, a serialized tensorflow.RunOptions, which the
// binding does not pass. The session must not be closed meanwhile. The caller frees the
// results.
func Run(s *tf.Session, options []byte, feed map[tf.Output]*tf.Tensor, fetch []tf.Output) ([]*tf.Tensor, error) {
	if len(feed) == 0 || len(fetch) == 0 {
		return nil, errors.New("tensor: nothing to feed or to fetch")
	}
	status := C.TF_NewStatus()
	defer C.TF_DeleteStatus(status)
	content := C.CBytes(options)
	defer C.free(content)
	run := C.TF_NewBuffer()
	defer C.TF_DeleteBuffer(run)
	run.data, run.length = content, C.size_t(len(options))

	var inputs []C.TF_Output
	var values []*C.TF_Tensor
	for output, value := range feed {
		inputs = append(inputs, point(output))
		values = append(values, *native(value))
	}
	outputs, results := make([]C.TF_Output, len(fetch)), make([]*C.TF_Tensor, len(fetch))
	for i, output := range fetch {
		outputs[i] = point(output)
	}
	session := *(**C.TF_Session)(unsafe.Pointer(s)) // its first field
	C.TF_SessionRun(session, run, &inputs[0], &values[0], C.int(len(inputs)), &outputs[0], &results[0], C.int(len(outputs)), nil, 0, nil, status)
	runtime.KeepAlive(feed)
	runtime.KeepAlive(fetch)
	runtime.KeepAlive(s)
	if C.TF_GetCode(status) != C.TF_OK {
		return nil, errors.New(C.GoString(C.TF_Message(status)))
	}
	list := make([]*tf.Tensor, len(results))
	var err error
	for i, r := range results {
		t, failed := adopt(r)
		list[i], err = t, errors.Join(err, failed)
	}
	if err != nil {
		Free(list...)
	}
	return list, err
}

// point is an output as C has it. The C operation is the first field of the binding's.
func point(o tf.Output) C.TF_Output {
	return C.TF_Output{oper: *(**C.TF_Operation)(unsafe.Pointer(o.Op)), index: C.int(o.Index)}
}

// adopt makes a tensor of the binding of one of C.
func adopt(c *C.TF_Tensor) (*tf.Tensor, error) {
	shape := make([]int64, C.TF_NumDims(c))
	for i := range shape {
		shape[i] = int64(C.TF_Dim(c, C.int(i)))
	}
	t, err := tf.ReadTensor(tf.DataType(C.TF_TensorType(c)), shape, untouched{})
	if err != nil {
		C.TF_DeleteTensor(c)
		return nil, err
	}
	C.TF_DeleteTensor(*native(t))
	*native(t) = c
	return t, nil
}
