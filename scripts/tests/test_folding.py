"""The frozen part with constant weights: when it exists, what it computes, when it is valid."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
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


def head_of(base):
    """The stage `head` of a network of 32 x 32 pixels."""
    network = Network(base, {}, Input((32, 32), "bilinear", "none"))
    (head,) = network.stages(Head(HeadKind("gap", 0), network.feature_shape))
    return head


def same_as_keras(constant, base):
    ((images, _),) = batches(5, 1, 8, 32, 3)
    want = base(images, training=False).numpy().mean(axis=(1, 2))
    got = constant(images)["features"]
    return np.linalg.norm(got - want) <= 1e-5 * np.linalg.norm(want)


def test_what_follows_a_convolution_is_a_bias_a_sum_and_an_activation():
    keras.utils.set_random_seed(4)

    def convolution(x):
        x = keras.layers.Conv2D(4, 3, padding="same", bias_initializer="random_normal")(x)
        return keras.layers.BatchNormalization()(x)

    images = keras.Input((32, 32, 3))
    x = keras.layers.ReLU()(convolution(images))
    x = keras.layers.ReLU()(keras.layers.Add()([x, convolution(x)]))
    x = keras.layers.DepthwiseConv2D(3, bias_initializer="random_normal")(x)
    x = keras.layers.ReLU(6)(keras.layers.BatchNormalization()(x))
    base = keras.Model(images, x)
    settle(base)
    constant: Any = folding.signatures(head_of(base))["constant_features"]
    assert same_as_keras(constant, base)
    ops = Counter(op.type for op in constant.get_concrete_function().graph.get_operations())
    assert not ops.keys() & {"Mul", "Rsqrt", "Sub"}
    assert ops["BiasAdd"] == ops["Conv2D"] + ops["DepthwiseConv2dNative"] == 3
    assert ops["AddV2"] == 1 and ops["Relu"] == 2 and ops["Relu6"] == 1
    assert ops["EnsureShape"] == 1  # or TensorFlow does not add in a convolution


def test_a_network_with_a_loop_has_them():
    class Twice(keras.layers.Layer):
        def call(self, x):
            return tf.while_loop(lambda i, _: i < 2, lambda i, x: (i + 1, x + 1.0), (0, x))[1]

    keras.utils.set_random_seed(5)
    images = keras.Input((32, 32, 3))
    base = keras.Model(images, Twice()(keras.layers.BatchNormalization()(images)))
    settle(base)
    assert same_as_keras(folding.signatures(head_of(base))["constant_features"], base)


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
