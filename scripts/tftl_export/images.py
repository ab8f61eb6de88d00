"""Pixels: decoding, resizing and preprocessing, as the exported graph runs them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import tensorflow as tf

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3")
FITS = ("stretch", "crop", "pad")

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
    fit: str = "stretch"  # how the frame is filled where the aspect ratio is another

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
        if self.fit == "pad":
            return self._pad(image)
        if self.fit == "crop":
            image = self._crop(image)
        return self._resize(image, self.size)

    def _resize(self, image: tf.Tensor, size: tf.Tensor | tuple[int, int]) -> tf.Tensor:
        return tf.cast(tf.image.resize(image, size, self.interpolation), tf.float32)

    def _crop(self, image: tf.Tensor) -> tf.Tensor:
        """The middle [h,w,3] in the size's aspect ratio, as Keras' smart_resize cuts it."""
        has, size = tf.shape(image)[:2], self._unfolded_size()
        # What each side would be, were the other one right.
        fitting = tf.cast(has[::-1] * size, tf.float32) / tf.cast(size[::-1], tf.float32)
        middle = tf.maximum(tf.minimum(has, tf.cast(fitting, tf.int32)), 1)
        start = (has - middle) // 2
        return tf.slice(image, [*tf.unstack(start), 0], [*tf.unstack(middle), 3])

    def _pad(self, image: tf.Tensor) -> tf.Tensor:
        """All of it between black bars: tf.image.resize_with_pad, for thin images too."""
        size = self._unfolded_size()
        has, whole = (tf.cast(side, tf.float32) for side in (tf.shape(image)[:2], size))
        scaled = has / tf.reduce_max(has / whole)
        inner = tf.maximum(tf.cast(tf.floor(scaled), tf.int32), 1)
        before = tf.cast(tf.floor((whole - scaled) / 2), tf.int32)
        before = tf.minimum(tf.maximum(before, 0), size - inner)
        bars = tf.stack([before, size - inner - before], axis=1)
        padded = tf.pad(self._resize(image, inner), tf.concat([bars, [[0, 0]]], axis=0))
        return tf.ensure_shape(padded, (*self.size, 3))

    def _unfolded_size(self) -> tf.Tensor:
        """No constant: graphs divide by one in another way, and a side may end a pixel longer."""
        return tf.raw_ops.PlaceholderWithDefault(input=tf.constant(self.size), shape=[2])

    def decode_batch(self, encoded: tf.Tensor) -> tf.Tensor:
        """Encoded images, string [N], to float32 [N,H,W,3]."""
        spec = tf.TensorSpec((*self.size, 3), tf.float32)
        return tf.map_fn(self.decode, encoded, fn_output_signature=spec)
