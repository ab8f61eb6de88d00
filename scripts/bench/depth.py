#!/usr/bin/env python3
"""Prints the table of depth.sh: validation and test accuracy per stage and seed."""

from __future__ import annotations

import json
import sys
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

STAGES = ("head", "block5", "block4", "block3", "block2", "block1", "auto")


def main(work: Path, seeds: list[str]) -> None:
    """Print a row per stage with a column per seed, then the means."""
    header = [f"seed {seed}" for seed in seeds]
    print(f"{'stage':8}" + "".join(f"{text:>16}" for text in [*header, "mean"]))
    tests = {}
    for stage in STAGES:
        runs = [work / f"{seed}-{stage}" for seed in seeds]
        validation, tests[stage] = [best(run) for run in runs], [tested(run) for run in runs]
        pairs = [*zip(validation, tests[stage], strict=True)]
        pairs.append((mean(validation), mean(tests[stage])))
        print(f"{stage:8}" + "".join(f"{v:>8.3f} {t:.3f}  " for v, t in pairs))
    print("each cell: validation and test accuracy")
    for stage in STAGES[1:]:
        gains = [a - b for a, b in zip(tests[stage], tests["head"], strict=True)]
        error = stdev(gains) / sqrt(len(gains)) if len(gains) > 1 else float("nan")
        print(f"{stage} over head on test: {mean(gains):+.4f}, standard error {error:.4f}")
    stages = {seed: last_stage(work / f"{seed}-auto") for seed in seeds}
    print(
        "auto's best epoch is in stage",
        ", ".join(f"{s} (seed {seed})" for seed, s in stages.items()),
    )


def history(run: Path) -> list[dict[str, Any]]:
    """The epochs of a run."""
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def best(run: Path) -> float:
    """Validation accuracy of the best epoch."""
    return [epoch for epoch in history(run) if epoch["best"]][-1]["val_accuracy"]


def last_stage(run: Path) -> str:
    """The stage of the best epoch."""
    return [epoch for epoch in history(run) if epoch["best"]][-1]["stage"]


def tested(run: Path) -> float:
    """Test accuracy."""
    return json.loads((run / "evaluation.json").read_text())["accuracy"]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
