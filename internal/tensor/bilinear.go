package tensor

// #cgo CFLAGS: -O3
// #cgo LDFLAGS: -lm
// #include "bilinear.h"
// #include "tensorflow/c/c_api.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// Bilinear resizes an image, uint8 [H,W,3], into float32 [height,width,3]. It
// computes what TensorFlow's kernel ResizeBilinear does with half-pixel centres,
// in the same order of operations, but several values at a time and without a
// tensor for the result.
func Bilinear(image *tf.Tensor, into []float32, height, width int) error {
	shape := image.Shape()
	if image.DataType() != tf.Uint8 || len(shape) != 3 || shape[2] != 3 || shape[0] < 1 || shape[1] < 1 || height < 1 || width < 1 || len(into) != height*width*3 {
		return fmt.Errorf("tensor: cannot resize %v to %d x %d in %d values", shape, height, width, len(into))
	}
	pixels := (*C.uchar)(C.TF_TensorData(*native(image)))
	if C.tensor_bilinear(pixels, C.size_t(shape[0]), C.size_t(shape[1]), (*C.float)(unsafe.SliceData(into)), C.size_t(height), C.size_t(width)) == 0 {
		return errors.New("tensor: no memory to resize an image")
	}
	return nil
}
