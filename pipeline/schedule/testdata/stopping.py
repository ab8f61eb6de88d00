#!/usr/bin/env python3
"""Write stopping.json beside this file: the epoch at which Keras' EarlyStopping ends training."""

import json
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras  # noqa: E402
import numpy as np  # noqa: E402


def stopped(values: list[float], **options) -> int:
    """Return the epoch after which training ends, from 1; 0 if it does not."""
    callback = keras.callbacks.EarlyStopping("val_loss", mode="min", **options)
    callback.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    callback.model.stop_training = False
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"val_loss": value})
        if callback.model.stop_training:
            return epoch + 1
    return 0


random = np.random.default_rng(0)
cases = []
for _ in range(60):
    values = [round(float(v), 4) for v in 1 / np.arange(1, 21) + random.uniform(0, 0.3, 20)]
    options = {
        "patience": int(random.integers(1, 6)),
        "min_delta": float(random.choice([0, 0.05])),
        "start_from_epoch": int(random.integers(0, 8)),
    }
    cases.append({"values": values, **options, "stopped": stopped(values, **options)})
text = "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
Path(__file__).with_suffix(".json").write_text(text)
