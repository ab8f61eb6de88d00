#!/usr/bin/env python3
"""Measures how much Pillow's pixels differ from TensorFlow's on a folder of photographs.

Keras has two ways to load an image: keras.utils.load_img, which uses Pillow, and
keras.utils.image_dataset_from_directory, which uses TensorFlow and gives exactly tftl's pixels.
For a JPEG, TensorFlow uses libjpeg's fast transform and Pillow the accurate one. Pillow also
smooths images that it shrinks, which TensorFlow does not by default. Differences are on a scale
of 255, over all values of all images.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

# Pillow's filters, as load_img names them, and the same methods of tf.image.resize.
PAIRS = {
    "nearest": "nearest",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "lanczos": "lanczos3",
    "box": "area",
}
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif"}


def main() -> None:
    """Print one line for decoding alone and one per interpolation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=224, help="default: 224")
    parser.add_argument(
        "--limit", type=int, default=100, help="use at most this many images (default: 100)"
    )
    options = parser.parse_args()
    found = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    files = found[:: -(-len(found) // options.limit) or 1]  # spread over the classes
    if not files:
        parser.error(f"{options.folder}: no images")
    print(f"{len(files)} images, {options.size}x{options.size}; |Pillow - TensorFlow| of 255")
    report("decoding alone", ((pillow(file), decode(file)) for file in files))
    size = (options.size, options.size)
    for filter_name, method in PAIRS.items():
        pairs = (
            (pillow(file, size, filter_name), tf.image.resize(decode(file), size, method))
            for file in files
        )
        report(f"{filter_name} and {method}", pairs)


def pillow(file: Path, size: tuple[int, int] | None = None, name: str = "nearest") -> np.ndarray:
    """The pixels of keras.utils.load_img."""
    image = keras.utils.load_img(file, target_size=size, interpolation=name)
    return keras.utils.img_to_array(image)


def decode(file: Path) -> tf.Tensor:
    """The pixels that TensorFlow decodes, in their original size."""
    return tf.io.decode_image(file.read_bytes(), channels=3, expand_animations=False)


def report(what: str, pairs: Iterable[tuple[np.ndarray, tf.Tensor]]) -> None:
    """Print the mean and the largest difference."""
    total, count, largest = 0.0, 0, 0.0
    for ours, theirs in pairs:
        difference = np.abs(np.float32(ours) - np.float32(theirs))
        total += difference.sum(dtype=np.float64)
        count += difference.size
        largest = max(largest, float(difference.max()))
    print(f"{what:22} mean {total / count:6.3f}  max {largest:5.1f}")


if __name__ == "__main__":
    main()
