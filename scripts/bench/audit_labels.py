#!/usr/bin/env python3
r"""Measures how many flipped labels `tftl audit` finds, next to cleanlab on the same probabilities.

    scripts/bench/audit_labels.py photos --model savedmodels/vgg16 \
        --cleanlab build/cleanlab/bin/python

Each seed draws the images whose labels become another class. Prints a Markdown table with means
over the seeds. The first k findings are as many as labels were flipped; precision is the share of
them that were flipped, recall the share of the flipped that is among them. cleanlab's rows are what
`cleanlab.filter.find_label_issues` finds, ranked by self-confidence: by default, which is what tftl
does, and with confident_learning. The last line says whether tftl and the default found the same
images; rounding may differ where two choices are equally good.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from measure import ROOT, measured, processor, say, table

SUFFIXES = {".jpg", ".jpeg", ".png"}
TFTL, SAME, OTHER = "tftl", "cleanlab", "cleanlab, confident_learning"

Images = list[tuple[Path, str]]  # images with their classes
Score = tuple[float, float, float, float, float]  # the cells of one seed


def main() -> None:
    """Flip labels, audit and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("data", type=Path, help="folder with one folder of photographs per class")
    add("--model", type=Path, help="exported network")
    add("--rates", type=float, nargs="+", default=[0.02, 0.05, 0.1], help="of labels to flip")
    add("--seeds", type=int, default=5, metavar="N", help="use seeds 1 to N (default: 5)")
    add("--cleanlab", type=Path, metavar="PYTHON", help="a Python with cleanlab (default: no rows)")
    add("--program", type=Path, default=ROOT / "bin/tftl", help=argparse.SUPPRESS)
    add("--judge", action="store_true", help=argparse.SUPPRESS)  # data are probabilities
    options = parser.parse_args()
    if options.judge:
        print(json.dumps(judge(*read_probabilities(options.data))))
        return
    if not options.model:
        parser.error("--model is missing")
    images, found, differ = collect(options.data), [], []
    with tempfile.TemporaryDirectory(prefix="tftl-audit-labels-") as work:
        for rate in options.rates:
            scores: dict[str, list[Score]] = {}
            for seed in range(1, options.seeds + 1):
                labelled, wrong = flip(images, rate, seed)
                orders = ranked(options, labelled, seed, Path(work))
                differ.append(len(set(orders[TFTL]) ^ set(orders.get(SAME, []))))
                for tool, order in orders.items():
                    scores.setdefault(tool, []).append(score(order, wrong))
                    say(f"{rate:.0%}, seed {seed}, {tool}: {scores[tool][-1]}")
            found += [row(f"{rate:.0%} of {len(images)}", tool, s) for tool, s in scores.items()]
    print(f"{processor()}. Means of {options.seeds} seeds.\n")
    header = ["flipped", "found by", "first k: precision", "recall"]
    print(table([*header, "findings", "all: precision", "recall"], found))
    if options.cleanlab:
        same = differ.count(0)
        print(f"\nThe same images as cleanlab in {same} of {len(differ)} audits; ", end="")
        print(f"at most {max(differ)} images are found by one only.")


def collect(data: Path) -> Images:
    """The images of each class."""
    return [
        (file.resolve(), folder.name)
        for folder in sorted(data.iterdir())
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in SUFFIXES
    ]


def flip(images: Images, rate: float, seed: int) -> tuple[Images, set[str]]:
    """Give a share of the images another class; says which."""
    chance, classes = random.Random(seed), sorted({label for _, label in images})
    chosen = set(chance.sample(range(len(images)), round(rate * len(images))))
    labelled = [
        (file, chance.choice([c for c in classes if c != label]) if i in chosen else label)
        for i, (file, label) in enumerate(images)
    ]
    return labelled, {str(images[i][0]) for i in chosen}


def ranked(
    options: argparse.Namespace, labelled: Images, seed: int, work: Path
) -> dict[str, list[str]]:
    """What each tool takes for label errors, worst first."""
    manifest, output = work / "flipped.csv", work / "audit"
    with open(manifest, "w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *labelled])
    command = [options.program, "audit", "--data", manifest, "--allow-outside", "--seed", seed]
    command += ["--model", options.model, "--cache-dir", work / "cache"]
    shutil.rmtree(output, ignore_errors=True)
    measured([*command, "--output", output, "--json"])
    names = {key(str(file)): str(file) for file, _ in labelled}
    orders = {TFTL: [names[key(image)] for image in read_findings(output / "audit.csv")]}
    if not options.cleanlab:
        return orders
    probabilities = output / "probabilities.csv"
    judged = subprocess.run(
        [options.cleanlab, __file__, probabilities, "--judge"],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    for tool, order in json.loads(judged).items():
        orders[tool] = [names[key(image)] for image in order]
    return orders


def key(image: str) -> str:
    """What identifies an image, however its path is written: its class's folder and its name."""
    return "/".join(Path(image).parts[-2:])


def read_findings(audit: Path) -> list[str]:
    """The images with label errors in audit.csv, worst first."""
    with open(audit, newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["kind"] == "label-error"]
    return [r["image"] for r in sorted(rows, key=lambda r: -float(r["score"]))]


def read_probabilities(file: Path) -> tuple[list[str], list[int], list[list[float]]]:
    """Images, the numbers of their labels, and their probabilities."""
    with open(file, newline="") as opened:
        header, *rows = csv.reader(opened)
    classes = header[2:]
    labels = [classes.index(r[1]) for r in rows]
    return [r[0] for r in rows], labels, [[float(p) for p in r[2:]] for r in rows]


def judge(
    images: Sequence[str], labels: Sequence[int], probabilities: Sequence[Sequence[float]]
) -> dict[str, list[str]]:
    """What cleanlab finds with each filter, worst first."""
    import numpy as np
    from cleanlab.filter import find_label_issues

    filters = {SAME: "prune_by_noise_rate", OTHER: "confident_learning"}
    return {
        tool: [
            images[i]
            for i in find_label_issues(
                np.array(labels),
                np.array(probabilities),
                filter_by=name,
                return_indices_ranked_by="self_confidence",
                n_jobs=1,
            )
        ]
        for tool, name in filters.items()
    }


def score(order: Sequence[str], wrong: set[str]) -> Score:
    """Precision and recall of the first k, the number of findings, and both of all of them."""
    cells: list[float] = []
    for some in (order[: len(wrong)], order):
        right = len(wrong & set(some))
        cells += [right / len(some) if some else 0, right / len(wrong) if wrong else 0]
    return cells[0], cells[1], len(order), cells[2], cells[3]


def row(flipped: str, tool: str, scores: Sequence[Score]) -> list[str]:
    """A row of the table."""
    formats = [".2f", ".2f", ".1f", ".2f", ".2f"]
    means = [mean(column) for column in zip(*scores, strict=True)]
    return [flipped, tool, *(f"{m:{f}}" for m, f in zip(means, formats, strict=True))]


if __name__ == "__main__":
    main()
