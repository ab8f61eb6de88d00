// Package tensor makes TensorFlow tensors out of Go slices and frees them at
// once. TensorFlow's Go binding frees a tensor in a finalizer alone, and Go's
// collector cannot see the C memory behind it, so a training loop would grow by
// gigabytes before anything is freed. All unsafe code of the project is here.
//
// It is not for long-lived tensors, nor for code that can let the binding be.
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
)

// Floats makes a float32 tensor with a copy of values, row-major. The number
// of values must be the product of shape. Free it when it was used.
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

// View is a float32 tensor's own memory, valid until t is freed. The caller
// keeps t reachable while it is used.
func View(t *tf.Tensor) []float32 {
	c := *native(t)
	n := int(C.TF_TensorByteSize(c)) / 4
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(C.TF_TensorData(c)), n)
}

// Free releases tensors now. None may be used again. A nil one is passed over.
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

// native is where the binding keeps the C tensor: its struct's first field.
// A test holds that this stays so.
func native(t *tf.Tensor) **C.TF_Tensor { return (**C.TF_Tensor)(unsafe.Pointer(t)) }

// untouched reads as much as is asked for and writes nothing, which leaves a
// new tensor's memory as it was allocated.
type untouched struct{}

func (untouched) Read(p []byte) (int, error) { return len(p), nil }
