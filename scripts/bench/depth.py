#!/usr/bin/env python3
"""The table of depth.sh: validation and test accuracy at each depth, over the seeds."""

from __future__ import annotations

import json
import sys
from math import sqrt
from pathlib import Path
from statistics import mean, stdev

DEPTHS = ("head", "block5", "block4", "block3", "block2", "block1", "auto")


def main(work: Path, seeds: list[str]) -> None:
    """Print a row a depth: a column a seed, then the means."""
    header = [f"seed {seed}" for seed in seeds]
    print(f"{'depth':8}" + "".join(f"{text:>16}" for text in [*header, "mean"]))
    tests = {}
    for depth in DEPTHS:
        runs = [work / f"{seed}-{depth}" for seed in seeds]
        validation, tests[depth] = [best(run) for run in runs], [tested(run) for run in runs]
        pairs = [*zip(validation, tests[depth], strict=True)]
        pairs.append((mean(validation), mean(tests[depth])))
        print(f"{depth:8}" + "".join(f"{v:>8.3f} {t:.3f}  " for v, t in pairs))
    print("each validation and test accuracy")
    for depth in DEPTHS[1:]:
        gains = [a - b for a, b in zip(tests[depth], tests["head"], strict=True)]
        error = stdev(gains) / sqrt(len(gains)) if len(gains) > 1 else float("nan")
        print(f"{depth} over head on test: {mean(gains):+.4f}, standard error {error:.4f}")
    stages = {seed: last_stage(work / f"{seed}-auto") for seed in seeds}
    print("auto's best epoch is of", ", ".join(f"{s} (seed {seed})" for seed, s in stages.items()))


def history(run: Path) -> list[dict]:
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
