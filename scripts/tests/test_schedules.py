"""Learning rates over a run of bin/tftl compared with Keras' schedules and ReduceLROnPlateau."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import Stage, variables
from program import AS_IN_KERAS, ROOT, history, order, parts, tftl

DATA, MODEL = ROOT / "build/testdata/photos", ROOT / "build/testdata/tiny-gap"
SEED, BATCH, EPOCHS, RATE = 3, 12, 10, 0.3


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, whose first step has a rate above 0, then another schedule."""

    def __init__(self, steps, then):
        self.steps, self.then = steps, then

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        rising = RATE * (step + 1) / (self.steps + 1)
        return tf.where(step < self.steps, rising, self.then(tf.maximum(step - self.steps, 0)))


@dataclass(frozen=True)
class Data:
    """The features and targets of each part, for Keras."""

    images: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    steps: int  # per epoch


def load(run) -> Data:
    stage = Stage(MODEL, "head")
    labels = (run / "labels.txt").read_text().split()
    images, targets = {}, {}
    for part, rows in parts(run).items():
        decoded = (tf.io.decode_image((DATA / path).read_bytes(), 3) for path, _ in rows)
        pixels = np.array([tf.image.resize(picture, (32, 32)) for picture in decoded])
        images[part] = stage.features(pixels)
        targets[part] = np.array([[labels.index(label)] for _, label in rows], np.float32)
    return Data(images, targets, -(-len(images["train"]) // BATCH))


schedules = keras.optimizers.schedules
CASES = {
    "constant": ([], lambda steps: RATE),
    "step": (
        ["--decay-rate", "0.5", "--decay-epochs", "2"],
        lambda steps: schedules.ExponentialDecay(RATE, 2 * steps, 0.5, staircase=True),
    ),
    "exponential": (
        ["--decay-rate", "0.5", "--decay-epochs", "3"],
        lambda steps: schedules.ExponentialDecay(RATE, 3 * steps, 0.5),
    ),
    "cosine": ([], lambda steps: schedules.CosineDecay(RATE, EPOCHS * steps)),
    "cosine after warmup": (
        ["--warmup-epochs", "2"],
        lambda steps: Warmup(2 * steps, schedules.CosineDecay(RATE, (EPOCHS - 2) * steps)),
    ),
    "plateau": (
        ["--plateau-factor", "0.5", "--plateau-patience", "2", "--min-delta", "0.5"],
        lambda steps: RATE,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_follows_keras_schedule(name, tmp_path):
    more, rates = CASES[name]
    run = tmp_path / "run"
    options = ["--data", DATA, "--model", MODEL, "--output", run, "--seed", SEED, "--lr", RATE]
    options += ["--epochs", EPOCHS, "--patience", 0, "--batch-size", BATCH, "--cache", "off"]
    schedule = ["--schedule", name.split()[0]] if name != "plateau" else []
    tftl("fit", *options, *schedule, *more, *AS_IN_KERAS, "--precision", "float32")

    data = load(run)
    assert EPOCHS * data.steps >= 50
    stage = Stage(MODEL, "head").init(2, seed=(SEED, 0))
    start = variables(stage.save(tmp_path / "start"))
    dense = keras.layers.Dense(1)
    model = keras.Sequential([keras.Input(data.images["train"].shape[1:]), dense])
    dense.set_weights([start["head/output_kernel"], start["head/output_bias"]])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rates(data.steps)), loss, jit_compile=False)
    plateau = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, min_delta=0.5)
    plateau.set_model(model)
    plateau.on_train_begin()

    want = []
    for epoch in range(1, EPOCHS + 1):
        visits, total = order(SEED, epoch, len(data.images["train"])), 0.0
        for i in range(0, len(visits), BATCH):
            batch = visits[i : i + BATCH]
            model.reset_metrics()
            inputs, targets = data.images["train"][batch], data.targets["train"][batch]
            total += len(batch) * float(model.train_on_batch(inputs, targets))
        validation = model.evaluate(data.images["val"], data.targets["val"], verbose=0)
        want.append([total / len(visits), validation])
        if name == "plateau":
            plateau.on_epoch_end(epoch, {"val_loss": validation})
    got = np.array([[line["loss"], line["val_loss"]] for line in history(run)])
    assert np.abs(got - want).max() <= 1e-5 * np.max(want)
    assert np.ptp(got[:, 0]) > 0.1 * got[:, 0].max(), "hardly anything changed"
    if name == "plateau":
        assert float(model.optimizer.learning_rate) < RATE / 2, "it was never reduced twice"
