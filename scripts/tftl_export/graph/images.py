"""Decoding, resizing and preprocessing of images, as the exported graph runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import tensorflow as tf

# As tf.image.resize: of images, their new size and the interpolation.
Resize = Callable[[tf.Tensor, Any, str], tf.Tensor]

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3")
FITS = ("stretch", "crop", "pad")

# Mean of each channel of ImageNet in BGR order, which keras.applications subtracts in mode "caffe".
_CAFFE_MEAN = (103.939, 116.779, 123.68)
# Mean and standard deviation in RGB order, for mode "torch".
_TORCH_MEAN, _TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_PREPROCESS = {
    # With a slice of step -1 instead of the gather, this takes twice as long.
    "caffe": lambda x: tf.gather(x, [2, 1, 0], axis=-1) - tf.constant(_CAFFE_MEAN),
    "tf": lambda x: x / 127.5 - 1.0,
    "torch": lambda x: (x / 255.0 - tf.constant(_TORCH_MEAN)) / tf.constant(_TORCH_STD),
    "rescale": lambda x: x * (1.0 / 255.0),
    "none": lambda x: x,
}
PREPROCESSINGS = tuple(_PREPROCESS)

# What these are as factors and summands of the channels, for those that keep their order.
_SCALES = {
    "tf": ((1 / 127.5,) * 3, (-1.0,) * 3),
    "torch": (
        tuple(1 / 255 / std for std in _TORCH_STD),
        tuple(-mean / std for mean, std in zip(_TORCH_MEAN, _TORCH_STD, strict=True)),
    ),
    "rescale": ((1 / 255,) * 3, (0.0,) * 3),
    "none": ((1.0,) * 3, (0.0,) * 3),
}

_START = 1200  # bytes, enough for the header and palette of any BMP


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
    """Decode to uint8 [h,w,3] what tftl decodes, and fail on what it refuses."""
    start = tf.strings.substr(tf.strings.join([encoded, b"\0" * _START]), 0, _START)
    start = tf.cast(tf.ensure_shape(tf.io.decode_raw(start, tf.uint8), [_START]), tf.int32)

    def says(at: int, text: bytes) -> tf.Tensor:
        return tf.reduce_all(start[at : at + len(text)] == list(text))

    def decode(channels: int) -> tf.Tensor:
        image = tf.io.decode_image(encoded, channels=channels, expand_animations=False)
        return tf.ensure_shape(image[..., :3], [None, None, 3])

    webp = says(0, b"RIFF") & says(8, b"WEBP")
    # TensorFlow decodes a WebP only to the number of channels that it has, which 0 asks for. An
    # animated one without an alpha channel would then be written past the end of its memory.
    animated = webp & says(12, b"VP8X") & (start[20] & 2 != 0)
    bmp = tf.debugging.Assert(
        ~says(0, b"BM") | _plain_bmp(start, tf.strings.length(encoded)),
        ["a BMP of this kind is not supported: convert it to PNG"],
    )
    cmyk = tf.debugging.Assert(
        tf.cond(says(0, b"\xff\xd8\xff"), lambda: _right_colours(encoded), lambda: True),
        ["a CMYK JPEG without Adobe's marker is not supported: convert it to RGB"],
    )
    with tf.control_dependencies([check for check in (bmp, cmyk) if check is not None]):
        kind = tf.cast(webp, tf.int32) + tf.cast(animated, tf.int32)
        return tf.switch_case(kind, [lambda: decode(3), lambda: decode(0), lambda: decode(4)])


def _right_colours(jpeg: tf.Tensor) -> tf.Tensor:
    """Whether a JPEG is not CMYK, or is inverted as Adobe writes it, which TensorFlow assumes."""
    components = tf.io.extract_jpeg_shape(jpeg)[2]
    marked = lambda: tf.strings.regex_full_match(jpeg, r"\C*\x00\x0eAdobe\C*")  # noqa: E731
    return tf.cond(components == 4, marked, lambda: True)


def _plain_bmp(start: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Whether TensorFlow decodes a BMP correctly: it reads palette indexes as levels of grey."""

    def number(at: int, length: int) -> tf.Tensor:
        shifts = tf.constant([1 << 8 * i for i in range(length)], tf.int64)
        return tf.reduce_sum(tf.cast(start[at : at + length], tf.int64) * shifts)

    header, bits, compression = number(14, 4), number(28, 2), number(30, 4)
    known = (header >= 40) & (header <= 124)
    masks = [number(54 + 4 * i, 4) == 0xFF << 8 * (2 - i) for i in range(3)]
    colours = ((bits == 24) | (bits == 32)) & (compression == 0)
    colours |= (bits == 32) & (compression == 3) & tf.reduce_all(masks)
    used = tf.where(number(46, 4) == 0, tf.constant(256, tf.int64), number(46, 4))
    index = tf.range(256, dtype=tf.int64)[:, None]
    palette = tf.gather(
        start, tf.minimum(14 + header + 4 * index + tf.range(3, dtype=tf.int64), _START - 1)
    )
    there = 14 + header + 4 * used <= tf.cast(length, tf.int64)
    grey = (
        there
        & tf.reduce_all((tf.cast(palette, tf.int64) == index) | (index >= used))
        & (used <= 256)
    )
    return known & (colours | (bits == 8) & (compression == 0) & grey)


@dataclass(frozen=True)
class Input:
    """How an image is prepared for the network: written to tftl.json, and done the same by Go."""

    size: tuple[int, int]  # height, width
    interpolation: str
    preprocess: str  # one of PREPROCESSINGS, or `scale` by the two fields below
    fit: str = "stretch"  # what to do if the aspect ratio differs
    scale: tuple[float, ...] | None = None  # what each channel is multiplied by
    offset: tuple[float, ...] | None = None  # what is added to it then

    def to_json(self) -> dict[str, Any]:
        """The `input` object of tftl.json."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def describe(self) -> str:
        """How pixels are scaled, for people."""
        if self.scale is None or self.offset is None:
            return self.preprocess
        factors, summands = (", ".join(f"{v:.6g}" for v in x) for x in (self.scale, self.offset))
        return f"x ({factors}) + ({summands})"

    @property
    def scaling(self) -> Any:
        """All that decides how pixels are scaled, for a digest."""
        return [self.scale, self.offset] if self.preprocess == "scale" else self.preprocess

    def preprocess_pixels(self, pixels: tf.Tensor) -> tf.Tensor:
        """Scale RGB pixels, float32 [N,H,W,3] from 0 to 255, as the weights expect them."""
        if self.preprocess == "scale":
            return pixels * tf.constant(self.scale) + tf.constant(self.offset)
        return _PREPROCESS[self.preprocess](pixels)

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """Decode one image, a scalar string, to float32 [H,W,3] from 0 to 255."""
        return self.fitted(decode_image(encoded))

    def fitted(self, image: tf.Tensor, resize: Resize = tf.image.resize) -> tf.Tensor:
        """Bring an image [h,w,3], or images [N,h,w,3], to the network's size in float32."""
        if self.fit == "pad":
            return self._pad(image, resize)
        if self.fit == "crop":
            image = self._crop(image)
        return tf.cast(resize(image, self.size, self.interpolation), tf.float32)

    def _crop(self, image: tf.Tensor) -> tf.Tensor:
        """Cut out the middle in the target's aspect ratio, as Keras' smart_resize does."""
        has, size = tf.shape(image)[-3:-1], self._unfolded_size()
        # The length that each side should have, given the other one.
        fitting = tf.cast(has[::-1] * size, tf.float32) / tf.cast(size[::-1], tf.float32)
        middle = tf.maximum(tf.minimum(has, tf.cast(fitting, tf.int32)), 1)
        start = (has - middle) // 2
        batch = image.shape.rank - 3
        begin = [*[0] * batch, *tf.unstack(start), 0]
        return tf.slice(image, begin, [*[-1] * batch, *tf.unstack(middle), 3])

    def _pad(self, image: tf.Tensor, resize: Resize) -> tf.Tensor:
        """Fit the whole image between black bars: resize_with_pad, also for thin images."""
        size = self._unfolded_size()
        has, whole = (tf.cast(side, tf.float32) for side in (tf.shape(image)[-3:-1], size))
        scaled = has / tf.reduce_max(has / whole)
        inner = tf.maximum(tf.cast(tf.floor(scaled), tf.int32), 1)
        before = tf.cast(tf.floor((whole - scaled) / 2), tf.int32)
        before = tf.minimum(tf.maximum(before, 0), size - inner)
        bars = tf.stack([before, size - inner - before], axis=1)
        batch = image.shape[:-3]
        bars = tf.concat([*[[[0, 0]]] * batch.rank, bars, [[0, 0]]], axis=0)
        resized = tf.cast(resize(image, inner, self.interpolation), tf.float32)
        return tf.ensure_shape(tf.pad(resized, bars), (*batch, *self.size, 3))

    def _unfolded_size(self) -> tf.Tensor:
        """The size, but not as a constant.

        TensorFlow's graphs divide by constants differently, and a side could come out one pixel
        longer.
        """
        return tf.raw_ops.PlaceholderWithDefault(input=tf.constant(self.size), shape=[2])

    def decode_batch(self, encoded: tf.Tensor) -> tf.Tensor:
        """Decode images, string [N], to float32 [N,H,W,3]."""
        spec = tf.TensorSpec((*self.size, 3), tf.float32)
        return tf.map_fn(self.decode, encoded, fn_output_signature=spec)


def scaled(image: Input, scale: tuple[float, ...], offset: tuple[float, ...]) -> Input:
    """The input with channels multiplied by `scale` and `offset` added: by name if it has one."""
    for name, known in _SCALES.items():
        if all(
            abs(a - b) <= 1e-6 * max(1e-2, abs(b))
            for have, want in zip((scale, offset), known, strict=True)
            for a, b in zip(have, want, strict=True)
        ):
            return replace(image, preprocess=name)
    return replace(image, preprocess="scale", scale=scale, offset=offset)
