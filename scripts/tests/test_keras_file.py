"""The reader of .keras files, on models saved by Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tftl_export.weights import keras_file


@pytest.fixture
def model():
    """A classifier on a nested network with layers of the same class, some without weights."""
    images = x = keras.Input((16, 16, 3))
    for filters in (4, 6):
        x = keras.layers.SeparableConv2D(filters, 3)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(2, 1)(x)
    base = keras.Model(images, x, name="base")
    x = keras.layers.GlobalAveragePooling2D()(base(images))
    x = keras.layers.Dense(5, name="first")(x)
    model = keras.Model(images, keras.layers.Dense(3, name="second")(x))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    return model


def test_weights_equal_those_that_keras_saved(model, tmp_path):
    model.save(tmp_path / "m.keras")
    content = (tmp_path / "m.keras").read_bytes()
    base = model.get_layer("base")
    inner = keras_file.weights(content, "base")
    assert list(inner) == [layer.name for layer in base.layers]
    flat = [array for arrays in inner.values() for array in arrays]
    assert len(flat) == len(base.get_weights())
    assert all(np.array_equal(*pair) for pair in zip(flat, base.get_weights(), strict=True))
    outer = keras_file.weights(content)
    for name in ("first", "second"):
        for got, want in zip(outer[name], model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_missing_network(model, tmp_path):
    model.save(tmp_path / "m.keras")
    with pytest.raises(KeyError, match="xception"):
        keras_file.weights((tmp_path / "m.keras").read_bytes(), "xception")
