"""tf.image.resize of images of any size, from operations that ONNX has.

ONNX's own operation places the pixels with other roundings, and ONNX Runtime lacks some of the
interpolations. Each pixel here is a sum over taps: pixels of the image by weight, first of rows and
then of columns, computed as TensorFlow's kernels do.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import tensorflow as tf

Taps = tuple[tf.Tensor, tf.Tensor]  # by resized pixel and tap: where it is, and its weight


def resize(images: tf.Tensor, size: tf.Tensor | tuple[int, int], interpolation: str) -> tf.Tensor:
    """Resize images [N,h,w,3]."""
    for axis, length in zip((1, 2), tf.unstack(tf.convert_to_tensor(size)), strict=True):
        images = _along(images, axis, length, _TAPS[interpolation])
    return images


def _along(images: tf.Tensor, axis: int, length: tf.Tensor, taps: Callable[..., Taps]) -> tf.Tensor:
    """Resize images along one axis to a length."""
    pixel = tf.cast(tf.range(length), tf.float32)[:, tf.newaxis]
    has = tf.cast(tf.shape(images)[axis], tf.float32)
    # Hidden, because TensorFlow's graphs would divide by a constant differently.
    hidden = tf.raw_ops.PlaceholderWithDefault(input=length, shape=[])
    at, weight = taps(pixel, has, tf.cast(hidden, tf.float32))
    # A tap outside the image takes the pixel at its edge, if it has a weight at all.
    index = tf.cast(tf.clip_by_value(at, 0.0, has - 1), tf.int32)
    if taps is _nearest:
        return tf.gather(images, index[:, 0], axis=axis)
    # Of rows one weight, of columns one for each channel: ONNX Runtime repeats short runs slowly.
    weight = weight[..., tf.newaxis]
    weight = weight[..., tf.newaxis] if axis == 1 else weight * tf.ones(3)
    if index.shape[1] is None:
        return tf.reduce_sum(tf.gather(images, index, axis=axis) * weight, axis + 1)
    parts = [
        tf.gather(images, index[:, tap], axis=axis) * weight[:, tap]
        for tap in range(index.shape[1])
    ]
    return functools.reduce(tf.add, parts)


def _nearest(pixel: tf.Tensor, has: tf.Tensor, length: tf.Tensor) -> Taps:
    at = tf.floor((pixel + 0.5) * (has / length))
    return at, tf.ones_like(at)


def _bilinear(pixel: tf.Tensor, has: tf.Tensor, length: tf.Tensor) -> Taps:
    at = (pixel + 0.5) * (has / length) - 0.5
    low = tf.floor(at)
    part = at - low
    return low + [0.0, 1.0], tf.concat([1 - part, part], 1)


def _bicubic(pixel: tf.Tensor, has: tf.Tensor, length: tf.Tensor) -> Taps:
    """Keys' cubic, at steps of 1/1024, without the pixels outside."""
    at = (pixel + 0.5) * (has / length) - 0.5
    low = tf.floor(at)
    part = tf.round((at - low) * 1024) / 1024
    near = tf.concat([part, 1 - part], 1)
    far = near + 1
    near = (1.5 * near - 2.5) * near * near + 1
    far = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weight = tf.stack([far[:, 0], near[:, 0], near[:, 1], far[:, 1]], 1)
    return _inside(low + [-1.0, 0.0, 1.0, 2.0], weight, has)


def _lanczos3(pixel: tf.Tensor, has: tf.Tensor, length: tf.Tensor) -> Taps:
    centre = (pixel + 0.5) * (1 / (length / has))
    at = tf.math.ceil(centre - 3.5) + tf.range(7, dtype=tf.float32)
    x = tf.abs(at + 0.5 - centre)
    product = 3 * tf.sin(math.pi * x) * tf.sin(math.pi * x / 3)
    weight = tf.where(x <= 1e-3, 1.0, product / tf.maximum(math.pi**2 * x * x, 1e-9))
    return _inside(at, tf.where(x <= 3, weight, 0.0), has)


def _area(pixel: tf.Tensor, has: tf.Tensor, length: tf.Tensor) -> Taps:
    """Each pixel of the image by how much of it the resized pixel covers."""
    scale = has / length
    start, end = pixel * scale, (pixel + 1) * scale
    most = tf.math.ceil(scale) + 1
    at = tf.floor(start) + tf.range(most)
    covered = tf.maximum(tf.minimum(at + 1, end) - tf.maximum(at, start), 0.0)
    return at, tf.where((at < start) & (at + 1 > end), 1.0, covered / scale)


def _inside(at: tf.Tensor, weight: tf.Tensor, has: tf.Tensor) -> Taps:
    """Leave out taps outside the image, and give the others a sum of 1."""
    weight *= tf.cast((at >= 0) & (at < has), tf.float32)
    return at, weight / tf.reduce_sum(weight, 1, keepdims=True)


_TAPS = {
    "nearest": _nearest,
    "bilinear": _bilinear,
    "bicubic": _bicubic,
    "area": _area,
    "lanczos3": _lanczos3,
}
