#!/usr/bin/env python3
"""Measures how time and memory of each command grow with the number of images.

The images are synthetic JPEGs of 32 x 32 pixels, each different, in a folder for each of 100
classes. They are made below build/bench/scale, and stay there: 500,000 take 2 GB and a few minutes.
Prints a Markdown table. Growth is relative to the size before. Bytes are of the peak memory, for
each image that was added.

"Many classes" is an evaluation of up to 50,000 of these images with 1,000 other labels. All but
three of a class are its test part, they are in the cache, and all probabilities are kept. That and
what trains many heads is left out with more than 50,000 images, an audit with more than 20,000.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import ROOT, Run, measured, processor, say, table
from PIL import Image

CLASSES = 100  # or fewer, so that each has 50 images


def main() -> None:
    """Measure each command on each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", type=int, nargs="*", default=[5_000, 50_000, 500_000])
    parser.add_argument("--model", type=Path, default=ROOT / "build/testdata/tiny-gap")
    parser.add_argument("--images", type=Path, default=ROOT / "build/bench/scale")
    options = parser.parse_args()
    taken: dict[str, dict[int, Run]] = {}
    for size in sorted(options.sizes):
        data = images(options.images / str(size), size)
        with tempfile.TemporaryDirectory(prefix="tftl-scale-") as work:
            for name, run in commands(data, options.model, Path(work), size).items():
                one = run()
                say(f"{size} images, {name}: {one.seconds:.1f} s, {one.memory:.0f} MB")
                taken.setdefault(name, {})[size] = one
    print(f"{processor()}.\n")
    header = ["command", "images", "time, s", "growth", "images/s", "processor, s"]
    header += ["memory, MB", "bytes an image"]
    print(table(header, [row for name, runs in taken.items() for row in rows(name, runs)]))


def rows(name: str, runs: dict[int, Run]) -> list[list[str]]:
    """One command's rows."""
    found, before = [], 0
    for size, run in runs.items():
        growth = added = ""
        if before:
            growth = f"{run.seconds / runs[before].seconds:.1f}"
            added = f"{(run.memory - runs[before].memory) * 1e6 / (size - before):.0f}"
        row = [name, f"{size:,}", f"{run.seconds:.1f}", growth, f"{size / run.seconds:.0f}"]
        found.append([*row, f"{run.processor:.1f}", f"{run.memory:.0f}", added])
        before = size
    return found


def commands(data: Path, model: Path, work: Path, size: int) -> dict[str, Callable[[], Run]]:
    """What is measured, in this order."""
    tftl, run, paths = ROOT / "bin/tftl", work / "run", work / "paths.txt"
    files = sorted(data.glob("*/*.jpg"))
    paths.write_text("".join(f"{file}\n" for file in files))

    def fit(data: Path, output: Path, *more: str) -> Run:
        words = [tftl, "fit", "--data", data, "--model", model, "--cache-dir", work / "cache"]
        words += ["--epochs", 2, "--patience", 0, "--lr", "1e-3", "--quiet", "--output", output]
        return measured([*words, *more])

    def evaluate(run: Path, *more: str) -> Run:
        return measured([tftl, "evaluate", "--model", run, "--quiet", *more])

    def heads(command: str) -> Run:
        """A command that trains many heads on the features that are in the cache."""
        words = [tftl, command, "--data", data, "--model", model, "--cache-dir", work / "cache"]
        return measured([*words, "--quiet", "--output", work / command])

    def evaluate_many() -> Run:
        fit(relabelled(files, work / "many.csv"), work / "many", "--allow-outside")
        return evaluate(work / "many")

    predict = [tftl, "predict", "--model", run, "--csv", "--top-k", 1, "--quiet", "-"]
    all_commands = {
        # The exit code is 3 if two images look alike by chance.
        "inspect": lambda: measured([tftl, "inspect", data, "--quiet"], codes=(0, 3)),
        "split": lambda: measured([tftl, "split", data, "--output", work / "parts.csv", "--quiet"]),
        "fit, empty cache": lambda: fit(data, run),
        "fit, all in the cache": lambda: fit(data, work / "warm"),
        "evaluate": lambda: evaluate(run),
        "predict": lambda: measured(predict, stdin=paths),
    }
    if size <= 20_000:
        all_commands["audit"] = lambda: heads("audit")
    if size <= 50_000:
        all_commands |= {
            "curve": lambda: heads("curve"),
            "evaluate, with abstention": lambda: evaluate(run, "--abstain", "coverage=0.9"),
            "evaluate, many classes": evaluate_many,
        }
    return all_commands


def relabelled(files: list[Path], manifest: Path) -> Path:
    """Write a manifest with 1,000 classes, or fewer, and three images of each not to test."""
    rows, classes = ["path,label,split"], min(1_000, len(files) // 5)
    for i, file in enumerate(files):
        part = "train" if i < 2 * classes else "val" if i < 3 * classes else "test"
        rows.append(f"{file},class-{i % classes:03},{part}")
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


def images(folder: Path, size: int) -> Path:
    """Make the images, unless they are there."""
    if folder.exists():
        return folder
    say(f"making {size:,} images in {folder}")
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    random = np.random.default_rng(0)
    classes = min(CLASSES, size // 50)
    for label in range(classes):
        (unfinished / f"class-{label:02}").mkdir(parents=True)
    for i in range(size):
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        encoded = io.BytesIO()
        Image.fromarray(coarse.repeat(4, 0).repeat(4, 1)).save(encoded, "JPEG", quality=50)
        file = unfinished / f"class-{i % classes:02}" / f"{i:06}.jpg"
        file.write_bytes(encoded.getvalue())
    unfinished.rename(folder)
    return folder


if __name__ == "__main__":
    main()
