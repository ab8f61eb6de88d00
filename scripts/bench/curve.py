#!/usr/bin/env python3
r"""Measures how often the intervals of `tftl curve` hold what is found with twice the images.

    scripts/bench/curve.py savedmodels/vgg16-gap build/demo/plants build/demo/animals

Each repetition draws a training and a validation part, and hides half of the training part.
`tftl curve` predicts from what is left what one head will reach on the same validation part with
all of it. Then `tftl fit` trains that head. Prints a row of a Markdown table for each set: in how
many repetitions the value found is in the interval, how wide the interval is, how far the expected
value is from the one found, and how far the value without the hidden half is.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = {".jpg", ".jpeg", ".png"}

HEADER = (
    "photographs", "images seen, validation images", "repetitions", "held what was found",
    "mean width", "mean error of the prediction", "mean error of no change", "verdicts",
)  # fmt: skip

Images = list[tuple[Path, str]]  # with their classes


class Trial(NamedTuple):
    """What was predicted in one repetition, and what was found."""

    images: int  # that were not hidden
    validation: int
    lower: float
    upper: float
    expected: float
    now: float
    found: float
    verdict: str

    def holds(self) -> bool:
        """The interval holds what was found, up to rounding."""
        return self.lower - 1e-6 <= self.found <= self.upper + 1e-6


def main() -> None:
    """Measure each set and print its row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", type=Path, help="exported network")
    add("data", type=Path, nargs="+", help="folder with one folder of photographs per class")
    add("--repetitions", type=int, default=20, metavar="N", help="(default: %(default)s)")
    add("--validation", type=float, default=0.4, metavar="SHARE", help="(default: %(default)s)")
    add("--options", default="", help="options of both tftl curve and tftl fit")
    add("--metric", default="accuracy", help="accuracy or balanced_accuracy (default: %(default)s)")
    add("--tftl", default=str(ROOT / "bin/tftl"), help="the program (default: bin/tftl)")
    add("--save", type=Path, help="append each repetition to this file, as a line of JSON")
    options = parser.parse_args()
    for cells in (HEADER, ["---"] * len(HEADER)):
        print(f"| {' | '.join(cells)} |")
    for data in options.data:
        trials = []
        for seed in range(1, options.repetitions + 1):
            with tempfile.TemporaryDirectory(prefix="tftl-curve-") as work:
                trials.append(trial(options, data, seed, Path(work)))
            if options.save:
                with options.save.open("a") as out:
                    out.write(json.dumps({"data": data.name, "seed": seed, **trials[-1]._asdict()}))
                    out.write("\n")
        print(row(data.name, trials), flush=True)


def trial(options: argparse.Namespace, data: Path, seed: int, work: Path) -> Trial:
    """One repetition."""
    images = {p: p.parent.name for p in sorted(data.glob("*/*")) if p.suffix.lower() in SUFFIXES}
    hidden, seen, validation = draw(images, options.validation, random.Random(seed))
    for name, training in (("seen", seen), ("all", seen + hidden)):
        with (work / f"{name}.csv").open("w", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(["path", "label", "split"])
            rows.writerows([p.resolve(), c, "train"] for p, c in training)
            rows.writerows([p.resolve(), c, "val"] for p, c in validation)
    common = ["--model", str(options.model), "--seed", str(seed), "--allow-outside", "--quiet"]
    common += options.options.split()
    curve = tftl(
        options, "curve", "--data", str(work / "seen.csv"), "--metric", options.metric, *common
    )
    twice = curve["expected"][0]
    run = work / "run"
    tftl(options, "fit", "--data", str(work / "all.csv"), "--output", str(run), *common)
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    best = [epoch for epoch in history if epoch["best"]][-1]
    lower, upper = twice["here"]
    return Trial(
        images=len(seen),
        validation=len(validation),
        lower=lower,
        upper=upper,
        expected=twice["value"],
        now=curve["now"]["value"],
        found=best[f"val_{options.metric}"],
        verdict=curve["verdict"],
    )


def draw(
    images: dict[Path, str], share: float, random: random.Random
) -> tuple[Images, Images, Images]:
    """Divide each class at random: hidden and seen for training, and for validation."""
    hidden: Images = []
    seen: Images = []
    validation: Images = []
    for name in sorted(set(images.values())):
        some = [(p, c) for p, c in images.items() if c == name]
        random.shuffle(some)
        held = round(share * len(some))
        half = held + (len(some) - held) // 2
        validation += some[:held]
        hidden += some[held:half]
        seen += some[half:]
    return hidden, seen, validation


def tftl(options: argparse.Namespace, command: str, *arguments: str) -> dict[str, Any]:
    """Run a command of tftl and read what it prints."""
    done = subprocess.run(
        [options.tftl, command, *arguments, "--json"],
        check=True, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def row(name: str, trials: list[Trial]) -> str:
    """A row of the table."""
    held = sum(t.holds() for t in trials)
    verdicts = {v: sum(t.verdict == v for t in trials) for v in ("helps", "unclear", "flat")}
    cells = [
        name,
        f"{trials[0].images}, {trials[0].validation}",
        str(len(trials)),
        f"{held} ({held / len(trials):.0%})",
        f"{mean(t.upper - t.lower for t in trials):.3f}",
        f"{mean(abs(t.expected - t.found) for t in trials):.3f}",
        f"{mean(abs(t.now - t.found) for t in trials):.3f}",
        ", ".join(f"{n} {v}" for v, n in verdicts.items() if n),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
