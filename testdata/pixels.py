"""Makes pixels with tf.io.decode_image and tf.image.resize, as a reference for Go's.

pixels/index.json lists the cases: image, interpolation, fit, height, width, and the file of the
expected pixels, little-endian float32 [height,width,3]. Keras makes those of a cropped image.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3")
FITTED = ("colour.jpg", "alpha.webp", "one-pixel.png")  # also cropped and padded
# Smaller than the pictures, larger, and larger in one direction only; all odd.
SIZES = ((17, 23), (61, 53), (31, 75))


def make(folder: Path) -> None:
    """Write the pictures, what they decode to, and the index."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    def resize(pixels: tf.Tensor, size: tuple[int, int], interpolation: str, fit: str) -> tf.Tensor:
        if fit == "stretch":
            return tf.cast(tf.image.resize(pixels, size, interpolation), tf.float32)
        if fit == "pad":
            return tf.image.resize_with_pad(pixels, *size, interpolation)
        pixels = tf.cast(pixels, tf.float32)
        return keras.ops.image.resize(pixels, size, interpolation, crop_to_aspect_ratio=True)

    folder.mkdir()
    index: list[dict[str, object]] = []
    for name in _pictures(folder):
        # TensorFlow decodes a WebP with transparency only to four channels. It drops the
        # transparency of the other formats.
        channels = 4 if name in ("alpha.webp", "animated.webp") else 3
        encoded = (folder / name).read_bytes()
        decoded = tf.io.decode_image(encoded, channels=channels, expand_animations=False)
        decoded = decoded[..., :3]
        ways = [(interpolation, "stretch") for interpolation in INTERPOLATIONS]
        if name in FITTED:
            ways += [(i, fit) for i in ("bilinear", "nearest") for fit in ("crop", "pad")]
        for interpolation, fit in ways:
            for size in SIZES:
                pixels = resize(decoded, size, interpolation, fit)
                expected = f"{len(index):03}.float32"
                pixels.numpy().astype("<f4").tofile(folder / expected)
                index.append(
                    {
                        "image": name,
                        "interpolation": interpolation,
                        "fit": fit,
                        "height": size[0],
                        "width": size[1],
                        "expected": expected,
                    }
                )
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def _pictures(folder: Path) -> list[str]:
    """Write every format and mode that TensorFlow decodes, some with a wrong extension."""
    random = np.random.default_rng(0)
    smooth = np.linspace(0, 255, 33 * 47 * 3).reshape(33, 47, 3)
    noisy = (smooth + random.normal(0, 40, smooth.shape)).clip(0, 255).astype(np.uint8)
    colour = Image.fromarray(noisy)
    grey, alpha = colour.convert("L"), colour.convert("RGBA")
    alpha.putalpha(grey)
    deep = Image.fromarray(random.integers(0, 2**16, (33, 47), dtype=np.uint16))
    turned: dict[str, Any] = {"save_all": True, "append_images": [colour.rotate(180)]}
    made: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "colour.jpg": (colour, "JPEG", {}),
        "colour.png": (colour, "PNG", {}),
        "colour.bmp": (colour, "BMP", {}),
        "colour.gif": (colour, "GIF", {}),
        "colour.webp": (colour, "WEBP", {}),
        "progressive.jpg": (colour, "JPEG", {"progressive": True}),
        "unsampled.jpg": (colour, "JPEG", {"subsampling": 0}),
        "cmyk.jpg": (colour.convert("CMYK"), "JPEG", {}),
        "grey.jpg": (grey, "JPEG", {}),
        "grey.png": (grey, "PNG", {}),
        "alpha.png": (alpha, "PNG", {}),
        "alpha.webp": (alpha, "WEBP", {}),
        "palette.png": (colour.convert("P"), "PNG", {}),
        "deep.png": (deep, "PNG", {}),
        "animated.gif": (colour, "GIF", turned),
        "animated.webp": (alpha, "WEBP", turned),
        "one-pixel.png": (colour.crop((5, 7, 6, 8)), "PNG", {}),
        "png-named.jpg": (colour, "PNG", {}),
        "jpg-named.bmp": (colour, "JPEG", {}),
        "webp-named.gif": (colour, "WEBP", {}),
        "bmp-named.png": (colour, "BMP", {}),
        "gif-named.webp": (colour, "GIF", {}),
    }
    for name, (picture, kind, options) in made.items():
        picture.save(folder / name, kind, **options)
    return list(made)
