#!/usr/bin/env python3
"""Compares the speed and the predictions of networks across TensorFlow's kernels.

Prints two Markdown tables. The first has the speed of the frozen pass with and without oneDNN, with
this processor's instructions and without AVX-512. The second has the largest difference of a
probability from the one with the default kernels, batch size and threads. The networks are
exported to build/bench and stay there.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ("vgg16", "resnet50", "mobilenet_v2", "efficientnet_b0", "convnext_tiny")
CONTRACT = ROOT / "scripts/tftl_export/contract.py"
ON, OFF = {"TF_ENABLE_ONEDNN_OPTS": "1"}, {"TF_ENABLE_ONEDNN_OPTS": "0"}
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
SPEEDS = {"on": ON, "off": OFF, "on, AVX2": ON | AVX2, "off, AVX2": OFF | AVX2}
OTHERS = {
    "batches of 7": (ON, ["-b", "7"]),
    "one thread": (ON, ["--threads", "1"]),
    "oneDNN off": (OFF, []),
    "oneDNN off, batches of 7": (OFF, ["-b", "7"]),
    "oneDNN, AVX2": (ON | AVX2, []),
}


def main() -> None:
    """Measure each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT / "build/testdata/photos")
    parser.add_argument("--images", type=int, default=16, help="images per class (default: 16)")
    parser.add_argument("--models", type=Path, help="folder with exports of these names")
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    options = parser.parse_args()
    print(processor(), "\n")
    with tempfile.TemporaryDirectory(prefix="tftl-processors-") as work:
        data = some(options.data, options.images, Path(work) / "photos")
        folder = options.models
        models = {n: folder / n if folder else exported(n) for n in options.networks}
        print("images/s with oneDNN", *SPEEDS, sep=" | ")
        print("|".join(["---"] * (1 + len(SPEEDS))))
        for name, model in models.items():
            print(name, *(f"{speed(model, data, env):.1f}" for env in SPEEDS.values()), sep=" | ")
        print("\nlargest difference", *OTHERS, sep=" | ")
        print("|".join(["---"] * (1 + len(OTHERS))))
        for name, model in models.items():
            run = Path(work) / name
            train = ["--epochs", "1", "--precision", "float32", "--quiet"]
            program(ON, "fit", "--data", data, "--model", model, "--output", run, *train)
            usual = answers(run, data, ON, [])
            gaps = [distance(answers(run, data, *other), usual) for other in OTHERS.values()]
            print(name, *(f"{gap:.0e}" for gap in gaps), sep=" | ")


def processor() -> str:
    """Its name, and the instructions that tftl finds in it."""
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    instructions = " ".join(program(ON, "version").split()[-4:-2])
    return f"{os.cpu_count()} processors, {names[0]}; {instructions}"


def some(data: Path, images: int, to: Path) -> Path:
    """Copy the first images of each class to a folder."""
    for label in sorted(path for path in data.iterdir() if path.is_dir()):
        (to / label.name).mkdir(parents=True)
        for image in sorted(label.iterdir())[:images]:
            shutil.copy(image, to / label.name)
    return to


def exported(name: str) -> Path:
    """Export a network, with ImageNet's weights from a package or else with random ones."""
    version = re.findall(r"^CONTRACT = (\d+)", CONTRACT.read_text(), re.MULTILINE)[0]
    folder = ROOT / "build/bench" / f"{name}-{version}"
    export = ["scripts/export.py", "--backbone", name, "--head", "gap", "--weights", "registry"]
    random = ["scripts/bench/export_random.py", name, str(folder)]
    for script, *options in ([*export, "--output", str(folder)], random):
        if not folder.exists():
            command = [sys.executable, str(ROOT / script), *options]
            subprocess.run(command, capture_output=True, check=False)
    return folder


def program(env: dict[str, str], *arguments: object) -> str:
    """Run tftl and return its standard output."""
    command = [str(ROOT / "bin/tftl"), *map(str, arguments)]
    return subprocess.run(
        command, env=os.environ | env, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def speed(model: Path, data: Path, env: dict[str, str]) -> float:
    """Images per second for one batch that is fed repeatedly."""
    command = [ROOT / "bin/frozen", "-data", data, "-model", model, "-precision", "float32"]
    out = subprocess.run(
        [*map(str, command), "-batch-size", "16", "-rounds", "3"],
        env=os.environ | env, check=True, text=True, stdout=subprocess.PIPE,
    ).stdout  # fmt: skip
    rates = re.findall(r"^median of \d+: preloaded ([0-9.]+) images/s", out, re.MULTILINE)
    return float(rates[0])


def answers(run: Path, data: Path, env: dict[str, str], flags: list[str]) -> list[list[float]]:
    """The predicted probabilities of each image."""
    out = program(env, "predict", "--model", run, "--precision", "float32", "--csv", *flags, data)
    rows = list(csv.DictReader(out.splitlines()))
    return [[float(v) for k, v in row.items() if k.startswith("p(")] for row in rows]


def distance(got: list[list[float]], want: list[list[float]]) -> float:
    """The largest difference between two probabilities."""
    return max(
        abs(a - b) for x, y in zip(got, want, strict=True) for a, b in zip(x, y, strict=True)
    )


if __name__ == "__main__":
    main()
