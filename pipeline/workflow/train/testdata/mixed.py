"""Write mixed.json beside this file: images and labels that Keras' MixUp and CutMix made.

The shares, and the place and size of the boxes, are given; what follows from them is Keras'. Run
it again after changing a case: python mixed.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

COUNT, HEIGHT, WIDTH, CLASSES = 6, 5, 8, 3


def interval(centre: float, side: float, length: int) -> tuple[int, int]:
    """One side of a box: cut off at the edges, as in Yun et al. (2019)."""
    size = int(side * length)
    start = int(centre * length) - size // 2
    return max(start, 0), min(start + size, length)


def main() -> None:
    """Mix a batch with each method; the partner of an image is the next one."""
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (COUNT, HEIGHT, WIDTH, 3)).astype(np.float32)
    labels = random.integers(0, CLASSES, COUNT)
    one_hot = np.eye(CLASSES, dtype=np.float32)[labels]
    partners = np.roll(np.arange(COUNT), -1)
    # Multiples of 1/64, which float32 holds. The last boxes are all of an image and nothing of it.
    shares = np.array([20, 13, 50, 7, 0, 64]) / 64
    centres = random.integers(0, 64, (COUNT, 2)) / 64
    centres[4] = 0.5

    mixup, cutmix = keras.layers.MixUp(), keras.layers.CutMix()
    change = {"permutation_order": partners, "mix_weight": shares.astype(np.float32)}
    sides = np.sqrt(1 - shares)
    boxes = [
        [*interval(x, side, WIDTH), *interval(y, side, HEIGHT)]
        for (x, y), side in zip(centres, sides, strict=True)
    ]
    corners = tuple(np.array(boxes, np.float32).T)
    masks, left = cutmix._generate_batch_mask(images.shape, corners)
    cut = {"permutation_order": partners, "batch_masks": masks, "mix_weight": left}

    def flat(values) -> list:
        return np.asarray(values, np.float64).ravel().tolist()

    result = {
        "shape": images.shape,
        "images": np.int64(images).ravel().tolist(),
        "labels": labels.tolist(),
        "shares": shares.tolist(),
        "centres": centres.tolist(),
        "mixup": flat(mixup.transform_images(images, change)),
        "mixup_labels": flat(mixup.transform_labels(one_hot, change)),
        "cutmix": flat(cutmix.transform_images(images, cut)),
        "cutmix_labels": flat(cutmix.transform_labels(one_hot, cut)),
    }
    lines = ",\n".join(f'"{k}":{json.dumps(v, separators=(",", ":"))}' for k, v in result.items())
    Path(__file__).with_suffix(".json").write_text(f"{{{lines}}}\n")


if __name__ == "__main__":
    main()
