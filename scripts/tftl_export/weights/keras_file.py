"""Reads the weights in a .keras file from the archive, without building the model."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from typing import Any

import h5py
import numpy as np


def weights(content: bytes, network: str | None = None) -> dict[str, list[np.ndarray]]:
    """The arrays of each layer of a functional model, or of the model nested in it by this name.

    Layers are in Keras' order, so that their arrays one after the other are get_weights.

    Raises:
        KeyError: if no such model is nested in it.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
        file = io.BytesIO(archive.read("model.weights.h5"))
    group = "layers"
    if network is not None:
        group = f"layers/{_keys(layers)[network]}/layers"
        (inner,) = (layer for layer in layers if layer["config"]["name"] == network)
        layers = inner["config"]["layers"]
    with h5py.File(file) as stored:
        return {
            name: _arrays(stored.get(f"{group}/{key}/vars", {}))
            for name, key in _keys(layers).items()
        }


def _keys(layers: list[dict[str, Any]]) -> dict[str, str]:
    """The key of each layer in the file: its class' name, with a number if it is not the first."""
    numbered: Counter[str] = Counter()
    keys = {}
    for layer in layers:
        kind = re.sub("(?<=[a-z])(?=[A-Z])", "_", layer["class_name"]).lower()
        number = numbered[kind]
        numbered[kind] += 1
        keys[layer["config"]["name"]] = f"{kind}_{number}" if number else kind
    return keys


def _arrays(variables: h5py.Group | dict[str, Any]) -> list[np.ndarray]:
    return [np.array(variables[number]) for number in sorted(variables, key=int)]
