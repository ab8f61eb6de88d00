#!/usr/bin/env python3
"""Compares the time of the same training in Keras and in `tftl fit`.

The Keras code is that of "Building powerful image classification models using very little data":
VGG16 frozen, a flatten head with a hidden layer of 256, Adam, five epochs with shear 0.2, zoom 0.2
and horizontal flips. Keras validates on pixels every epoch and tftl on cached features, so the
seconds of training alone, where both do the same work, are shown separately. Processor seconds are
shown too, since a busy machine affects them less.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
SIZE, BATCH, EPOCHS, UNITS, RATE = 224, 32, 5, 256, 1e-4


def main() -> None:
    """Measure each in turn, or with --keras be the Keras side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "data", type=Path, help="folder with train/ and val/, each with one folder per class"
    )
    parser.add_argument("--model", type=Path, default=ROOT / "savedmodels" / "vgg16")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--keras", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.keras:
        print(json.dumps(keras_fit(options.data)))
        return
    tried = {"Keras float32": keras, "tftl float32": tftl, "tftl bfloat16": tftl}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in tried}
    for _ in range(options.rounds):
        for name, run in tried.items():
            taken[name].append(run(options, name.split()[1]))
            print(f"{name}: {taken[name][-1]}", file=sys.stderr)
    report(taken)


def report(taken: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians, and how much longer Keras takes."""
    columns = {"command": "whole command", "train": "training", "processor": "processor, total"}
    medians = {
        name: {c: median(run[c] for run in runs) for c in columns} for name, runs in taken.items()
    }
    first = next(iter(medians))
    print(f"{'seconds':16}" + "".join(f"{text:>26}" for text in columns.values()))
    for name, values in medians.items():
        cells = [
            f"{values[c]:.0f} ({medians[first][c] / values[c]:.2f} times as fast)" for c in columns
        ]
        print(f"{name:16}" + "".join(f"{cell:>26}" for cell in cells))


def keras(options: argparse.Namespace, _: str) -> dict[str, float]:
    """Run this script in another process."""
    return timed([sys.executable, __file__, str(options.data), "--keras"])


def tftl(options: argparse.Namespace, precision: str) -> dict[str, float]:
    """Run `tftl fit` with an empty cache."""
    with tempfile.TemporaryDirectory(prefix="tftl-article-") as work:
        run = Path(work) / "run"
        command = [ROOT / "bin/tftl", "fit", "--data", options.data, "--model", options.model]
        command += ["--augment", "article", "--precision", precision, "--output", run]
        command += ["--epochs", EPOCHS, "--patience", 0, "--batch-size", BATCH, "--lr", RATE]
        command += ["--units", UNITS, "--feature-scale", "none", "--output-init", "glorot"]
        command += ["--cache-dir", Path(work) / "cache", "--quiet"]
        taken = timed([str(word) for word in command])
        lines = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
        epochs = [line["train"] for line in lines if line["phase"] == "epoch"]
        assert len(epochs) == EPOCHS
        return taken | {"train": sum(epochs)}


def timed(command: list[str]) -> dict[str, float]:
    """Run a command; returns its seconds, its processor seconds and the JSON on its last line."""
    start = time.monotonic()
    before = processor()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"article: {' '.join(command)}: exit status {done.returncode}")
    taken = {"command": time.monotonic() - start, "processor": processor() - before}
    last = done.stdout.strip().splitlines()[-1]
    return taken | (json.loads(last) if last.startswith("{") else {})


def processor() -> float:
    """The processor seconds of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def keras_fit(data: Path) -> dict[str, float]:
    """Train as that article does, with the weights of `export.py --weights registry`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.path.insert(0, str(ROOT / "scripts"))
    import keras
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    from tftl_export.weights import registry

    class Training(keras.callbacks.Callback):
        """Measures the seconds of the epochs without validation."""

        seconds = 0.0

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.start = time.monotonic()

        def on_test_begin(self, logs: object = None) -> None:
            self.seconds += time.monotonic() - self.start

    keras.utils.set_random_seed(1)
    augmented = {"shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True}
    train, validation = (
        ImageDataGenerator(rescale=1.0 / 255, **changes).flow_from_directory(
            data / part, target_size=(SIZE, SIZE), batch_size=BATCH, class_mode="binary"
        )
        for part, changes in (("train", augmented), ("val", {}))
    )
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    base.set_weights(registry.REGISTRY["vgg16"].load())
    base.trainable = False
    layers = keras.layers
    model = keras.Sequential(
        [
            base,
            layers.Flatten(),
            layers.Dense(UNITS, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(RATE), "binary_crossentropy", metrics=["accuracy"])
    training = Training()
    model.fit(train, validation_data=validation, epochs=EPOCHS, verbose=2, callbacks=[training])
    return {"train": training.seconds}


if __name__ == "__main__":
    main()
