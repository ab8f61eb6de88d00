"""Novelty against scikit-learn, from the features that TensorFlow computes in Python."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from program import ROOT, tftl
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_distances
from sklearn.preprocessing import normalize

DATA = ROOT / "build" / "testdata"


def features(model, files) -> np.ndarray:
    """The means of the last feature maps of images."""
    run = tf.saved_model.load(str(model), tags=["train", "head"]).signatures["features"]
    size = run.structured_input_signature[1]["images"].shape[1:3]
    decode = lambda f: tf.io.decode_image(tf.io.read_file(str(f)), 3, expand_animations=False)  # noqa: E731
    images = tf.stack([tf.image.resize(decode(f), size) for f in files])
    return run(images=images)["features"].numpy().reshape(len(files), -1, 8).mean(1)


@pytest.mark.parametrize("network", ["tiny", "tiny-gap"])  # flattened maps, and their means
def test_novelty_is_the_cosine_distance_from_the_nearest_class(network, tmp_path):
    run = tmp_path / "run"
    common = ("--precision", "float32", "--cache", "off")
    tftl(
        *("fit", "--data", DATA / "photos", "--model", DATA / network, "--epochs", 1),
        *("--split", "0.4,0.4,0.2", "--output", run, *common),
    )
    others = DATA / "formats"
    figures = json.loads(
        tftl(
            "evaluate", "--model", run, "--json", "--novelty", 0.9, "--unfamiliar", others, *common
        )
    )
    parts: dict[str, list[tuple[str, str]]] = {}
    with open(run / "data.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            parts.setdefault(row["split"], []).append((row["path"], row["label"]))
    x = {
        part: features(DATA / network, [DATA / "photos" / path for path, _ in rows])
        for part, rows in parts.items()
    }
    labels = np.array([label for _, label in parts["train"]])
    means = [normalize(x["train"])[labels == c].mean(0) for c in ("blue", "red")]

    def distance(rows: np.ndarray) -> np.ndarray:
        return cosine_distances(rows.astype(float), means).min(1)

    ranked = np.sort(distance(x["val"]))
    limit = ranked[math.ceil(0.9 * (len(ranked) + 1)) - 1]
    assert figures["decision"]["novelty"] == pytest.approx(limit, rel=1e-3)
    want = distance(x["test"]) / limit
    assert figures["familiar"] == pytest.approx((want <= 1.0001).mean())

    answers = tftl("predict", "--model", run, "--csv", others, "--precision", "float32")
    rows = list(csv.DictReader(answers.splitlines()))
    of_others = np.array([float(row["novelty"]) for row in rows])
    expected = distance(features(DATA / network, [row["path"] for row in rows])) / limit
    np.testing.assert_allclose(of_others, expected, rtol=2e-3)
    truth = np.r_[np.zeros(len(want)), np.ones(len(expected))]
    area = roc_auc_score(truth, np.r_[want, expected])
    assert figures["novelty_roc_auc"] == pytest.approx(area)

    served = tf.saved_model.load(str(run / "model")).signatures["serving_bytes"]
    got = served(bytes=tf.constant([Path(row["path"]).read_bytes() for row in rows]))
    np.testing.assert_allclose(got["novelty"].numpy(), of_others, rtol=2e-3)
    assert (got["accepted"].numpy() == (of_others <= 1)).all()
