"""Class weights and label smoothing of `tftl fit` compared with scikit-learn and Keras."""

from __future__ import annotations

import csv
import json

import keras
import numpy as np
import pytest
from driver import variables
from program import AS_IN_KERAS, history, parts, tftl
from sklearn.utils.class_weight import compute_class_weight
from test_end_to_end import COLOURS, Run, keras_network, photographs, pixels

SMOOTHING, RATE, EPOCHS = 0.2, 0.5, 4
WEIGHTS = {"ant": 0.5, "bee": 2, "moth": 7.25, "wasp": 1}


@pytest.fixture(scope="module", params=[2, 4])
def photos(request, tmp_path_factory):
    """Images of two classes, for which the head has one output, and of four."""
    classes = list(COLOURS)[: request.param]
    return photographs(tmp_path_factory.mktemp("photos"), classes), classes


@pytest.fixture
def fit(photos, export, tmp_path):
    """Trains with one batch per epoch."""
    model = export("--backbone", "tiny", "--weights", "none", "--head", "gap")

    def run(name: str, rate: float, *flags: object) -> Run:
        arguments = ["--data", photos[0], "--model", model, "--output", tmp_path / name]
        arguments += ["--cache", "ram", "--precision", "float32", "--optimizer", "sgd"]
        arguments += ["--epochs", EPOCHS, "--patience", 0, "--batch-size", 1000, "--lr", rate]
        tftl("fit", *arguments, *flags)
        return Run(tmp_path / name, model, photos[0], "gap", rate)

    return run


def keras_fit(start: Run, classes: list[str], weights: dict[str, float], smoothing: float):
    """Train the same head in Keras; returns its last weights and the loss of each epoch."""
    images = [(start.photos / path, label) for path, label in parts(start.folder)["train"]]
    labels = np.array([classes.index(label) for _, label in images])
    network = keras_network(start)  # of logits
    for layer in network.layers[:-1]:
        layer.trainable = False
    if len(classes) == 2:
        loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
        targets = labels[:, None].astype(np.float32)
    else:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
        targets = np.eye(len(classes), dtype=np.float32)[labels]
    network.compile(keras.optimizers.SGD(RATE), loss)
    done = network.fit(
        pixels([path for path, _ in images]),
        targets,
        batch_size=1000,
        epochs=EPOCHS,
        class_weight={i: weights[name] for i, name in enumerate(classes)},
        verbose=0,
    )
    return network.layers[-1].get_weights(), done.history["loss"]


@pytest.mark.parametrize(("kind", "smoothing"), [("balanced", SMOOTHING), ("file", 0)])
def test_training_matches_keras(photos, fit, tmp_path, kind, smoothing):
    classes = photos[1]
    start = fit("start", 1e-30)  # does not change the head
    labels = [label for _, label in parts(start.folder)["train"]]
    weights = {name: WEIGHTS[name] for name in classes}
    flags = ["--class-weights", tmp_path / "weights.csv", "--label-smoothing", smoothing]
    if kind == "balanced":
        balanced = compute_class_weight("balanced", classes=np.array(classes), y=labels)
        weights = dict(zip(classes, map(float, balanced), strict=True))
        flags[1] = "balanced"
    else:
        with (tmp_path / "weights.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("label", "weight"), *reversed(weights.items())])
    run = fit("run", RATE, *flags)
    training = json.loads((run.folder / "config.json").read_text())["training"]
    assert training["class_weights"] == pytest.approx(weights, rel=1e-12)
    assert training["label_smoothing"] == smoothing

    want, losses = keras_fit(start, classes, weights, smoothing)
    head = variables(run.folder / "checkpoints/last/ckpt")
    for value, name in zip(want, ("output_kernel", "output_bias"), strict=True):
        np.testing.assert_allclose(head[f"head/{name}"], value, rtol=1e-4, atol=1e-6)
    assert [line["loss"] for line in history(run.folder)] == pytest.approx(losses, rel=1e-5)

    plain, _ = keras_fit(start, classes, dict.fromkeys(classes, 1.0), 0)
    assert np.abs(plain[0] - want[0]).max() > 1e-3, "weights and smoothing made no difference"


def test_validation_is_neither_weighted_nor_smoothed(photos, fit):
    one = fit("one", 1e-30, *AS_IN_KERAS)
    flags = ["--class-weights", "balanced", "--label-smoothing", SMOOTHING]
    other = fit("other", 1e-30, *AS_IN_KERAS, *flags)
    for a, b in zip(history(one.folder), history(other.folder), strict=True):
        assert a["val_loss"] == b["val_loss"]
        assert a["loss"] != b["loss"]
