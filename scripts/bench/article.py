#!/usr/bin/env python3
"""Compares the time of the same training in Keras, in PyTorch and in `tftl fit`.

The Keras code is that of "Building powerful image classification models using very little data":
VGG16 frozen, a flatten head with a hidden layer of 256, Adam, five epochs with shear 0.2, zoom 0.2
and horizontal flips. Keras validates on pixels every epoch and tftl on cached features, so the
seconds of training alone, where both do the same work, are shown separately. Processor seconds are
shown too, since a busy machine affects them less. In bfloat16 if the processor has it, and tftl in
int8 if the network is calibrated. PyTorch is not as in the article but as fast as we can make it:
article_torch.py says how.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import peers
from measure import ROOT, Run, measured, precisions, processor, say, table

BATCH, EPOCHS, UNITS, RATE = 32, 5, 256, 1e-4


def main() -> None:
    """Measure each in turn, or with --keras be the Keras side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "data", type=Path, help="folder with train/ and val/, each with one folder per class"
    )
    parser.add_argument("--model", type=Path, default=ROOT / "savedmodels" / "vgg16")
    parser.add_argument("--rounds", type=int, default=1, help="default: 1")
    parser.add_argument("--programs", nargs="+", default=[*PROGRAMS], choices=[*PROGRAMS])
    parser.add_argument("--keras", metavar="PRECISION", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.keras:
        print(json.dumps(keras_fit(options.data, options.model, options.keras)))
        return
    if "PyTorch" in options.programs:
        peers.install_torch()
    tried = [(name, precision) for name in options.programs for precision in precisions()]
    about = json.loads((options.model / "assets.extra" / "tftl.json").read_text())
    if "tftl" in options.programs and (about.get("int8") or {}).get("ranges"):
        tried.append(("tftl", "int8"))
    taken: dict[str, list[Run]] = {}
    for _ in range(options.rounds):
        for name, precision in tried:
            one = PROGRAMS[name](options, precision)
            taken.setdefault(f"{name} {precision}", []).append(one)
            say(f"{name} {precision}: {one}")
    report(taken)


def report(taken: dict[str, list[Run]]) -> None:
    """Print the medians, and how much longer the first of them takes."""
    medians = {
        name: (
            median(one.printed["train"] for one in runs),
            median(one.seconds for one in runs),
            median(one.processor for one in runs),
        )
        for name, runs in taken.items()
    }
    first = next(iter(medians.values()))
    rows = []
    for name, values in medians.items():
        cells = [[f"{v:.0f} s", f"{of / v:.2f}"] for v, of in zip(values, first, strict=True)]
        rows.append([name, *(cell for pair in cells for cell in pair)])
    print(f"{processor()}.\n")
    header = ["", "training", "faster", "whole command", "faster", "processor", "less"]
    print(table(header, rows))


def keras(options: argparse.Namespace, precision: str) -> Run:
    """Run this script in another process."""
    command = [sys.executable, __file__, options.data, "--keras", precision]
    command += ["--model", options.model]
    return measured(command, {"TF_CPP_MIN_LOG_LEVEL": "3"})


def pytorch(options: argparse.Namespace, precision: str) -> Run:
    """Run its script in PyTorch's environment."""
    network = json.loads((options.model / "assets.extra" / "tftl.json").read_text())["backbone"]
    script = Path(__file__).with_name("article_torch.py")
    command = [peers.TORCH / "bin/python", script, options.data, "--network", network]
    command += ["--precision", precision, "--epochs", EPOCHS, "--batch", BATCH]
    return measured([*command, "--units", UNITS, "--lr", RATE])


def tftl(options: argparse.Namespace, precision: str) -> Run:
    """Run `tftl fit` with an empty cache."""
    with tempfile.TemporaryDirectory(prefix="tftl-article-") as work:
        run = Path(work) / "run"
        command = [ROOT / "bin/tftl", "fit", "--data", options.data, "--model", options.model]
        command += ["--augment", "article", "--precision", precision, "--output", run]
        command += ["--epochs", EPOCHS, "--patience", 0, "--batch-size", BATCH, "--lr", RATE]
        command += ["--units", UNITS, "--feature-scale", "none", "--output-init", "glorot"]
        command += ["--cache-dir", Path(work) / "cache", "--quiet"]
        taken = measured(command)
        lines = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
    epochs = [line["train"] for line in lines if line["phase"] == "epoch"]
    assert len(epochs) == EPOCHS
    return Run(taken.seconds, taken.processor, taken.memory, {"train": sum(epochs)})


PROGRAMS = {"Keras": keras, "PyTorch": pytorch, "tftl": tftl}


def keras_fit(data: Path, model: Path, precision: str) -> dict[str, float]:
    """Train as that article does, on the network of the exported model.

    The precision is that of most operations; weights are float32.
    """
    sys.path.insert(0, str(ROOT / "scripts"))
    import keras
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    from tftl_export.backbones.build import build_backbone
    from tftl_export.weights.registry import REGISTRY

    about = json.loads((model / "assets.extra" / "tftl.json").read_text())
    name, size = about["backbone"], tuple(about["input"]["size"])

    class Training(keras.callbacks.Callback):
        """Measures the seconds of the epochs without validation."""

        seconds = 0.0

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.start = time.monotonic()

        def on_test_begin(self, logs: object = None) -> None:
            self.seconds += time.monotonic() - self.start

    keras.utils.set_random_seed(1)
    if precision != "float32":
        keras.config.set_dtype_policy(f"mixed_{precision}")
    augmented = {"shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True}
    train, validation = (
        ImageDataGenerator(rescale=1.0 / 255, **changes).flow_from_directory(
            data / part, target_size=size, batch_size=BATCH, class_mode="binary"
        )
        for part, changes in (("train", augmented), ("val", {}))
    )
    base, _ = build_backbone(name, size[0], "registry" if name in REGISTRY else "none", 0)
    base.trainable = False
    layers = keras.layers
    trained = keras.Sequential(
        [
            base,
            layers.Flatten(),
            layers.Dense(UNITS, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    trained.compile(keras.optimizers.Adam(RATE), "binary_crossentropy", metrics=["accuracy"])
    training = Training()
    trained.fit(train, validation_data=validation, epochs=EPOCHS, verbose=0, callbacks=[training])
    return {"train": training.seconds}


if __name__ == "__main__":
    main()
