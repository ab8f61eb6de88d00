"""Pixels: decoding, resizing and preprocessing, as the exported graph runs them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import tensorflow as tf

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3")

# Per-channel means of ImageNet in BGR order, as keras.applications subtracts them
# (keras.src.applications.imagenet_utils, mode "caffe").
_CAFFE_MEAN = (103.939, 116.779, 123.68)
# Mean and standard deviation in RGB order of mode "torch" there.
_TORCH_MEAN, _TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_PREPROCESS = {
    "caffe": lambda x: x[..., ::-1] - tf.constant(_CAFFE_MEAN),
    "tf": lambda x: x / 127.5 - 1.0,
    "torch": lambda x: (x / 255.0 - tf.constant(_TORCH_MEAN)) / tf.constant(_TORCH_STD),
    "rescale": lambda x: x * (1.0 / 255.0),
    "none": lambda x: x,
}
PREPROCESSINGS = tuple(_PREPROCESS)


@dataclass(frozen=True)
class Input:
    """What an image goes through before the network: kept in tftl.json, followed by Go."""

    size: tuple[int, int]  # height, width
    interpolation: str
    preprocess: str

    def to_json(self) -> dict:
        """The `input` object of tftl.json."""
        return asdict(self)

    def preprocess_pixels(self, pixels: tf.Tensor) -> tf.Tensor:
        """Pixels 0 to 255, RGB, [N,H,W,3] float32, to what the weights were trained on."""
        return _PREPROCESS[self.preprocess](pixels)

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """One encoded image, a scalar string, to float32 [H,W,3], 0 to 255."""
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        image.set_shape([None, None, 3])
        return tf.cast(tf.image.resize(image, self.size, self.interpolation), tf.float32)

    def decode_batch(self, encoded: tf.Tensor) -> tf.Tensor:
        """Encoded images, string [N], to float32 [N,H,W,3]."""
        spec = tf.TensorSpec((*self.size, 3), tf.float32)
        return tf.map_fn(self.decode, encoded, fn_output_signature=spec)
