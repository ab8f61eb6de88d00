"""Runs bin/tftl as a user does, and reads the files that it writes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = ROOT / "bin" / "tftl"

# The head as Keras users write it: raw features, and random weights in the output layer.
AS_IN_KERAS = ("--feature-scale", "none", "--output-init", "glorot")


def tftl(*arguments: object) -> str:
    """Run a command that must succeed; returns its standard output."""
    return _run(0, arguments).stdout


def fails(code: int, *arguments: object) -> str:
    """Run a command that must end with this exit code; returns what it says on standard error."""
    return _run(code, arguments).stderr


def _run(code: int, arguments: tuple[object, ...]) -> subprocess.CompletedProcess[str]:
    assert _PROGRAM.exists(), f"{_PROGRAM} is missing: make build"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TFTL_")}
    command = [str(_PROGRAM), *map(str, arguments), "--quiet"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == code, f"{' '.join(command)}: {done.returncode}, {done.stderr}"
    return done


@dataclass(frozen=True)
class Predictions:
    """A table that evaluate or predict wrote."""

    paths: list[str]
    classes: list[str]
    labels: list[str] | None  # the true ones, if the table has them
    predicted: list[str]
    probabilities: np.ndarray  # [N,C]

    @classmethod
    def of(cls, table: str) -> Predictions:
        """Parse the CSV text."""
        rows = list(csv.DictReader(table.splitlines()))
        columns = [name for name in rows[0] if name.startswith("p(")]
        values = [[float(row[name]) for name in columns] for row in rows]
        return cls(
            paths=[row["path"] for row in rows],
            classes=[name[2:-1] for name in columns],
            labels=[row["label"] for row in rows] if "label" in rows[0] else None,
            predicted=[row["predicted"] for row in rows],
            probabilities=np.array(values),
        )

    def true(self) -> np.ndarray:
        """The indexes of the true classes."""
        assert self.labels is not None
        return np.array([self.classes.index(label) for label in self.labels])


def predict(model: Path, *images: object, precision: str = "float32", **flags: object):
    """Run `tftl predict --csv` on files or folders."""
    more = [item for name, value in flags.items() for item in (f"--{name}", value)]
    arguments = ["--model", model, "--precision", precision, "--csv", *more, *images]
    return Predictions.of(tftl("predict", *arguments))


def history(run: Path) -> list[dict[str, Any]]:
    """The lines of history.jsonl."""
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def parts(run: Path) -> dict[str, list[tuple[str, str]]]:
    """The path and label of each image of a run by part, in the program's order."""
    split: dict[str, list[tuple[str, str]]] = {"train": [], "val": [], "test": []}
    with (run / "data.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            split[row["split"]].append((row["path"], row["label"]))
    return split


def order(seed: int, epoch: int, n: int) -> list[int]:
    """pipeline.Order as it is described: PCG-DXSM and a Fisher-Yates shuffle."""
    state, mask, result = seed << 64 | epoch, 2**64 - 1, [0] * n
    for i in range(n):
        state = state * 0x2360ED051FC65DA44385DF649FCCF645 + 0x5851F42D4C957F2D14057B7EF767814F
        state %= 2**128
        high, low = state >> 64, state & mask
        high = (high ^ high >> 32) * 0xDA942042E4DD58B5 & mask
        high = (high ^ high >> 48) * (low | 1) & mask
        j = high * (i + 1) >> 64
        result[i] = result[j]
        result[j] = i
    return result
