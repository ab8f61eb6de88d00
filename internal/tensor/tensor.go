// Package tensor makes TensorFlow tensors from Go slices and frees them
// explicitly. TensorFlow's Go binding frees tensors only in finalizers, and Go's
// garbage collector does not see their C memory, so a training loop would grow by
// gigabytes before anything is freed. All unsafe code of the project is here.
//
// It is not for long-lived tensors, which the binding can free itself.
package tensor

/*
#include <stdlib.h>
#include "tensorflow/c/c_api.h"

static void tftl_free_strings(TF_TString *s, size_t n) {
	for (size_t i = 0; i < n; i++) TF_TString_Dealloc(&s[i]);
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	_ "tftl/internal/libtensorflow" // loads it when it is first called
)

// Floats makes a float32 tensor with a copy of values, row-major. The number of
// values must be the product of shape. The caller frees it with Free.
func Floats(shape []int64, values []float32) (*tf.Tensor, error) {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	if n != int64(len(values)) {
		return nil, fmt.Errorf("tensor: %d values do not fill shape %v", len(values), shape)
	}
	t, err := tf.ReadTensor(tf.Float, shape, untouched{})
	if err != nil {
		return nil, fmt.Errorf("tensor: %w", err)
	}
	copy(View(t), values)
	return t, nil
}

// Lend makes a string tensor of the contents of a slice, without a copy. The caller
// leaves the slice as it is until it calls release, which frees the tensor.
func Lend(contents []byte) (t *tf.Tensor, release func(), err error) {
	if t, err = tf.NewTensor(""); err != nil {
		return nil, nil, fmt.Errorf("tensor: %w", err)
	}
	var pinned runtime.Pinner
	if len(contents) > 0 {
		pinned.Pin(&contents[0])
		C.TF_TString_AssignView((*C.TF_TString)(C.TF_TensorData(*native(t))), (*C.char)(unsafe.Pointer(&contents[0])), C.size_t(len(contents)))
	}
	return t, func() { Free(t); pinned.Unpin() }, nil
}

// View is the memory of a float32 tensor, valid until t is freed. The caller must
// keep t reachable while using it.
func View(t *tf.Tensor) []float32 {
	c := *native(t)
	n := int(C.TF_TensorByteSize(c)) / 4
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(C.TF_TensorData(c)), n)
}

// Free releases tensors now. They must not be used again. It ignores nil.
func Free(tensors ...*tf.Tensor) {
	for _, t := range tensors {
		if t == nil || *native(t) == nil {
			continue
		}
		c := native(t)
		if t.DataType() == tf.String {
			C.tftl_free_strings((*C.TF_TString)(C.TF_TensorData(*c)), C.size_t(C.TF_TensorElementCount(*c)))
		}
		runtime.SetFinalizer(t, nil)
		C.TF_DeleteTensor(*c)
		*c = nil
	}
}

// native is where the binding keeps the C tensor: the first field of its struct.
// A test checks that this is still so.
func native(t *tf.Tensor) **C.TF_Tensor { return (**C.TF_Tensor)(unsafe.Pointer(t)) }

// untouched claims to have filled any buffer but writes nothing, which leaves a
// new tensor's memory as it was allocated.
type untouched struct{}

func (untouched) Read(p []byte) (int, error) { return len(p), nil }
