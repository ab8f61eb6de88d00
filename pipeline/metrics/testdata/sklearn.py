"""Write sklearn.json beside this file: predictions, and reference values for them.

Every metric is scikit-learn's except the loss of predictions without logits, which is Keras':
scikit-learn clips at another value, and the area under the risk-coverage curve, which is NumPy's.
Intervals, McNemar's test and the temperature are SciPy's.
Run it again after changing a case: python sklearn.py
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
from scipy import stats
from scipy.optimize import brentq
from scipy.special import softmax
from sklearn import metrics
from sklearn.calibration import calibration_curve

# Inputs are multiples of 1 over these, so that float32 holds them and the file stays small.
PROBABILITY, LOGIT = 4096, 256
BINS = 15  # metrics.Bins
CURVE_BINS = 8  # of the reliability curves; their edges are probabilities that occur
CURVES = 12  # cases with curves


def case(name: str, labels, probabilities, logits=None, curves: bool = False) -> dict:
    """One evaluation. Both of two classes are ranked by the second, as in scikit-learn."""
    labels = np.asarray(labels)
    p = np.round(np.asarray(probabilities) * PROBABILITY) / PROBABILITY
    z = None if logits is None else np.round(np.asarray(logits) * LOGIT) / LOGIT
    every = np.arange(p.shape[1])
    predicted = p.argmax(1)
    scores = p if len(every) > 2 else np.stack([-p[:, 1], p[:, 1]], 1)
    top = 5 if len(every) > 5 else 2 if len(every) > 2 else 0
    want = {
        "loss": keras_loss(labels, p)
        if z is None
        else metrics.log_loss(labels, softmax(z, 1), labels=every),
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "kappa": metrics.cohen_kappa_score(labels, predicted, labels=every),
        "mcc": metrics.matthews_corrcoef(labels, predicted),
        "brier": metrics.brier_score_loss(labels, p, labels=every),
        "ece": calibration_error(labels, p),
        "aurc": aurc(labels, p),
    }
    if top:
        want[f"top_{top}_accuracy"] = metrics.top_k_accuracy_score(labels, p, k=top, labels=every)

    def prf(average: str | None):
        return metrics.precision_recall_fscore_support(
            labels, predicted, labels=every, average=average, zero_division=0
        )

    names = ["precision", "recall", "f1"]
    for average in ["macro", "micro", "weighted"]:
        suffix = "" if average == "macro" else f"_{average}"
        want |= {n + suffix: v for n, v in zip(names, prf(average), strict=False)}
    classes = dict(zip([*names, "support"], map(list, prf(None)), strict=True))
    classes["roc_auc"] = [
        metrics.roc_auc_score(labels == c, scores[:, c]) if 0 < (labels == c).mean() < 1 else None
        for c in every
    ]
    classes["average_precision"] = [
        metrics.average_precision_score(labels == c, scores[:, c]) if c in labels else None
        for c in every
    ]
    for n in ["roc_auc", "average_precision"]:
        defined = [v for v in classes[n] if v is not None]
        want[n] = np.mean(defined) if defined else None
    check_macro(labels, p, want["roc_auc"])
    return {
        "name": name,
        "labels": labels.tolist(),
        "probabilities": np.int64(p * PROBABILITY).tolist(),
        "logits": None if z is None else np.int64(z * LOGIT).tolist(),
        "top_k": top,
        "confusion": metrics.confusion_matrix(labels, predicted, labels=every).tolist(),
        "want": want,
        "classes": classes,
        "temperature": temperature(labels, z),
        "best_f1": best_f1(labels, p),
        "curves": [curve_of(labels == c, scores[:, c]) for c in every] if curves else None,
        "reliability": reliability(labels, p, CURVE_BINS) if curves else None,
    }


def check_macro(labels, p, auc) -> None:
    """The mean over the classes is scikit-learn's own if it has one."""
    if np.unique(labels).size < p.shape[1] or not np.allclose(p.sum(1), 1, rtol=0, atol=1e-9):
        return
    whole = (
        metrics.roc_auc_score(labels, p[:, 1])
        if p.shape[1] == 2
        else metrics.roc_auc_score(labels, p, multi_class="ovr")
    )
    assert abs(whole - auc) < 1e-12, (whole, auc)


def keras_loss(labels, probabilities) -> float:
    """Keras' mean loss of predictions without logits."""
    targets = np.eye(probabilities.shape[1])[labels]
    losses = keras.ops.categorical_crossentropy(targets, probabilities)
    return float(np.mean(keras.ops.convert_to_numpy(losses)))


def reliability(labels, p, bins: int) -> dict:
    """calibration_curve of the most likely class: the bins that are not empty."""
    right = p.argmax(1) == labels
    accuracy, confidence = calibration_curve(right, p.max(1), n_bins=bins, pos_label=True)
    return {"accuracy": accuracy.tolist(), "confidence": confidence.tolist()}


def calibration_error(labels, p) -> float:
    """The mean distance in the bins of calibration_curve, weighted by their samples."""
    bins = reliability(labels, p, BINS)
    edges = np.linspace(0, 1, BINS + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], p.max(1)), minlength=BINS)
    distances = np.abs(np.subtract(bins["accuracy"], bins["confidence"]))
    return float(np.sum(distances * counts[counts > 0]) / len(labels))


def aurc(labels, p) -> float:
    """The mean share of mistakes among the most confident k samples, over all k.

    scikit-learn has no such metric. Samples with the same confidence share their mistakes.
    """
    wrong = (p.argmax(1) != labels).astype(float)
    confidence = p.max(1)
    for c in np.unique(confidence):
        wrong[confidence == c] = wrong[confidence == c].mean()
    wrong = wrong[np.argsort(-confidence, kind="stable")]
    return float(np.mean(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))


def curve_of(truth, scores) -> dict:
    """Both curves of one class, from left to right, or nothing if they are not defined."""
    curves = {}
    if truth.any() and not truth.all():
        curves["fpr"], curves["tpr"] = (v.tolist() for v in metrics.roc_curve(truth, scores)[:2])
    if truth.any():
        precision, recall, _ = metrics.precision_recall_curve(truth, scores)
        # scikit-learn begins at the threshold that all reach; ours ends when the recall is 1.
        full = np.flatnonzero(recall == 1)[-1]
        curves["precision"] = precision[full:][::-1].tolist()
        curves["recall"] = recall[full:][::-1].tolist()
    return curves


def temperature(labels, z) -> float | None:
    """The zero of the loss's slope by 1/temperature, from 0.05 to 20; 1 if there is none."""
    if z is None:
        return None
    rows = np.arange(len(labels))

    def slope(inverse: float) -> float:
        return float(np.mean((softmax(z * inverse, 1) * z).sum(1) - z[rows, labels]))

    if (z[rows, labels] == z.max(1)).all():
        return 1.0
    low, high = 1 / 20, 20.0
    if slope(low) >= 0:
        return 1 / low
    if slope(high) <= 0:
        return 1 / high
    return 1 / brentq(slope, low, high, xtol=1e-14, rtol=1e-14)


def best_f1(labels, p) -> float | None:
    """For two classes: the best F1 of the second with a threshold above 0."""
    if p.shape[1] != 2 or 1 not in labels:
        return None
    thresholds = [t for t in np.unique(p[:, 1]) if t > 0] + [2]
    return max(metrics.f1_score(labels, p[:, 1] >= t, zero_division=0) for t in thresholds)


def rounded(probabilities) -> np.ndarray:
    """Rows of whole parts that sum to exactly one."""
    p = np.floor(np.asarray(probabilities) * PROBABILITY)
    p[np.arange(len(p)), p.argmax(1)] += PROBABILITY - p.sum(1)
    return p / PROBABILITY


def cases():
    """Random evaluations, then degenerate ones."""
    rng = np.random.default_rng(1)
    for i in range(180):
        samples, classes = int(rng.integers(1, 31)), int(rng.integers(2, 8))
        labels = rng.integers(0, classes, samples)
        logits = rng.normal(scale=rng.choice([0.5, 2, 6]), size=(samples, classes))
        logits[np.arange(samples), labels] += rng.choice([0, 1, 4])
        logits = np.round(logits * LOGIT) / LOGIT
        probabilities = rounded(softmax(logits, 1))
        if i % 5 == 0:  # with ties
            probabilities = rounded(np.round(probabilities * 8) / 8)
        kept = logits if i % 3 == 0 else None
        yield case(f"random {i}", labels, probabilities, kept, curves=i < CURVES)

    eye = np.eye(3)
    yield case("all right", [0, 1, 2], eye, 4 * eye)
    yield case("all wrong", [1, 2, 0], eye, 4 * eye)
    yield case("class absent from truth", [0, 0, 1, 1], eye[[0, 2, 1, 2]])
    yield case("class absent from predictions", [0, 1, 2, 2], eye[[0, 1, 1, 0]])
    yield case("class absent from both", [0, 1, 1], eye[[0, 1, 0]])
    yield case("one class in truth", [2, 2, 2], eye[[2, 0, 2]])
    yield case("one class in truth and predictions", [2, 2, 2], eye[[2, 2, 2]])
    yield case("single sample, right", [1], [[0.25, 0.75]])
    yield case("single sample, wrong", [0], [[0.25, 0.75]])
    yield case("single sample of three classes", [1], [[0.25, 0.25, 0.5]], curves=True)
    yield case("two classes, one absent", [0, 0, 0], [[0.25, 0.75], [1, 0], [0.5, 0.5]])
    yield case("two classes, the other absent", [1, 1, 1], [[0.25, 0.75], [1, 0], [0.5, 0.5]])
    yield case("two classes, none ever predicted", [1, 0, 1], [[1, 0], [1, 0], [1, 0]])
    thirds = [[0.5, 0.5, 0], [0.25, 0.5, 0.25], [0.25, 0.375, 0.375], [1 / 3] * 3]
    yield case("ties", [0, 1, 2, 2], thirds)
    yield case("all tied", [0, 1, 2, 2, 0, 1], np.full((6, 3), 1 / 4) + eye[[0] * 6] / 4)
    tied = [[1, 1], [0.5, 0.5]]
    yield case("tied probabilities of different logits", [0, 1], tied, [[0, 0.5], [1, 1.25]])
    yield case("rows that do not sum to one", [0, 1, 1], [[0.875, 0.25], [0.25, 0.25], [1, 0.5]])
    edges = np.arange(1, 8)[:, None] / 8  # a confidence on the edge of a bin belongs below it
    yield case("between bins", [0, 1] * 3 + [0], np.hstack([edges, 1 - edges]), curves=True)
    quantised = rounded(np.round(rng.dirichlet(np.ones(4), 40) * 4) / 4 + 1 / 16)
    yield case("many ties", rng.integers(0, 4, 40), quantised)
    labels = rng.choice(20, 60, p=rng.dirichlet(np.full(20, 0.3)))
    yield case("many classes, few samples", labels, rounded(softmax(rng.normal(size=(60, 20)), 1)))


def wilson() -> list:
    """Wilson's intervals: right, samples, lower, upper."""
    pairs = [(0, 1), (1, 1), (0, 10), (3, 11), (11, 11), (50, 100), (95, 100), (985, 1000)]
    intervals = [stats.binomtest(k, n).proportion_ci(method="wilson") for k, n in pairs]
    return [[k, n, i.low, i.high] for (k, n), i in zip(pairs, intervals, strict=True)]


def mcnemar() -> list:
    """Samples that only one model gets right, that only the other gets right, p."""
    pairs = [(0, 0), (0, 1), (1, 1), (0, 5), (6, 0), (3, 4), (10, 2), (25, 40), (300, 250)]
    pairs.append((700, 1100))
    return [[a, b, stats.binomtest(a, a + b).pvalue if a + b else 1.0] for a, b in pairs]


def bootstrap() -> dict:
    """SciPy's BCa interval of a skewed loss and standard deviations of other metrics."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 200)
    logits = rng.normal(size=(200, 3))
    logits[np.arange(200), labels] += 1.5
    z = np.round(logits * LOGIT) / LOGIT
    p = rounded(softmax(z, 1))

    def loss(index, axis=-1):
        del axis
        losses = -np.log(softmax(z, 1)[np.arange(200), labels])
        return losses[index].mean(-1)

    def deviation(metric) -> float:
        draws = np.random.default_rng(3).integers(0, 200, (4000, 200))
        return float(np.std([metric(i) for i in draws], ddof=1))

    interval = stats.bootstrap(
        (np.arange(200),), loss, n_resamples=20000, method="BCa", rng=np.random.default_rng(4)
    ).confidence_interval
    return {
        "labels": labels.tolist(),
        "probabilities": np.int64(p * PROBABILITY).tolist(),
        "logits": np.int64(z * LOGIT).tolist(),
        "loss": list(interval),
        "deviations": {
            "f1": deviation(lambda i: metrics.f1_score(labels[i], p[i].argmax(1), average="macro")),
            "kappa": deviation(lambda i: metrics.cohen_kappa_score(labels[i], p[i].argmax(1))),
            "roc_auc": deviation(
                lambda i: metrics.roc_auc_score(labels[i], p[i], multi_class="ovr")
            ),
        },
    }


def shorter(value):
    """Floats with 15 digits, well within the tests' tolerance; undefined values left out."""
    if isinstance(value, dict):
        return {k: s for k, v in value.items() if (s := shorter(v)) is not None}
    if isinstance(value, list | tuple):
        return [shorter(v) for v in value]
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float):
        return None if np.isnan(value) else float(f"{value:.15g}")
    return value


def main() -> None:
    """Write every case, one per line."""
    # scikit-learn warns about classes without samples or predictions, the point of several cases.
    warnings.filterwarnings("ignore", module="sklearn")
    path = Path(__file__).with_suffix(".json")

    def text(value) -> str:
        return json.dumps(shorter(value), separators=(",", ":"))

    lines = ",\n".join(text(c) for c in cases())
    rest = "".join(
        f',\n"{n}":{text(v)}'
        for n, v in [("wilson", wilson()), ("mcnemar", mcnemar()), ("bootstrap", bootstrap())]
    )
    path.write_text(f'{{"cases":[\n{lines}\n]{rest}}}\n')


if __name__ == "__main__":
    main()
