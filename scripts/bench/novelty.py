"""Which measure of novelty tells images of other things best: `make bench-novelty`.

Takes an exported network and two or more folders of photographs with a folder for each class.
For each of them, and some random splits, it measures how well the images of the other folders, or
of a class that was left out, are told from held-out ones. The last line is how many of the
held-out images the limit of `--novelty 0.95` keeps, over 200 splits.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize

Set = tuple[np.ndarray, np.ndarray]  # features and labels
Score = Callable[[np.ndarray], np.ndarray]  # features to novelty
_BATCH = 16
_KEPT = 0.95


def features(network: Path, folder: Path) -> Set:
    """The mean of each of the last feature maps for every image of a folder."""
    model = tf.saved_model.load(str(network), tags=["train", "head"])
    run = model.signatures["features"]
    size = run.structured_input_signature[1]["images"].shape[1:3]
    classes = sorted(d for d in folder.iterdir() if d.is_dir())
    files = [(f, i) for i, d in enumerate(classes) for f in sorted(d.iterdir())]
    rows: list[np.ndarray] = []
    for start in range(0, len(files), _BATCH):
        pixels = [_pixels(f, size) for f, _ in files[start : start + _BATCH]]
        # A batch is always full: TensorFlow may choose other algorithms for fewer images.
        padded = pixels + pixels[-1:] * (_BATCH - len(pixels))
        rows.extend(run(images=tf.stack(padded))["features"].numpy()[: len(pixels)])
    return _mean_over_positions(np.array(rows), model), np.array([label for _, label in files])


def _pixels(file: Path, size: tf.TensorShape) -> tf.Tensor:
    image = tf.io.decode_image(tf.io.read_file(str(file)), channels=3, expand_animations=False)
    return tf.image.resize(image, size)


def _mean_over_positions(rows: np.ndarray, model: Any) -> np.ndarray:
    """Flattened maps to the mean of each; pooled features as they are."""
    explain = model.signatures["explain"].structured_input_signature[1]
    if "maps" in explain:
        return rows.astype(np.float64)
    heat = model.signatures["explain"].structured_outputs["heatmap"].shape
    return rows.reshape(len(rows), heat[1] * heat[2], -1).mean(1).astype(np.float64)


def methods(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[str, Score]]:
    """Each measure of novelty, learnt from training features."""
    scale = x.std()
    head = LogisticRegression(max_iter=300, C=0.1).fit(x / scale, y)

    def logits(v: np.ndarray) -> np.ndarray:
        z = head.decision_function(v / scale)
        return np.stack([0 * z, z], 1) if z.ndim == 1 else z

    yield "softmax", lambda v: -head.predict_proba(v / scale).max(1)
    yield "energy", lambda v: -np.logaddexp.reduce(logits(v), axis=1)
    yield "5 neighbours", lambda v: -np.sort(normalize(v) @ normalize(x).T, axis=1)[:, -5]
    yield "Mahalanobis", mahalanobis(x, y)
    normal = mahalanobis(normalize(x), y)
    yield "Mahalanobis, directions", lambda v: normal(normalize(v))
    yield "class direction", directions(x, y)


def mahalanobis(x: np.ndarray, y: np.ndarray) -> Score:
    """The distance from the nearest class mean with one covariance (Lee et al., 2018)."""
    means = np.array([x[y == c].mean(0) for c in np.unique(y)])
    rest = x - means[np.searchsorted(np.unique(y), y)]
    covariance = LedoitWolf(assume_centered=True).fit(rest).covariance_
    whiten = np.linalg.inv(np.linalg.cholesky(covariance)).T
    return lambda v: np.min([(((v - m) @ whiten) ** 2).sum(1) for m in means], axis=0)


def directions(x: np.ndarray, y: np.ndarray) -> Score:
    """What tftl has: the cosine distance from the nearest class."""
    means = normalize([normalize(x)[y == c].mean(0) for c in np.unique(y)])
    return lambda v: 1 - (normalize(v) @ means.T).max(1)


def figures(familiar: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """ROC AUC, and the share of others that pass if 95% of the familiar images do."""
    truth = np.r_[np.zeros(len(familiar)), np.ones(len(others))]
    limit = np.quantile(familiar, _KEPT, method="higher")
    return roc_auc_score(truth, np.r_[familiar, others]), float((others <= limit).mean())


def cases(sets: dict[str, Set]) -> Iterator[tuple[str, Set, np.ndarray]]:
    """What is known, and images of something else."""
    for name, known in sets.items():
        for other, (x, _) in sets.items():
            if other != name:
                yield f"{name}, {other}", known, x
    for name, (x, y) in sets.items():
        for c in np.unique(y) if y.max() > 1 else []:
            yield f"{name} without class {c}, that class", (x[y != c], y[y != c]), x[y == c]


def kept(sets: dict[str, Set], splits: int) -> Iterator[tuple[str, float]]:
    """The mean share of test images below the limit that validation images choose."""
    for name, (x, y) in sets.items():
        shares = []
        for seed in range(splits):
            order = np.random.default_rng(seed).permutation(len(y))
            train, validation, test = np.split(order, [len(y) // 2, len(y) * 4 // 5])
            score = directions(x[train], y[train])
            rank = int(np.ceil(_KEPT * (len(validation) + 1) - 1e-9))
            if rank > len(validation):
                break
            limit = np.sort(score(x[validation]))[rank - 1]
            shares.append((score(x[test]) <= limit).mean())
        if shares:
            yield name, float(np.mean(shares))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--splits", type=int, default=200)
    options = parser.parse_args()
    sets = {folder.name: features(options.network, folder) for folder in options.folders}
    for name, (x, y) in sets.items():
        print(f"{name}: {len(y)} photographs, {y.max() + 1} classes, {x.shape[1]} features")
    rows: list[list[str]] = []
    total: dict[str, list[tuple[float, float]]] = {}
    for title, (x, y), others in cases(sets):
        found: dict[str, list[tuple[float, float]]] = {}
        for seed in range(options.seeds):
            order = np.random.default_rng(seed).permutation(len(y))
            train, test = np.split(order, [len(y) * 7 // 10])
            for name, score in methods(x[train], y[train]):
                found.setdefault(name, []).append(figures(score(x[test]), score(others)))
        for name, pairs in found.items():
            total.setdefault(name, []).extend(pairs)
        rows.append([title, *(_cell(pairs) for pairs in found.values())])
    rows.append(["mean", *(_cell(pairs) for pairs in total.values())])
    print(f"\n| known, others | {' | '.join(total)} |\n|---|{'---|' * len(total)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print()
    for name, share in kept(sets, options.splits):
        print(f"{name}: {share:.3f} of held-out photographs are familiar, {options.splits} splits")


def _cell(pairs: list[tuple[float, float]]) -> str:
    area, passed = np.mean(pairs, axis=0)
    return f"{area:.3f} / {passed:.2f}"


if __name__ == "__main__":
    main()
