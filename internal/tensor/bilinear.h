#include <stddef.h>

// tensor_bilinear resizes height x width x 3 bytes to h x w x 3 floats. It returns
// 0 if memory is short.
int tensor_bilinear(const unsigned char *image, size_t height, size_t width, float *into, size_t h, size_t w);
