#!/usr/bin/env python3
"""Compares the first `tftl evaluate` of a run with evaluating the same network in Keras.

Each measurement is one process from start to end. tftl starts with an empty cache, computes
metrics with intervals, and writes predictions, pictures, heat maps and the report. Keras loads a
saved model, predicts the images, and prints scikit-learn's classification report. The programs take
turns. Prints medians as a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from measure import ROOT, Run, measured, processor, say, table

sys.path.insert(0, str(ROOT / "scripts"))
SUFFIXES = {".jpg", ".jpeg", ".png"}
OTHERS = 10  # images of each class to train on, and as many to validate


def main() -> None:
    """Measure both programs in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of photographs with one folder per class")
    parser.add_argument("--model", type=Path, required=True, help="exported network")
    parser.add_argument("--images", type=int, default=80, help="to evaluate (default: 80)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--keras", type=Path, help=argparse.SUPPRESS)  # this process is the peer
    options = parser.parse_args()
    if options.keras:
        return keras(options.keras, options.data)
    with tempfile.TemporaryDirectory(prefix="tftl-evaluation-") as work:
        data, run, saved = Path(work) / "data", Path(work) / "run", Path(work) / "network.keras"
        some(options.data, options.images, data)
        fit = [ROOT / "bin/tftl", "fit", "--data", data, "--model", options.model, "--quiet"]
        measured([*fit, "--epochs", 1, "--cache-dir", Path(work) / "other", "--output", run])
        save(options.model, len(list((data / "test").iterdir())), saved)
        programs = {
            "tftl": lambda: tftl(run, Path(work) / "cache"),
            "Keras": lambda: peer(options.model, data / "test", saved),
        }
        taken: dict[str, list[Run]] = {name: [] for name in programs}
        for number in range(options.rounds):
            for name, program in programs.items():
                taken[name].append(program())
                say(f"round {number + 1}: {name}: {taken[name][-1].seconds:.1f} s")
    print(f"{processor()}. {options.images} photographs, medians of {options.rounds}.\n")
    header = ["program", "time, s", "tftl is faster", "processor, s", "memory, MB"]
    print(table(header, rows(taken)))


def rows(taken: dict[str, list[Run]]) -> list[list[str]]:
    """One row for each program."""
    first = median(run.seconds for run in taken["tftl"])
    found = []
    for name, runs in taken.items():
        seconds = median(run.seconds for run in runs)
        faster = "" if name == "tftl" else f"{seconds / first:.2f}"
        used = [median(run.processor for run in runs), median(run.memory for run in runs)]
        found.append([name, f"{seconds:.1f}", faster, f"{used[0]:.1f}", f"{used[1]:.0f}"])
    return found


def some(data: Path, images: int, to: Path) -> None:
    """Copy photographs to train/, val/ and test/."""
    labels = sorted(path for path in data.iterdir() if path.is_dir())
    for label in labels:
        files = sorted(path for path in label.iterdir() if path.suffix.lower() in SUFFIXES)
        sizes = {"test": images // len(labels), "train": OTHERS, "val": OTHERS}
        for part, size in sizes.items():
            (to / part / label.name).mkdir(parents=True)
            for file in files[:size]:
                shutil.copy(file, to / part / label.name)
            files = files[size:]


def tftl(run: Path, cache: Path) -> Run:
    """Evaluate with an empty cache."""
    shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(run / "gallery", ignore_errors=True)
    return measured([ROOT / "bin/tftl", "evaluate", run, "--cache-dir", cache, "--quiet"])


def peer(model: Path, data: Path, saved: Path) -> Run:
    """Evaluate in a process of Keras."""
    words = [sys.executable, __file__, data, "--model", model, "--keras", saved]
    return measured(words, {"TF_CPP_MIN_LOG_LEVEL": "3"})


def save(model: Path, classes: int, saved: Path) -> None:
    """Save the network with a new head as Keras does, in a process of its own."""
    program = f"import evaluation; evaluation.write({str(model)!r}, {classes}, {str(saved)!r})"
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", program], check=True, env=env)


def write(model: str, classes: int, saved: str) -> None:
    """Write the network with a new head to a file."""
    import keras

    from tftl_export.backbones.build import build_backbone
    from tftl_export.backbones.table import BACKBONES

    about = json.loads((Path(model) / "assets.extra/tftl.json").read_text())
    size = BACKBONES[about["backbone"]].size
    base, _ = build_backbone(about["backbone"], size, "none", 0)
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(classes, "softmax")]
    keras.Sequential([base, *layers]).save(saved)


def keras(saved: Path, data: Path) -> None:
    """Evaluate a saved model as a Keras program does."""
    import keras
    import numpy as np
    from sklearn.metrics import classification_report

    network = keras.models.load_model(saved)
    images = keras.utils.image_dataset_from_directory(
        data, image_size=network.input_shape[1:3], batch_size=32, shuffle=False, verbose=False
    )
    predicted = network.predict(images, verbose=0)
    labels = np.concatenate([y for _, y in images])
    print(classification_report(labels, predicted.argmax(1), target_names=images.class_names))


if __name__ == "__main__":
    main()
