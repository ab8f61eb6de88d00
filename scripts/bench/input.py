#!/usr/bin/env python3
"""Compares how fast tftl and tf.data read, decode and resize JPEGs, each in turn.

tf.data maps read_file, decode_jpeg and resize over the file names with as many threads as tftl has
workers. The pixels are the same. If other programs run on the machine, trust the processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from statistics import median

from measure import ROOT, measured, processor

SIZE, BATCH = 224, 32
SUFFIXES = {".jpg", ".jpeg"}


def main() -> None:
    """Measure each in turn, or with --tf-data be the tf.data side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of JPEGs, with one folder per class")
    parser.add_argument("--rounds", type=int, default=5)
    everything = len(os.sched_getaffinity(0))
    parser.add_argument("--workers", type=int, default=everything, help="default: all processors")
    parser.add_argument("--tf-data", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.tf_data:
        print(json.dumps(tf_data(options.data, options.workers)))
        return
    workers = options.workers
    ours = [ROOT / "bin/input", "-data", options.data, "-size", SIZE, "-batch-size", BATCH]
    commands = {
        "tf.data": [sys.executable, __file__, options.data, "--tf-data", "--workers", workers],
        "tftl": [*ours, "-workers", workers],
    }
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            taken[name].append(measured(command, {"TF_CPP_MIN_LOG_LEVEL": "3"}).printed)
    images = {int(one["images"]) for runs in taken.values() for one in runs}
    if len(images) != 1:
        sys.exit(f"input: {options.data}: tf.data and tftl read {images} images: use JPEGs only")
    print(f"{processor()}. {images.pop()} JPEGs to {SIZE}x{SIZE}, {workers} at a time")
    report(taken)


def report(taken: dict[str, list[dict[str, float]]]) -> None:
    """Print medians, and tftl's speed relative to tf.data's in the same round."""
    for name, runs in taken.items():
        wall = median(one["images"] / one["seconds"] for one in runs)
        busy = median(one["images"] / one["processor"] for one in runs)
        print(f"{name:8} {wall:7.1f} images/s  {busy:7.1f} images per processor second")
    wall, busy = (
        median(a[key] / b[key] for a, b in zip(taken["tf.data"], taken["tftl"], strict=True))
        for key in ("seconds", "processor")
    )
    print(f"tftl relative to tf.data: {wall:.2f} by wall time, {busy:.2f} by processor time")


def tf_data(data: Path, threads: int) -> dict[str, float]:
    """Do the same work with tf.data; the first pass warms up."""
    import tensorflow as tf

    files = sorted(str(p) for p in data.rglob("*") if p.suffix.lower() in SUFFIXES)

    def load(name: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(tf.io.read_file(name), channels=3)
        return tf.image.resize(image, (SIZE, SIZE))

    batches = tf.data.Dataset.from_tensor_slices(files).map(load, threads).batch(BATCH)
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    batches = batches.with_options(options)
    for _ in range(2):
        start, busy = time.monotonic(), time.process_time()
        seen = sum(len(batch) for batch in batches)
    return {
        "images": seen,
        "seconds": time.monotonic() - start,
        "processor": time.process_time() - busy,
    }


if __name__ == "__main__":
    main()
