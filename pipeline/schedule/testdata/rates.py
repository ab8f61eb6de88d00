#!/usr/bin/env python3
"""Write rates.json beside this file: learning rates computed by Keras."""

import json
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras  # noqa: E402
import numpy as np  # noqa: E402

schedules = keras.optimizers.schedules
STEPS = 50


def rates(schedule) -> list[float]:
    """Return the rate of each of the first steps."""
    return [float(schedule(step)) for step in range(STEPS)]


def plateau(values: list[float], **options) -> list[float]:
    """Return the learning rate after each epoch if it starts at 1."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    callback = keras.callbacks.ReduceLROnPlateau("val_loss", cooldown=0, min_lr=0, **options)
    callback.set_model(model)
    callback.on_train_begin()
    scales = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"val_loss": value})
        scales.append(float(np.asarray(model.optimizer.learning_rate)))
    return scales


values = [round(float(v), 3) for v in np.random.default_rng(0).uniform(0.5, 1, 30)]
cases = {
    "exponential": rates(schedules.ExponentialDecay(1e-3, 7, 0.9)),
    "stairs": rates(schedules.ExponentialDecay(1e-3, 7, 0.9, staircase=True)),
    "cosine": rates(schedules.CosineDecay(1e-3, 40)),
    "values": values,
    "plateau": plateau(values, factor=0.5, patience=3, min_delta=0.01),
    "plateau_max": plateau(values, factor=0.5, patience=2, min_delta=0.0, mode="max"),
}
Path(__file__).with_suffix(".json").write_text(json.dumps(cases, indent=0) + "\n")
