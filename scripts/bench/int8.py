#!/usr/bin/env python3
"""Measures what int8 gains and costs in the frozen part of networks.

Prints two Markdown tables: the speed of each precision on one batch that is fed repeatedly, with
all instructions of the processor and with AVX2 alone; and how far the features of each stage are
from those in float32, for ranges of activations that were measured in different ways. The networks
are exported to build/bench and stay there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from measure import ROOT, precisions, processor, say, table
from PIL import Image
from processors import exported, some

NETWORKS = ("vgg16", "resnet50", "inception_v3", "mobilenet_v2", "efficientnet_lite0")
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
_BINS = 4096
_BATCH = 8


def main() -> None:
    """Measure each network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", type=Path, help="one sub-folder per class")
    parser.add_argument("--images", type=int, default=16, help="of each class (default: 16)")
    parser.add_argument("--models", type=Path, help="folder with exports of these names")
    parser.add_argument("--batch", type=int, default=16, help="images per batch (default: 16)")
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    options = parser.parse_args()
    print(f"{processor()}\n")
    speeds, errors = [], []
    with tempfile.TemporaryDirectory(prefix="tftl-int8-") as work:
        data = some(options.photographs, options.images, Path(work) / "photographs")
        others = last(options.photographs, options.images, Path(work) / "others")
        for network in options.networks:
            model = options.models / network if options.models else exported(network)
            calibrated = Path(work) / network
            tftl("calibrate", "--model", model, "--data", data, "--output", calibrated)
            speeds.append(speed(network, calibrated, data, options.batch))
            say(str(speeds[-1]))
            errors += far(network, calibrated, data, others)
            shutil.rmtree(calibrated)
    kinds = [*precisions(), "int8"]
    header = ["network", "in int8", *kinds, "float32, AVX2", "int8, AVX2"]
    print(table(header, speeds) + "\n")
    print(table(["network", "stage", *RANGES], errors))


def last(data: Path, images: int, to: Path) -> Path:
    """Copy the last images of each class to a folder."""
    for label in sorted(path for path in data.iterdir() if path.is_dir()):
        (to / label.name).mkdir(parents=True)
        for image in sorted(label.iterdir())[-images:]:
            shutil.copy(image, to / label.name)
    return to


def tftl(*words: object) -> None:
    """Run tftl."""
    subprocess.run([str(ROOT / "bin/tftl"), *map(str, words), "--quiet"], check=True, stdout=2)


def speed(network: str, model: Path, data: Path, batch: int) -> list[str]:
    """Images per second in each precision."""
    share = json.loads((model / "assets.extra/tftl.json").read_text())["int8"]["share"]
    rates = [rate(model, data, batch, precision, {}) for precision in [*precisions(), "int8"]]
    rates += [rate(model, data, batch, precision, AVX2) for precision in ("float32", "int8")]
    return [network, f"{share:.0%}", *(f"{images:.1f}" for images in rates)]


def rate(model: Path, data: Path, batch: int, precision: str, env: dict[str, str]) -> float:
    """Images per second."""
    words = [ROOT / "bin/frozen", "-data", data, "-model", model, "-precision", precision]
    words += ["-preloaded", "-rounds", "3", "-batch-size", batch]
    out = subprocess.run(
        [str(word) for word in words],
        env=os.environ | env, check=True, text=True, stdout=subprocess.PIPE,
    ).stdout  # fmt: skip
    return float(re.findall(r"preloaded ([0-9.]+) images/s", out)[0])


def largest(top: float, _: np.ndarray, __: int) -> float:
    """The largest value."""
    return top


def percentile(top: float, counts: np.ndarray, _: int) -> float:
    """What 99.99% of the values are below."""
    return top * float(np.searchsorted(np.cumsum(counts), 0.9999 * counts.sum()) + 1) / _BINS


def least_error(top: float, counts: np.ndarray, levels: int) -> float:
    """The range with the least squared error."""
    values = (np.arange(_BINS) + 0.5) / _BINS * top
    ranges = np.linspace(0.3, 1, 71) * top
    steps = [np.clip(np.round(values / r * levels), 0, levels) * r / levels for r in ranges]
    return float(ranges[np.argmin([((s - values) ** 2 * counts).sum() for s in steps])])


RANGES: dict[str, Callable[[float, np.ndarray, int], float]] = {
    "largest value": largest,
    "99.99%": percentile,
    "least squared error": least_error,
}


def far(name: str, model: Path, data: Path, others: Path) -> list[list[str]]:
    """How far features are from float32's, by stage. Ranges are those of other photographs."""
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as tftl has it
    import tensorflow as tf

    size = json.loads((model / "assets.extra/tftl.json").read_text())["input"]["size"]
    seen, new = pixels(data, size), pixels(others, size)
    rows = []
    with session(tf, model, "features", "int8") as (int8, meta):
        chosen = ranges(int8, meta, seen)
        for stage in sorted(set(meta.signature_def) - {"measure"}, key=lambda s: (s != "head", s)):
            with session(tf, model, "train", stage) as (float32, train):
                want = features(float32, train.signature_def["features"], new)
            signature, row = meta.signature_def[stage], [name, stage]
            for values in chosen.values():
                got = features(int8, signature, new, {signature.inputs["ranges"].name: values})
                row.append(f"{np.linalg.norm(got - want) / np.linalg.norm(want):.3f}")
            rows.append(row)
            say(str(row))
    return rows


@contextmanager
def session(tf: Any, model: Path, *tags: str) -> Iterator[tuple[Any, Any]]:
    """A session with a MetaGraph, and its description."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as opened:
        yield opened, tf.compat.v1.saved_model.load(opened, list(tags), str(model))


def features(session: Any, signature: Any, images: np.ndarray, more: Any = None) -> np.ndarray:
    """What a signature computes of images."""
    name, output = signature.inputs["images"].name, signature.outputs["features"].name
    return np.concatenate([session.run(output, {name: b, **(more or {})}) for b in batches(images)])


def ranges(session: Any, meta: Any, images: np.ndarray) -> dict[str, list[float]]:
    """The ranges of each way to choose them."""
    names = [node.name for node in meta.graph_def.node]
    used = {name for node in meta.graph_def.node for name in node.input}
    given = meta.signature_def["measure"].inputs["images"].name
    found: dict[str, list[float]] = {name: [] for name in RANGES}
    for k in range(meta.signature_def["measure"].outputs["largest"].tensor_shape.dim[0].size):
        values = [f"{name}:0" for name in names if name.startswith(f"measure/abs{k}_")]
        parts = [v for b in batches(images) for v in session.run(values, {given: b})]
        top = max(float(part.max()) for part in parts)
        counts = np.sum([np.histogram(part, _BINS, (0, top))[0] for part in parts], axis=0)
        signed = not used.isdisjoint({f"bottoms:{k}", f"twice:{k}"})
        for name, choose in RANGES.items():
            found[name].append(choose(top, counts, 127 if signed else 255))
    return found


def pixels(data: Path, size: list[int]) -> np.ndarray:
    """Photographs as a network is given them."""
    files = sorted(path for path in data.rglob("*") if path.is_file())
    return np.stack([
        np.asarray(Image.open(file).convert("RGB").resize((size[1], size[0])), np.float32)
        for file in files
    ])  # fmt: skip


def batches(images: np.ndarray) -> list[np.ndarray]:
    """A few images at a time."""
    return [images[i : i + _BATCH] for i in range(0, len(images), _BATCH)]


if __name__ == "__main__":
    main()
