"""Writes reference.json beside it: distances, limits and figures of novelty by scikit-learn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.metrics.pairwise import cosine_distances
from sklearn.preprocessing import normalize


def case(random: np.random.Generator, classes: int, width: int, positions: int) -> dict:
    """One set of training images, of validation images and of other things."""

    def images(n: int, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        labels = random.integers(0, len(centers), n)
        maps = random.normal(centers[labels][:, None], 1, (n, positions, width))
        return np.maximum(maps, 0).astype(np.float32).round(4), labels

    known = random.normal(1, 1, (classes, width))
    train, labels = images(30, known)
    labels[:classes] = np.arange(classes)
    labels[labels == classes - 1] = 0
    labels[classes - 1] = classes - 1  # a class with one image
    validation, _ = images(25, known)
    others, _ = images(20, random.normal(0.5, 1.5, (4, width)))

    means = [normalize(train.mean(1))[labels == c].mean(0) for c in range(classes)]
    distances = [cosine_distances(x.mean(1), means).min(1) for x in (validation, others)]
    limit = np.sort(distances[0])[23]  # in place 24 of 25: 0.9 times 26, rounded up
    truth, score = np.r_[np.zeros(25), np.ones(20)], np.concatenate(distances)
    passed, kept, _ = roc_curve(1 - truth, -score, drop_intermediate=False)
    return {
        "Classes": classes,
        "Positions": positions,
        "Width": width,
        "Train": train.reshape(30, -1).tolist(),
        "Labels": labels.tolist(),
        "Validation": validation.reshape(25, -1).tolist(),
        "Others": others.reshape(20, -1).tolist(),
        "Distances": [d.tolist() for d in distances],
        "Limit": float(limit),
        "ROCAUC": float(roc_auc_score(truth, score)),
        "FPR95": float(passed[np.argmax(kept >= 0.95)]),
    }


def main() -> None:
    """Write the file."""
    random = np.random.default_rng(0)
    shapes = [(2, 8, 1), (3, 5, 4), (4, 40, 1), (2, 6, 9)]
    cases = [case(random, *shape) for shape in shapes]
    Path(__file__).with_suffix(".json").write_text(json.dumps(cases) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
