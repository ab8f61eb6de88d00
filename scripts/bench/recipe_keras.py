#!/usr/bin/env python3
"""The Keras side of recipe.py: the tutorial's head on the features of a frozen network.

Flatten, Dense(256, relu) and one output per class, or the mean over the image and one layer, as
the exported network's head. Adam, cross-entropy, batches of 32, at most 30 epochs, early stopping
on the validation loss with a patience of 5, and the weights of the best epoch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from tftl_export.backbones.build import build_backbone  # noqa: E402
from tftl_export.graph.images import Input  # noqa: E402

BATCH, EPOCHS, PATIENCE, UNITS = 32, 30, 5, 256


def main() -> None:
    """Train on the parts that a JSON file lists, and print the metrics of the test part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    parts = json.loads(options.parts.read_text())
    about = json.loads((options.model / "assets.extra" / "tftl.json").read_text())
    frozen = Frozen(about)
    labels = sorted({label for images in parts.values() for _, label in images})
    x = {part: np.stack([frozen(path) for path, _ in images]) for part, images in parts.items()}
    y = {
        part: np.array([labels.index(label) for _, label in images])
        for part, images in parts.items()
    }
    keras.utils.set_random_seed(options.seed)
    model = head(about["head"], x["train"].shape[1:], len(labels))
    loss = "binary_crossentropy" if len(labels) == 2 else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(options.lr), loss, metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
    held = (x["val"], y["val"])
    how = {"batch_size": BATCH, "epochs": EPOCHS, "verbose": 0, "callbacks": [stop]}
    model.fit(x["train"], y["train"], validation_data=held, **how)
    p = model.predict(x["test"], verbose=0).astype(np.float64)
    if len(labels) == 2:
        p = np.concatenate([1 - p, p], axis=1)
    print(json.dumps(metrics(y["test"], p)))


def head(about: dict[str, Any], shape: tuple[int, ...], classes: int) -> keras.Model:
    """The head that the exported network has, as Keras users write it."""
    layers = keras.layers
    flat = about["pooling"] == "flatten"
    model = keras.Sequential([keras.Input(shape)])
    model.add(layers.Flatten() if flat else layers.GlobalAveragePooling2D())
    for _ in range(int(str(about["hidden"]))):
        model.add(layers.Dense(UNITS, activation="relu"))
    two = classes == 2
    model.add(layers.Dense(1 if two else classes, activation="sigmoid" if two else "softmax"))
    return model


def metrics(y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """The metrics of recipe.py, as scikit-learn computes them."""
    predicted = p.argmax(axis=1)
    return {
        "loss": float(log_loss(y, p, labels=list(range(p.shape[1])))),
        "accuracy": float(accuracy_score(y, predicted)),
        "balanced_accuracy": float(balanced_accuracy_score(y, predicted)),
        "f1": float(f1_score(y, predicted, average="macro")),
    }


class Frozen:
    """The last feature maps of the exported network, computed by Keras and kept in files."""

    def __init__(self, about: dict[str, Any]) -> None:
        """Take the network that tftl.json describes, with the weights of its package."""
        image = about["input"]
        size = tuple(image["size"])
        self.input = Input(size, image["interpolation"], image["preprocess"], image["fit"])
        self.name = str(about["backbone"])
        self.base: keras.Model | None = None
        self.folder = ROOT / "build/bench/features" / self.name
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, path: str) -> np.ndarray:
        """The features of one image, [H,W,C]."""
        encoded = Path(path).read_bytes()
        file = self.folder / f"{hashlib.sha256(encoded).hexdigest()}.npy"
        if file.exists():
            kept: np.ndarray = np.load(file)
            return kept
        if self.base is None:
            self.base, _ = build_backbone(self.name, self.input.size[0], "registry", 0)
        pixels = self.input.decode(tf.constant(encoded))[None]
        features = np.array(self.base(self.input.preprocess_pixels(pixels), training=False)[0])
        np.save(file, features)
        return features


if __name__ == "__main__":
    main()
