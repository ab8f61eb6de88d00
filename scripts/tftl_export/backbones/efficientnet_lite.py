"""EfficientNet-Lite0 (TensorFlow's tpu/models/official/efficientnet/lite), which Keras lacks.

It is EfficientNet-B0 without squeeze-and-excitation and with ReLU6 activations, made for small
processors. Layers are named as in Keras' EfficientNet.
"""

from __future__ import annotations

import string

from keras import KerasTensor, layers

# For each block: kernel, repeats, outputs, expansion factor, stride.
_BLOCKS = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)


def efficientnet_lite0(images: KerasTensor, weights: str | None) -> KerasTensor:
    """Pixels from 0 to 255 to features, [N,H,W,3] to [N,H/32,W/32,1280]."""
    del weights
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(images)
    x = _convolution(x, 32, 3, 2, "stem")
    for number, (kernel, repeats, outputs, expansion, stride) in enumerate(_BLOCKS, start=1):
        for letter in string.ascii_lowercase[:repeats]:
            name = f"block{number}{letter}_"
            x = _block(x, kernel, outputs, expansion, stride if letter == "a" else 1, name)
    return _convolution(x, 1280, 1, 1, "top")


def _block(
    x: KerasTensor, kernel: int, outputs: int, expansion: int, stride: int, name: str
) -> KerasTensor:
    """An inverted residual: expand, filter each channel, project."""
    inputs = x
    if expansion != 1:
        x = _convolution(x, expansion * x.shape[-1], 1, 1, f"{name}expand")
    x = layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}dwconv"
    )(x)
    x = layers.ReLU(6, name=f"{name}activation")(_normalized(x, f"{name}bn"))
    x = layers.Conv2D(outputs, 1, use_bias=False, name=f"{name}project_conv")(x)
    x = _normalized(x, f"{name}project_bn")
    if stride == 1 and inputs.shape[-1] == outputs:
        x = layers.Add(name=f"{name}add")([x, inputs])
    return x


def _convolution(x: KerasTensor, outputs: int, kernel: int, stride: int, name: str) -> KerasTensor:
    x = layers.Conv2D(outputs, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(
        x
    )
    return layers.ReLU(6, name=f"{name}_activation")(_normalized(x, f"{name}_bn"))


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(epsilon=1e-3, name=name)(x)
