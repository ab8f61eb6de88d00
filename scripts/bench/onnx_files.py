#!/usr/bin/env python3
"""Compares the ONNX files of networks with tftl on photographs: `make bench-onnx`.

Prints a Markdown table. Each network trains a head, `tftl evaluate` predicts the test part, two
fifths of the photographs, and convert.py writes and measures the files. float32 is compared with
what tftl predicted, from the bytes of the image files on: with TensorFlow's decoder, as tftl has
it, and with Pillow's. The speed is that of one batch at the network's size with two threads.
Exits with 1 if a probability of float32 differs by more than 1e-5 after the same decoder. Weights
are random where no package has them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import onnxruntime
import tensorflow as tf
from measure import ROOT, processor, table
from PIL import Image
from processors import exported

NETWORKS = ("vgg16", "resnet50", "mobilenet_v2", "efficientnet_b0", "convnext_tiny")
MORE = ("efficientnet_lite0",)  # small, with ImageNet's weights from a package
FORMS = ("float32", "float16", "int8")
THREADS = 2
LARGEST = 1e-5


def main() -> int:
    """Measure each network; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of photographs with one folder per class")
    parser.add_argument("--networks", nargs="+", default=NETWORKS + MORE)
    parser.add_argument("--models", type=Path, help="folder with exports of these names")
    parser.add_argument("--batch", type=int, default=16, help="default: 16")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    print(processor(), "\n")
    rows, worst = [], 0.0
    for name in options.networks:
        model = options.models / name if options.models else exported(name)
        with tempfile.TemporaryDirectory(prefix="tftl-onnx-") as work:
            row, difference = measure(name, model, options.data, options.batch, Path(work))
        rows.append(row)
        worst = max(worst, difference)
    header = ["network", "weights", "float32 and tftl", "with Pillow's decoder", "float16", "int8"]
    header += ["accuracy of TensorFlow and each", "MB", "images/s of TensorFlow and each"]
    print(table(header, rows))
    if worst > LARGEST:
        print(f"float32 differs from tftl by {worst:.1e}", file=sys.stderr)
    return 1 if worst > LARGEST else 0


def measure(name: str, model: Path, data: Path, batch: int, work: Path) -> tuple[list[str], float]:
    """A network's row of the table, and how much float32 differs from tftl."""
    run, files = work / "run", work / "files"
    train = ["--split", "0.4,0.2,0.4", "--epochs", "20", "--precision", "float32"]
    command(ROOT / "bin/tftl", "fit", "--data", data, "--model", model, "--output", run, *train)
    command(ROOT / "bin/tftl", "evaluate", "--model", run, "--precision", "float32")
    convert = [sys.executable, ROOT / "scripts/convert.py", run, "--format", "onnx"]
    # An exit code of 1 means that a form differs by much, which the table shows too.
    out = command(*convert, "--output", files, codes=(0, 1))
    shown = {line.split()[0]: line.split()[1:] for line in out.splitlines()[2:]}
    if len(shown) != 1 + len(FORMS):
        sys.exit(f"convert.py could not convert {name}")
    sizes, accuracies = [], [shown["SavedModel"][1]]
    for form in FORMS:
        size, _, _, accuracy = shown[f"{form}.onnx"]
        sizes.append(size)
        accuracies.append(accuracy)
    exact = difference(files / "float32.onnx", run, data, decoded)
    pillow = difference(files / "float32.onnx", run, data, opened)
    about = json.loads((run / "model/assets.extra/tftl.json").read_text())
    pixels = np.random.default_rng(0).uniform(0, 255, (batch, *about["input"]["size"], 3))
    speeds = rates(run / "model", files, pixels.astype(np.float32))
    weights = about["weights"]["origin"].partition(",")[0]
    cells = [name, weights, f"{exact:.1e}", f"{pillow:.1e}"]
    cells += [shown[f"{form}.onnx"][1] for form in FORMS[1:]]
    cells += [", ".join(accuracies), ", ".join(sizes), ", ".join(f"{s:.0f}" for s in speeds)]
    return cells, exact


def command(*words: object, codes: tuple[int, ...] = (0,)) -> str:
    """Run a command and return its standard output."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode not in codes:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr[-2000:]}")
    return done.stdout


def decoded(file: Path) -> np.ndarray:
    """An image as tftl decodes it."""
    content = tf.io.read_file(str(file))
    return tf.io.decode_image(content, channels=3, expand_animations=False).numpy()


def opened(file: Path) -> np.ndarray:
    """An image as Pillow decodes it."""
    return np.asarray(Image.open(file).convert("RGB"))


def difference(file: Path, run: Path, data: Path, decode: Callable[[Path], np.ndarray]) -> float:
    """The largest difference of a probability from the run's predictions."""
    largest = 0.0
    answer = session(file)
    with (run / "predictions.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            want = [float(value) for key, value in row.items() if key.startswith("p(")]
            image = decode(data / row["path"]).astype(np.float32)[np.newaxis]
            (got,) = answer.run(["probabilities"], {"images": image})
            largest = max(largest, float(np.abs(got[0] - want).max()))
    return largest


def session(file: Path) -> onnxruntime.InferenceSession:
    """An ONNX file with two threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def rates(model: Path, files: Path, pixels: np.ndarray) -> list[float]:
    """Images per second of the SavedModel and of each file, which take turns."""
    loaded = tf.saved_model.load(str(model))
    batch = tf.constant(pixels)
    sessions = [session(files / f"{form}.onnx") for form in FORMS]
    calls: list[Callable[[], object]] = [
        lambda: loaded.signatures["serving_default"](images=batch)["probabilities"].numpy()
    ]
    calls += [partial(each.run, ["probabilities"], {"images": pixels}) for each in sessions]
    took: list[list[float]] = [[] for _ in calls]
    for _ in range(6):
        for call, times in zip(calls, took, strict=True):
            start = time.monotonic()
            call()
            times.append(time.monotonic() - start)
    return [len(pixels) / median(times[1:]) for times in took]  # the first call prepares


if __name__ == "__main__":
    sys.exit(main())
