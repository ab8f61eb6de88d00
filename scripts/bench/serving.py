#!/usr/bin/env python3
"""Measures how many photographs a second each way to serve a model classifies.

A head is trained on the photographs and the run converted to TensorFlow Lite and ONNX. Then each
runtime classifies the photographs from their files on, in batches of 8, with all processors. What
it takes to start is not counted. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import tensorflow as tf
from measure import ROOT, measured, processor, table
from PIL import Image

BATCH = 8
THREADS = os.cpu_count() or 1
LIBRARY = next(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so.*"))


def main() -> None:
    """Measure each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path, help="class folders of JPEGs")
    parser.add_argument("models", type=Path, nargs="+", help="exported networks")
    parser.add_argument(
        "--images", type=int, default=160, help="classified each time (default: 160)"
    )
    options = parser.parse_args()
    print(f"Photographs a second, {processor()}.\n")
    found = sorted(p for p in options.photographs.rglob("*") if p.suffix in (".jpg", ".jpeg"))
    files = [found[i % len(found)] for i in range(options.images)]
    columns = [speeds(model, options.photographs, files) for model in options.models]
    rows = [[way, *(f"{column[way]:.1f}" for column in columns)] for way in columns[0]]
    print(table(["", *(model.name for model in options.models)], rows))


def speeds(model: Path, data: Path, files: list[Path]) -> dict[str, float]:
    """The speed of each way."""
    with tempfile.TemporaryDirectory(prefix="tftl-serving-") as name:
        work = Path(name)
        run = work / "run"
        fit = ["--data", data, "--model", model, "--output", run, "--epochs", 1, "--quiet"]
        measured([ROOT / "bin/tftl", "fit", *fit])
        for form in ("tflite", "onnx"):
            convert = [sys.executable, ROOT / "scripts/convert.py", run, "--format", form]
            # The exit code is 1 if the answers of a form differ by much.
            measured([*convert, "--output", work / form], codes=(0, 1))
        found = {"tftl predict, float32": predict(run, files, work)}
        for precision in ("float32", "int8"):
            lite = interpreter(work / "tflite" / f"{precision}.tflite")
            found[f"TensorFlow Lite, {precision}"] = python(lite, files)
            onnx = session(work / "onnx" / f"{precision}.onnx")
            found[f"onnxruntime, {precision}"] = python(onnx, files)
            served = service(work / "onnx" / f"{precision}.onnx", data, len(files))
            found[f"the Go service, {precision}"] = served
        return found


def predict(run: Path, files: list[Path], work: Path) -> float:
    """What the second half of a list takes longer than the first alone."""
    seconds = []
    for count in (len(files) // 4, len(files) + len(files) // 4):
        paths = work / "paths"
        paths.write_text("".join(f"{files[i % len(files)].resolve()}\n" for i in range(count)))
        command = [ROOT / "bin/tftl", "predict", "--model", run, "--precision", "float32"]
        seconds.append(measured([*command, "-b", BATCH, "--csv", "-"], stdin=paths).seconds)
    return len(files) / (seconds[1] - seconds[0])


def interpreter(path: Path) -> tuple[Callable[[np.ndarray], object], tuple[int, int]]:
    """A function of a batch, and the size of its images."""
    lite = tf.lite.Interpreter(model_path=str(path), num_threads=THREADS)
    answer = lite.get_signature_runner("serving_default")
    shape = answer.get_input_details()["images"]["shape_signature"]
    return lambda images: answer(images=images), (int(shape[1]), int(shape[2]))


def session(path: Path) -> tuple[Callable[[np.ndarray], object], None]:
    """A function of a batch of images of any size."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    onnx = onnxruntime.InferenceSession(str(path), options)
    return lambda images: onnx.run(["probabilities"], {"images": images}), None


def python(
    model: tuple[Callable[[np.ndarray], object], tuple[int, int] | None], files: list[Path]
) -> float:
    """Decode, resize and classify in Python."""
    answer, size = model
    for images in batches(files[:BATCH], size):
        answer(images)
    start = time.monotonic()
    for images in batches(files, size):
        answer(images)
    return len(files) / (time.monotonic() - start)


def batches(files: list[Path], size: tuple[int, int] | None) -> Iterator[np.ndarray]:
    """Batches of decoded images: of one size, or all as large as the first."""
    for i in range(0, len(files), BATCH):
        images = [Image.open(file).convert("RGB") for file in files[i : i + BATCH]]
        to = size[::-1] if size else images[0].size
        resized = [image.resize(to, Image.Resampling.BILINEAR) for image in images]
        yield np.stack([np.asarray(image, np.float32) for image in resized])


def service(onnx: Path, data: Path, count: int) -> float:
    """The Go service, to 32 clients on the same machine."""
    command = [ROOT / "bin/load", "-good", "-requests", count, "-serve", ROOT / "bin/serve"]
    command += ["-model", onnx, "-library", LIBRARY, "-photographs", data]
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    row = re.search(r"at a time, in ([\d.]+) s", done.stdout)
    if not row:
        sys.exit(f"{' '.join(words)}: {done.stderr}")
    return count / float(row[1])


if __name__ == "__main__":
    main()
