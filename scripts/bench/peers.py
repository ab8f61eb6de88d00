#!/usr/bin/env python3
"""Compares `tftl fit` with the same training in Keras and PyTorch; prints a Markdown table.

Each measurement is one process from start to end: it loads its libraries and the network, reads the
photographs, and trains a head on the frozen network, with validation after each epoch. tftl starts
with an empty cache. "Keras" computes the whole network in each epoch, as most programs are written.
"Keras, features once" and "PyTorch, features once" compute the frozen part once for each photograph
and train on that; PyTorch in channels-last order, with BatchNorm folded into the convolutions. The
programs take turns, and the table has medians. The frozen pass counts as one span from the first
photograph to the last feature. Beside it is its share of the rate of tftl's network when it
is fed one batch repeatedly, without reading or decoding.

Weights are random where no package has them. ONEDNN_MAX_CPU_ISA=AVX2 limits every program. bfloat16
is measured where the processor has instructions for it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measure import ROOT, Run, measured, precisions, processor, say, table
from processors import exported

NETWORKS = ("vgg16", "resnet50", "mobilenet_v2", "efficientnet_b0")
EPOCHS, BATCH, RATE = 5, 32, "1e-3"
SUFFIXES = {".jpg", ".jpeg", ".png"}
HERE = Path(__file__).parent
TORCH = ROOT / "build/bench/torch"
# PyPI's torch for x86-64 is linked with CUDA's libraries, 2.5 GB, which are not installed: torch.sh
# makes empty ones. The other packages are those that torch and torchvision import.
TORCH_PACKAGES = ("torch==2.15.0", "torchvision==0.29.2")
TORCH_NEEDS = (
    "numpy==2.4.6",
    "pillow==13.0.0",
    "filelock==4.3.1",
    "typing_extensions==4.16.0",
    "sympy==1.14.0",
    "networkx==3.6.1",
    "Jinja2==3.1.6",
    "fsspec==2026.9.0",
    "mpmath==1.3.0",
    "MarkupSafe==3.0.4",
)


@dataclass(frozen=True)
class Case:
    """One network in one precision, on these photographs."""

    network: str
    precision: str
    model: Path
    data: Path
    epochs: int


def main() -> None:
    """Measure each program in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of photographs with one folder per class")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--programs", nargs="+", default=[*PROGRAMS], choices=[*PROGRAMS])
    parser.add_argument("--images", type=int, default=200, help="default: 200")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"default: {EPOCHS}")
    parser.add_argument("--models", type=Path, help="folder with exports of these names")
    options = parser.parse_args()
    if "PyTorch, features once" in options.programs:
        install_torch()
    models = {n: options.models / n if options.models else exported(n) for n in options.networks}
    with tempfile.TemporaryDirectory(prefix="tftl-peers-") as work:
        images = some(options.data, options.images, Path(work))
        cases = [
            Case(network, precision, model, Path(work), options.epochs)
            for network, model in models.items()
            for precision in precisions()
        ]
        runs: dict[tuple[Case, str], list[Run]] = {}
        preloaded: dict[Case, list[float]] = {}
        for number in range(options.rounds):
            for case in cases:
                say(f"round {number + 1}: {case.network}, {case.precision}")
                preloaded.setdefault(case, []).append(limit(case, images))
                for name in options.programs:
                    one = PROGRAMS[name](case)
                    say(f"  {name}: {one.seconds:.1f} s")
                    runs.setdefault((case, name), []).append(one)
    report(options, images, runs, preloaded)


def report(
    options: argparse.Namespace,
    images: int,
    runs: dict[tuple[Case, str], list[Run]],
    preloaded: dict[Case, list[float]],
) -> None:
    """Print the machine and the medians."""
    print(
        f"{processor()}. {images} photographs, {options.epochs} epochs, batches of {BATCH}, ",
        end="",
    )
    print(f"medians of {options.rounds}. Time is of the whole command.\n")
    header = ["network", "precision", "program", "frozen pass, images/s", "of preloaded"]
    header += ["time, s", "tftl is faster", "processor, s", "memory, MB"]
    rows = []
    for (case, name), taken in runs.items():
        seconds = median(one.seconds for one in taken)
        tftl = [one.seconds for one in runs.get((case, "tftl"), [])]
        rates = [one.printed["rate"] for one in taken if one.printed.get("rate")]
        rate = median(rates) if rates else 0
        row = [case.network, case.precision, name]
        row += [f"{rate:.1f}", f"{rate / median(preloaded[case]):.0%}"] if rate else ["", ""]
        row += [
            f"{seconds:.1f}",
            "" if name == "tftl" or not tftl else f"{seconds / median(tftl):.2f}",
        ]
        row += [f"{median(one.processor for one in taken):.1f}"]
        row += [f"{median(one.memory for one in taken):.0f}"]
        rows.append(row)
    print(table(header, rows))


def some(data: Path, images: int, to: Path) -> int:
    """Copy photographs to train/ and val/, one in five to the latter; returns their number."""
    labels = sorted(path for path in data.iterdir() if path.is_dir())
    copied = 0
    for label in labels:
        files = sorted(path for path in label.iterdir() if path.suffix.lower() in SUFFIXES)
        for part in ("train", "val"):
            (to / part / label.name).mkdir(parents=True)
        for i, file in enumerate(files[: images // len(labels)]):
            shutil.copy(file, to / ("val" if i % 5 == 4 else "train") / label.name)
            copied += 1
    return copied


def limit(case: Case, images: int) -> float:
    """Images per second of the network that is fed one batch repeatedly."""
    command = [
        ROOT / "bin/frozen",
        "-data",
        case.data,
        "-model",
        case.model,
        "-preloaded",
        "-rounds",
        "1",
    ]
    command += ["-precision", case.precision, "-batch-size", min(BATCH, images)]
    out = subprocess.run(
        [str(word) for word in command], check=True, text=True, stdout=subprocess.PIPE
    ).stdout
    return float(re.findall(r"^median of \d+: preloaded ([0-9.]+) images/s", out, re.MULTILINE)[0])


def tftl(case: Case) -> Run:
    """Run `tftl fit` with an empty cache."""
    with tempfile.TemporaryDirectory(prefix="tftl-peers-") as work:
        run = Path(work) / "run"
        command = [ROOT / "bin/tftl", "fit", "--data", case.data, "--model", case.model]
        command += ["--output", run, "--cache-dir", Path(work) / "cache", "--quiet"]
        command += ["--precision", case.precision, "--epochs", case.epochs, "--patience", 0]
        command += ["--lr", RATE, "--batch-size", BATCH]
        taken = measured(command)
        lines = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
    passes = [line for line in lines if line["phase"] == "features"]
    rate = sum(p["images"] for p in passes) / sum(p["seconds"] for p in passes)
    return Run(taken.seconds, taken.processor, taken.memory, {"rate": rate})


def peer(python: Path, script: str, case: Case, *more: str) -> Run:
    """Run a peer's script. ONEDNN_MAX_CPU_ISA limits only what oneDNN computes for PyTorch."""
    command = [python, HERE / script, case.data, "--network", case.network, "--precision"]
    command += [case.precision, "--epochs", case.epochs, "--batch-size", BATCH, "--lr", RATE, *more]
    env = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    if os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2":
        env |= {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
    return measured(command, env)


PROGRAMS = {
    "tftl": tftl,
    "Keras": lambda case: peer(Path(sys.executable), "peer_keras.py", case),
    "Keras, features once": lambda case: peer(
        Path(sys.executable), "peer_keras.py", case, "--once"
    ),
    "PyTorch, features once": lambda case: peer(TORCH / "bin/python", "peer_torch.py", case),
}


def install_torch() -> None:
    """Make PyTorch's environment below build/, unless it has these packages."""
    stamp, wanted = TORCH / "packages.txt", "\n".join([*TORCH_PACKAGES, *TORCH_NEEDS])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"installing {' '.join(TORCH_PACKAGES)} into {TORCH}: 560 MB to download")
    shutil.rmtree(TORCH, ignore_errors=True)
    venv.create(TORCH, with_pip=True)
    pip = [str(TORCH / "bin/python"), "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
    subprocess.run([*pip, *TORCH_PACKAGES, *TORCH_NEEDS], check=True)
    subprocess.run([str(HERE / "torch.sh"), str(TORCH)], check=True)
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
