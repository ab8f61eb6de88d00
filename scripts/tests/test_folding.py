"""The frozen part with constant weights: when it exists, what it computes, when it is valid."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from driver import Stage, batches, settle
from test_savedmodel import meta_graphs

from tftl_export import contract
from tftl_export.graph import folding
from tftl_export.graph.head import Head, HeadKind
from tftl_export.graph.images import Input
from tftl_export.graph.network import Network

BOTH = {"constant_features", "constants_hold"}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network with BatchNorm and its export."""
    keras.utils.set_random_seed(3)
    images = x = keras.Input((32, 32, 3))
    for filters in (4, 8):
        x = keras.layers.Conv2D(filters, 3, strides=2, use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    base = keras.Model(images, x)
    settle(base)
    folder = tmp_path_factory.mktemp("small") / "m"
    network = Network(base, {"all": None}, Input((32, 32), "bilinear", "tf"))
    head = Head(HeadKind("gap", 0), network.feature_shape)
    contract.export(str(folder), network, head, contract.About("small", ""))
    return folder, base


def test_the_head_of_a_network_with_batch_norm_has_them(small, tiny):
    graphs = meta_graphs(small[0])
    assert set(graphs["train", "head"].signature_def) > BOTH
    assert not BOTH & set(graphs["train", "all"].signature_def)
    assert not BOTH & set(graphs["serve",].signature_def)
    assert not BOTH & set(meta_graphs(tiny())["train", "head"].signature_def)


@pytest.mark.parametrize(
    "layer, pays",
    [
        (keras.layers.BatchNormalization(), True),
        (keras.Sequential([keras.layers.ReLU(), keras.layers.BatchNormalization()]), True),
        (keras.layers.LayerNormalization(), False),
    ],
)
def test_only_batch_norm_pays(layer, pays):
    images = keras.Input((8, 8, 3))
    network = Network(keras.Model(images, layer(images)), {}, Input((8, 8), "bilinear", "none"))
    (head,) = network.stages(Head(HeadKind("gap", 0), network.feature_shape))
    assert folding.pays(head) == pays


def test_constants_compute_what_keras_does_and_hold(small):
    folder, base = small
    stage = Stage(folder, "head")
    ((images, _),) = batches(5, 1, 8, 32, 3)
    pixels = images / 127.5 - 1
    want = base(pixels, training=False).numpy().mean(axis=(1, 2))
    for signature in ("features", "constant_features"):
        got = stage.call(signature, images=images)["features"]
        assert np.linalg.norm(got - want) <= 1e-5 * np.linalg.norm(want), signature
    assert stage.call("constants_hold")["hold"]


def test_they_hold_until_another_network_is_restored(small, tmp_path):
    folder, _ = small
    stage = Stage(folder, "head").init(3)
    ((images, targets),) = batches(5, 1, 4, 32, 3)
    stage.step(stage.features(images), targets)
    same = stage.save(tmp_path / "same")

    deeper = Stage(folder, "all").init(3)
    deeper.step(deeper.features(images), targets, lr=1e-6)
    stage.restore(deeper.save(tmp_path / "other"))
    assert not stage.call("constants_hold")["hold"]
    stage.restore(same)
    assert stage.call("constants_hold")["hold"]
