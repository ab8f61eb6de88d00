#!/usr/bin/env python3
r"""Measures what an option of `tftl fit` gains: trains with and without it, over several seeds.

    scripts/bench/recipe.py photos --model savedmodels/vgg16 --train 320 --val 100 \
        --without keras --with '--stage auto'

Each seed draws its own training, validation and test images, the same for both sides. Prints a row
of a Markdown table: for each metric of the test part the means without and with the options, and
the mean of the differences with its 95% interval (Student's t, over the seeds).

`--without keras` trains the usual Keras program for transfer learning instead: the same frozen
network, head, images and batch size, with Keras' layers, initial weights, optimizer and shuffling.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("train", "val", "test")
METRICS = ("loss", "accuracy", "balanced_accuracy", "f1")
SUFFIXES = {".jpg", ".jpeg", ".png"}

Runs = list[dict[str, float]]  # the metrics of each seed
Split = dict[str, list[tuple[Path, str]]]  # images with their classes, by part


def main() -> None:
    """Train both sides with each seed and print the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("data", type=Path, help="folder with one folder of photographs per class")
    add("--model", type=Path, required=True, help="exported network")
    add("--without", default="", metavar="OPTIONS", help="options of tftl fit, or keras")
    add("--with", dest="with_", default="", metavar="OPTIONS", help="options of tftl fit")
    add("--both", default="", metavar="OPTIONS", help="more options of tftl fit for both sides")
    add("--train", type=counts, help="training images: of all classes together, or of each: 300,50")
    add("--val", type=int, help="validation images")
    add("--test", type=int, help="test images (default of the three: 70%%, 15%%, 15%%)")
    add("--keras-lr", type=float, default=1e-4, metavar="RATE", help="(default: %(default)s)")
    add("--seeds", type=int, default=5, metavar="N", help="use seeds 1 to N (default: 5)")
    add("--metrics", default="loss,accuracy", help=f"of {','.join(METRICS)} (default: %(default)s)")
    add("--name", help="first cell of the row (default: network, data and options)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tftl-recipe-") as work:
        sides: list[Runs] = [[], []]
        for seed in range(1, options.seeds + 1):
            split = draw(options, seed)
            for side, text in zip(sides, (options.without, options.with_), strict=True):
                if text == "keras":
                    side.append(keras(options, split, seed, Path(work)))
                else:
                    side.append(tftl(options, split, seed, text, Path(work)))
                print(f"seed {seed}: {text or 'default'}: {side[-1]}", file=sys.stderr)
    name = options.name or " | ".join(
        [options.model.name, options.data.name, f"`{options.without}`", f"`{options.with_}`"]
    )
    print(row(name, options.metrics.split(","), *sides))


def counts(text: str) -> list[int]:
    """One number, or one per class."""
    return [int(number) for number in text.split(",")]


def row(name: str, metrics: list[str], without: Runs, with_: Runs) -> str:
    """A row of the table."""
    from scipy.stats import t

    cells, n = [name], len(without)
    for metric in metrics:
        gains = [b[metric] - a[metric] for a, b in zip(without, with_, strict=True)]
        half = t.ppf(0.975, n - 1) * stdev(gains) / n**0.5 if n > 1 else float("nan")
        gain = mean(gains)
        cells += [f"{mean(run[metric] for run in side):.3f}" for side in (without, with_)]
        cells.append(f"{gain:+.3f} ({gain - half:+.3f} to {gain + half:+.3f})")
    return f"| {' | '.join(cells)} |"


def draw(options: argparse.Namespace, seed: int) -> Split:
    """Draw the parts, each with the proportions of the whole set, or with given sizes per class."""
    classes = {
        folder.name: sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        for folder in sorted(options.data.iterdir())
        if folder.is_dir()
    }
    total = sum(map(len, classes.values()))
    chance = random.Random(seed)
    per_class = options.train if options.train and len(options.train) > 1 else None
    if per_class:  # which class gets which size depends on the seed
        per_class = chance.sample(per_class, len(per_class))
        if len(per_class) != len(classes):
            sys.exit(f"recipe: --train has {len(per_class)} numbers for {len(classes)} classes")
    split: Split = {part: [] for part in PARTS}
    for i, (label, images) in enumerate(classes.items()):
        chance.shuffle(images)
        share = tested = len(images) / total
        train = size(options.train and options.train[0], share, total, 0.7)
        if per_class:  # validation as uneven as training, and an even test part
            train, share, tested = per_class[i], per_class[i] / sum(per_class), 1 / len(classes)
        sizes = [train, size(options.val, share, total, 0.15)]
        sizes.append(round(options.test * tested) if options.test else len(images) - sum(sizes))
        if min(sizes) < 0 or sum(sizes) > len(images):
            sys.exit(f"recipe: {label} has {len(images)} images, which is too few")
        rest: Iterator[Path] = iter(images)
        for part, n in zip(PARTS, sizes, strict=True):
            split[part] += [(next(rest), label) for _ in range(n)]
    return split


def size(given: int | None, share: float, total: int, fraction: float) -> int:
    """The number of images of a class in a part."""
    return round((given or fraction * total) * share)


def tftl(
    options: argparse.Namespace, split: Split, seed: int, text: str, work: Path
) -> dict[str, float]:
    """Train and evaluate with tftl run, which tests on cached features; returns the metrics."""
    manifest, batch, output = work / "data.csv", work / "batch.yaml", work / "runs"
    with manifest.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["path", "label", "split"])
        out.writerows((p.resolve(), c, part) for part in PARTS for p, c in split[part])
    settings = {"data": str(manifest), "allow-outside": True, "model": str(options.model.resolve())}
    settings |= {"seed": seed, "evaluate": {"resamples": 0}, "rank": "val_loss"}
    settings |= named(shlex.split(f"{options.both} {text}"))
    batch.write_text(json.dumps(settings))  # which is YAML, too
    shutil.rmtree(output, ignore_errors=True)
    command = [str(ROOT / "bin/tftl"), "run", str(batch), "--output", str(output), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"recipe: tftl run with {text}: {done.stderr}")
    evaluation = json.loads((output / "run/evaluation.json").read_text())
    evaluation["f1"] = evaluation["macro"]["f1"]
    return {metric: evaluation[metric] for metric in METRICS}


def named(words: list[str]) -> dict[str, object]:
    """Options as in a run file: --epochs 5 --horizontal-flip is {epochs: "5", …: True}."""
    settings: dict[str, Any] = {}
    for word in words:
        if word.startswith("--"):
            name = word.removeprefix("--")
            settings.setdefault(name, True)
        else:
            given = settings[name]
            settings[name] = (
                word if given is True else [*([given] if isinstance(given, str) else given), word]
            )
    return settings


def keras(options: argparse.Namespace, split: Split, seed: int, work: Path) -> dict[str, float]:
    """Train and evaluate as the usual Keras program does, on the features of the same network."""
    file = work / f"keras-{seed}.json"
    file.write_text(json.dumps({p: [(str(i.resolve()), c) for i, c in split[p]] for p in PARTS}))
    script = Path(__file__).with_name("recipe_keras.py")
    command = [sys.executable, script, file, "--model", options.model, "--seed", seed]
    command += ["--lr", options.keras_lr]
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode != 0:
        sys.exit(f"recipe: keras: exit status {done.returncode}")
    metrics: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return metrics


if __name__ == "__main__":
    main()
