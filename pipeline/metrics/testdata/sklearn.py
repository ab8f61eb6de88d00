"""Writes sklearn.json beside itself: predictions, and what scikit-learn and Keras say of them.

Every figure is scikit-learn's but the loss of predictions without logits, where the reference is
Keras: scikit-learn clips at another value. Run it again after changing a case: python sklearn.py
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

sys.path.pop(0)  # this folder, or the script would import itself as sklearn
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from scipy.special import softmax
from sklearn import metrics


def case(name: str, labels, probabilities, logits=None) -> dict:
    """One evaluation, in float64 from the float32 values that Go reads back."""
    labels = np.asarray(labels)
    probabilities = np.asarray(probabilities, np.float32)
    every = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(1)

    def scores(average: str | None):
        return metrics.precision_recall_fscore_support(
            labels, predicted, labels=every, average=average, zero_division=0
        )

    def averages(average: str) -> dict:
        precision, recall, f1, _ = scores(average)
        return {"precision": precision, "recall": recall, "f1": f1}

    precision, recall, f1, support = scores(None)
    return {
        "name": name,
        "labels": labels.tolist(),
        "probabilities": written(probabilities),
        "logits": None if logits is None else written(logits),
        "want": {
            "samples": len(labels),
            "loss": loss_of_probabilities(labels, probabilities)
            if logits is None
            else metrics.log_loss(labels, softmax(np.float64(logits), 1), labels=every),
            "accuracy": metrics.accuracy_score(labels, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
            "macro": averages("macro"),
            "weighted": averages("weighted"),
            "classes": [
                {
                    "name": f"class {i}",
                    "support": int(support[i]),
                    "precision": precision[i],
                    "recall": recall[i],
                    "f1": f1[i],
                }
                for i in every
            ],
            "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=every).tolist(),
        },
    }


def written(rows) -> list[list[float]]:
    """The shortest decimals that are these float32 values when they are read as float32."""
    return [[float(str(np.float32(v))) for v in row] for row in rows]


def loss_of_probabilities(labels, probabilities) -> float:
    """Keras' mean loss of predictions without logits."""
    targets = np.eye(probabilities.shape[1])[labels]
    losses = keras.ops.categorical_crossentropy(targets, np.float64(probabilities))
    return float(np.mean(keras.ops.convert_to_numpy(losses)))


def cases():
    """Random evaluations, then degenerate ones."""
    rng = np.random.default_rng(1)
    for i in range(60):
        samples, classes = int(rng.integers(1, 41)), int(rng.integers(2, 8))
        labels = rng.integers(0, classes, samples)
        logits = rng.normal(scale=rng.choice([0.5, 2, 6]), size=(samples, classes))
        logits[np.arange(samples), labels] += rng.choice([0, 1, 4])
        logits = np.float32(logits.round(3))
        probabilities = softmax(logits, 1)
        yield case(f"random {i}", labels, probabilities, logits if i % 3 == 0 else None)

    eye = np.eye(3)
    yield case("all right", [0, 1, 2], eye)
    yield case("all wrong", [1, 2, 0], eye)
    yield case("class absent from truth", [0, 0, 1, 1], eye[[0, 2, 1, 2]])
    yield case("class absent from predictions", [0, 1, 2, 2], eye[[0, 1, 1, 0]])
    yield case("class absent from both", [0, 1, 1], eye[[0, 1, 0]])
    yield case("one class in truth", [2, 2, 2], eye[[2, 0, 2]])
    yield case("single sample, right", [1], [[0.25, 0.75]])
    yield case("single sample, wrong", [0], [[0.25, 0.75]])
    yield case(
        "ties",
        [0, 1, 2, 2],
        [[0.5, 0.5, 0], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4], [1 / 3] * 3],
    )
    yield case(
        "tied probabilities of different logits",
        [0, 1],
        [[1, 1], [0.5, 0.5]],
        [[0, 0.5], [1, 1.25]],
    )
    yield case("rows that do not sum to one", [0, 1, 1], [[0.9, 0.3], [0.2, 0.2], [2, 0.5]])
    quantised = np.round(rng.dirichlet(np.ones(4), 40) * 4) / 4 + 1 / 16
    yield case("many ties", rng.integers(0, 4, 40), quantised)
    labels = rng.choice(20, 60, p=rng.dirichlet(np.full(20, 0.3)))
    yield case("many classes, few samples", labels, softmax(rng.normal(size=(60, 20)), 1))


def main() -> None:
    """Write every case, one a line."""
    # scikit-learn warns of classes without samples or predictions: the point of several cases.
    warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
    path = Path(__file__).with_suffix(".json")
    lines = ",\n".join(json.dumps(c, default=float) for c in cases())
    path.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
