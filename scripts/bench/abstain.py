#!/usr/bin/env python3
"""Measures how often the promises of `evaluate --abstain` and `--conformal` are kept.

First on simulated samples. Then on photographs: each folder is divided into folds, each fold is
predicted by a network that was trained on the others, and all of these predictions together are
taken as the world from which samples are drawn, and divided into halves. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from measure import ROOT, processor, say

TFTL, PROMISES = ROOT / "bin" / "tftl", ROOT / "bin" / "promises"


def main() -> None:
    """Measure simulated samples and those of each folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", type=Path, nargs="*", help="folders with one per class")
    parser.add_argument("--model", type=Path, default=ROOT / "savedmodels/vgg16-gap")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--truth", type=int, default=50_000)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    rounds = ["-rounds", str(options.rounds)]
    print(f"{processor()}.\n")
    print(call(PROMISES, *rounds, "-truth", options.truth), flush=True)
    with tempfile.TemporaryDirectory(prefix="tftl-abstain-") as work:
        tables = []
        for data in options.photographs:
            tables.append(Path(work) / data.name)
            tables[-1].write_text(out_of_fold(data, options.model, options.folds, Path(work)))
        if tables:
            print(call(PROMISES, *rounds, *tables))
            print(call(PROMISES, *rounds, "-halves", *tables))


def out_of_fold(data: Path, model: Path, folds: int, work: Path) -> str:
    """predictions.csv of all images, each predicted by a model that has not seen it."""
    manifest, near = work / f"{data.name}.csv", work / f"{data.name}-images"
    near.symlink_to(data.resolve())  # paths decide the parts, and must not depend on where data is
    call(TFTL, "split", near, "--folds", folds, "--output", manifest, "--quiet")
    lines: list[str] = []
    for fold in range(folds):
        run = work / f"{data.name}-{fold}"
        say(f"{data.name}: fold {fold} of {folds}")
        fit = ("--data", manifest, "--fold", fold, "--model", model, "--output", run)
        call(TFTL, "fit", *fit, "--allow-outside", "--quiet")
        call(TFTL, "evaluate", "--model", run, "--resamples", 0, "--allow-outside", "--quiet")
        header, *rows = (run / "predictions.csv").read_text().splitlines()
        lines += rows if lines else [header, *rows]
    return "\n".join(lines) + "\n"


def call(*words: object) -> str:
    """Run a command that must succeed; returns its standard output."""
    command = [str(word) for word in words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
