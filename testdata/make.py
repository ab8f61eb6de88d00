#!/usr/bin/env python3
"""Make what the tests run on, below one folder: exported networks and photographs.

    tiny/, tiny-gap/    the tiny backbone with either head, random weights of seed 0
    keras-softmax/      a plain Keras `model.export` of three classes, with keras-softmax.keras
    keras-sigmoid/      the same of two classes and one sigmoid
    photos/             red/ and blue/, 40 JPEGs of 48x40 pixels each, easily told apart
    formats/            one picture as JPEG, PNG, BMP, GIF and WebP, and under wrong extensions

Whole or not at all: the folder appears when everything in it is made. Made again only where
the exporter or this script is newer.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Make the folder unless it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", "-o", type=Path, required=True)
    output = parser.parse_args().output
    sources = [Path(__file__), *sorted((ROOT / "scripts" / "tftl_export").glob("*.py"))]
    if output.is_dir() and output.stat().st_mtime > max(s.stat().st_mtime for s in sources):
        return
    work = output.with_name(output.name + ".new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    photographs(work)
    networks(work)
    shutil.rmtree(output, ignore_errors=True)
    work.rename(output)
    os.utime(output)


def photographs(folder: Path) -> None:
    """Noise around red or blue; the same bytes every time."""
    random = np.random.default_rng(0)
    for label, colour in (("red", (200, 60, 60)), ("blue", (60, 60, 200))):
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(40):
            pixels = random.normal(colour, 40, (40, 48, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{label}-{i:02}.jpg")
    formats = folder / "formats"
    formats.mkdir()
    ramp = np.linspace(0, 255, 40 * 48 * 3).reshape(40, 48, 3).astype(np.uint8)
    picture = Image.fromarray(ramp)
    for extension in ("jpg", "png", "bmp", "gif", "webp"):
        picture.save(formats / f"picture.{extension}")
    shutil.copy(formats / "picture.png", formats / "png-named.jpg")
    shutil.copy(formats / "picture.webp", formats / "webp-named.png")


def networks(folder: Path) -> None:
    """Exported by the exporter's own command line, and by Keras."""
    for name, head in (("tiny", "flatten"), ("tiny-gap", "gap")):
        command = [sys.executable, str(ROOT / "scripts" / "export.py"), "--backbone", "tiny"]
        command += ["--weights", "none", "--head", head, "--output", str(folder / name)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(0)
    for name, units, activation in (("softmax", 3, "softmax"), ("sigmoid", 1, "sigmoid")):
        layers = keras.layers
        model = keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                layers.Rescaling(1.0),
                layers.Conv2D(4, 3, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(units, activation=activation),
            ]
        )
        model.export(folder / f"keras-{name}", verbose=False)
        model.save(folder / f"keras-{name}.keras")


if __name__ == "__main__":
    main()
