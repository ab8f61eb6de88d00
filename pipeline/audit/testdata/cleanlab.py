"""Write cleanlab.json beside this file: what cleanlab finds in made-up data sets.

The data sets are not in the file: reference_test.go makes them from the same seeds with the same
arithmetic. It needs cleanlab 2.9.0, which is not among the packages of requirements.txt. Install
it in an environment of its own, and run it again after changing a case: python cleanlab.py
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

sys.path.pop(0)  # this folder, or the script would import itself as cleanlab

import cleanlab
import numpy as np
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues
from cleanlab.outlier import OutOfDistribution
from cleanlab.rank import get_label_quality_scores
from sklearn.neighbors import NearestNeighbors

VERSION = "2.9.0"
FRACTION = 1 << 20  # probabilities are multiples of 1 over this, so that float32 holds them


class Draw:
    """SplitMix64."""

    def __init__(self, seed: int):
        """Begin at a seed."""
        self.state = seed

    def next(self) -> int:
        """The next 64 bits."""
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def uniform(self) -> float:
        """From 0 to below 1."""
        return (self.next() >> 11) / (1 << 53)


def problem(case: dict) -> tuple[np.ndarray, np.ndarray]:
    """Given labels and probabilities."""
    draw, classes = Draw(case["seed"]), case["classes"]
    labels, rows, lone = [], [], False
    for _ in range(case["images"]):
        true = given = draw.next() % classes
        flipped, other = draw.uniform() < case["noise"], draw.next() % classes
        if flipped:
            given = other
        # The last class has no image, the one before it has one.
        if case["rare"] and (given == classes - 1 or given == classes - 2 and lone):
            given = 0
        lone = lone or given == classes - 2
        weights = []
        for _ in range(classes):
            u = draw.uniform()
            weights.append(u * u * u * u)
        weights[true] += case["strength"] * draw.uniform()
        total = 0.0
        for w in weights:
            total += w
        labels.append(given)
        rows.append([np.floor(w / total * FRACTION) / FRACTION for w in weights])
    return np.array(labels), np.array(rows)


def judge(case: dict) -> dict:
    """What cleanlab says about one problem."""
    labels, p = problem(case)
    joint = compute_confident_joint(labels, p)
    raw = compute_confident_joint(labels, p, calibrate=False)
    counts = np.bincount(labels, minlength=case["classes"])
    scaled = raw / raw.sum(1, keepdims=True) * counts[:, None]
    issues = find_label_issues(
        labels,
        p,
        filter_by="confident_learning",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    quality = get_label_quality_scores(labels, p, method="self_confidence")
    return case | {
        "thresholds": get_confident_thresholds(labels, p).tolist(),
        "joint": entries(raw),
        "calibrated": entries(joint),
        "wrong": float(scaled.sum() - np.trace(scaled)),
        "issues": issues.tolist(),
        "quality": [round(float(quality[i]), 7) for i in issues],
    }


def entries(joint: np.ndarray) -> list[list[int]]:
    """Row, column and value of what is not 0."""
    return [[*map(int, at), int(joint[tuple(at)])] for at in np.argwhere(joint)]


def outliers(case: dict) -> dict:
    """Scores of cleanlab.outlier, and scikit-learn's nearest neighbours."""
    draw = Draw(case["seed"])
    shape = case["images"], case["width"]
    x = np.array([draw.uniform() for _ in range(shape[0] * shape[1])]).reshape(shape)
    x = np.floor(x * FRACTION) / FRACTION
    _, near = NearestNeighbors(n_neighbors=10, metric="cosine").fit(x).kneighbors()
    return case | {"scores": OutOfDistribution().fit_score(features=x).tolist(), "near": near.tolist()}


def main() -> None:
    """Write the file."""
    if cleanlab.__version__ != VERSION:
        sys.exit(f"cleanlab is {cleanlab.__version__}, not {VERSION}")
    warnings.simplefilter("ignore")
    cases = []
    for seed, (images, classes, noise, strength) in enumerate(
        [
            (200, 2, 0.02, 2),
            (200, 2, 0.1, 1),
            (500, 2, 0.3, 0.5),
            (20, 2, 0.2, 1),
            (100, 3, 0.05, 3),
            (300, 3, 0.1, 1),
            (400, 4, 0.05, 2),
            (77, 4, 0.1, 1),
            (500, 5, 0.2, 2),
            (30, 5, 0, 4),
            (600, 10, 0.05, 4),
            (600, 10, 0.4, 2),
            (60, 10, 0.2, 1),
            (800, 25, 0.1, 6),
            (1000, 100, 0.1, 30),
            (1500, 100, 0.3, 15),
            (150, 100, 0.1, 20),
        ]
    ):
        for rare in (False, True) if classes > 2 else (False,):
            sizes = {"images": images, "classes": classes}
            cases.append(
                judge({"seed": seed, **sizes, "noise": noise, "strength": strength, "rare": rare})
            )
    features = [
        outliers({"seed": 100, "images": 61, "width": 7}),
        outliers({"seed": 101, "images": 130, "width": 67}),
    ]
    text = json.dumps({"cleanlab": VERSION, "labels": cases, "features": features})
    Path(__file__).with_suffix(".json").write_text(text.replace('{"seed"', '\n{"seed"') + "\n")


if __name__ == "__main__":
    main()
