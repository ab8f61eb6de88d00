#!/usr/bin/env python3
"""The Keras side of peers.py: trains a head on a frozen network.

Without --once, as most programs are written: the whole network is in the model and computed in each
epoch. With it, the frozen part is computed once for each photograph. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tftl_export.backbones.build import build_backbone  # noqa: E402
from tftl_export.backbones.table import BACKBONES  # noqa: E402
from tftl_export.graph.images import Input  # noqa: E402

PRECISIONS = ("float32", "tf32", "bfloat16", "float16")


def main() -> None:
    """Train on train/ and validate on val/."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", required=True)
    parser.add_argument("--precision", choices=PRECISIONS, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    if "16" in options.precision:
        keras.mixed_precision.set_global_policy(f"mixed_{options.precision}")
    tf.config.experimental.enable_tensor_float_32_execution(options.precision == "tf32")
    about = BACKBONES[options.network]
    base, _ = build_backbone(options.network, about.size, "none", 0)
    base.trainable = False
    image = Input((about.size, about.size), "bilinear", about.preprocess)
    parts, labels = [], []
    for part in ("train", "val"):
        read = keras.utils.image_dataset_from_directory(
            options.data / part,
            image_size=image.size,
            batch_size=options.batch_size,
            shuffle=part == "train" and not options.once,
            verbose=False,
        )
        folders = [Path(file).parent.name for file in read.file_paths]
        labels.append(np.array([read.class_names.index(folder) for folder in folders]))
        parts.append(read.map(lambda x, y: (image.preprocess_pixels(x), y)).prefetch(2))
    layers = [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(len(read.class_names)),
        keras.layers.Activation("softmax", dtype="float32"),
    ]
    how = {"epochs": options.epochs, "verbose": 0}
    printed: dict[str, float] = {}
    if options.once:
        start = time.monotonic()
        x, held = (base.predict(part, verbose=0) for part in parts)
        printed["rate"] = (len(x) + len(held)) / (time.monotonic() - start)
        model = compiled([keras.Input(x.shape[1:]), *layers], options.lr)
        held_out = held, labels[1]
        model.fit(x, labels[0], batch_size=options.batch_size, validation_data=held_out, **how)
    else:
        compiled([base, *layers], options.lr).fit(parts[0], validation_data=parts[1], **how)
    print(json.dumps(printed))


def compiled(layers: list[keras.Layer], rate: float) -> keras.Model:
    """A model of these layers, ready to train."""
    model = keras.Sequential(layers)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


if __name__ == "__main__":
    main()
