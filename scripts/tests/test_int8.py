"""The frozen parts in int8: against the same arithmetic in NumPy, and against float32."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import MetaGraph, Stage, pictures, settle
from test_savedmodel import meta_graphs

from tftl_export import contract
from tftl_export.backbones.build import build_backbone
from tftl_export.backbones.table import BACKBONES
from tftl_export.graph.head import Head, HeadKind
from tftl_export.graph.images import Input
from tftl_export.graph.network import Network
from tftl_export.graph.reading import Convolution
from tftl_export.int8.metagraph import Int8Part
from tftl_export.int8.planning import Plan
from tftl_export.int8.writing import quantize_filter

layers = keras.layers
SIZE = 32


def everything() -> keras.Model:
    """A network with every kind of layer that int8 has an operation for."""
    keras.utils.set_random_seed(7)
    conv = lambda n, size=3, **more: layers.Conv2D(n, size, padding="same", **more)  # noqa: E731
    images = keras.Input((SIZE, SIZE, 3))
    x = conv(16, activation="relu")(images)
    x = conv(24, strides=2, activation="relu", name="plain")(x)
    # A residual block whose shortcut has negative values, and one whose has none.
    y = layers.ReLU()(layers.BatchNormalization()(conv(24, use_bias=False)(x)))
    y = layers.BatchNormalization()(conv(32, use_bias=False)(y))
    x = layers.ReLU(name="signed_sum")(
        layers.Add()([layers.BatchNormalization()(conv(32, 1)(x)), y])
    )
    y = conv(32, name="linear")(conv(32, activation="relu")(x))
    x = layers.ReLU(name="sum")(layers.Add()([x, y]))
    # A branch that is pooled, one that is convolved.
    x = layers.Concatenate(name="together")([
        layers.MaxPooling2D(2)(x), conv(16, 3, strides=2, activation="relu")(x)
    ])  # fmt: skip
    # An inverted residual block.
    y = layers.ReLU(6.0)(layers.BatchNormalization()(conv(48, 1, use_bias=False)(x)))
    y = layers.DepthwiseConv2D(3, use_bias=False)(layers.ZeroPadding2D(1)(y))
    y = layers.ReLU(6.0, name="depthwise")(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(conv(48, 1, use_bias=False)(y))
    x = layers.Add(name="linear_sum")([x, y])
    base = keras.Model(images, conv(16, 1, activation="relu", name="last")(x))
    settle(base)
    return base


CUTS = {"deeper": "linear_sum", "deep": "sum", "all": None}


@pytest.fixture(scope="module")
def network() -> Network:
    """Its network, with cuts."""
    return Network(everything(), CUTS, Input((SIZE, SIZE), "bilinear", "tf"))


@pytest.fixture(scope="module")
def model(network, tmp_path_factory):
    """Its export, and the plan of its int8 part."""
    folder = tmp_path_factory.mktemp("int8") / "model"
    head = Head(HeadKind("gap", 0), network.feature_shape)
    contract.export(str(folder), network, head, contract.About("everything", ""))
    return folder, Int8Part(network, network.stages(head)).plan


@pytest.fixture(scope="module")
def part(model) -> MetaGraph:
    """Its MetaGraph in int8."""
    return MetaGraph(model[0], "features", "int8")


IMAGES = pictures(3, 8, SIZE)


@pytest.fixture(scope="module")
def ranges(part) -> np.ndarray:
    """What activations reach."""
    return part.call("measure", images=IMAGES)["largest"]


def test_almost_everything_is_in_int8(model):
    folder, plan = model
    described = json.loads((folder / "assets.extra/tftl.json").read_text())
    assert described["int8"] == {"share": pytest.approx(0.9, abs=0.1)}
    kinds = {node.op for node in meta_graphs(folder)["features", "int8"].graph_def.node}
    assert kinds >= {
        "QuantizedConv2DWithBiasAndRequantize",
        "QuantizedConv2DWithBiasAndReluAndRequantize",
        "QuantizedConv2DWithBiasSumAndReluAndRequantize",
        "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize",
        "QuantizedMaxPool",
    }
    first = next(step for step in plan.steps if isinstance(step, Convolution))
    assert not plan.computed(first)


def test_every_operation_computes_what_its_arithmetic_says(model, part, ranges):
    _, plan = model
    got = {}
    for stage in ("head", "deeper", "deep"):
        got[stage] = part.call(stage, images=IMAGES, ranges=ranges)
    values = Reference(plan, ranges).run(IMAGES)
    for key, tensor in plan.source.outputs.items():
        stage, name = key.split("/")
        want = values.real(tensor)
        assert got[stage][name].shape == want.shape
        # What is rounded at the middle between two levels may go either way.
        error = np.abs(got[stage][name] - want) / np.abs(want).max()
        if exact():
            assert error.max() < 0.02, key
            assert np.mean(error > 1e-5) < 1e-3, key
        assert np.mean(error) < 0.02, key


def exact() -> bool:
    """Whether the processor adds products of int8 in int32. Others cut pairs off at int16."""
    if "ONEDNN_MAX_CPU_ISA" in os.environ:
        return False
    return (
        re.search(r"\b(avx512_vnni|avx_vnni|amx_int8)\b", Path("/proc/cpuinfo").read_text())
        is not None
    )


class Reference:
    """The quantised arithmetic of a plan in NumPy."""

    def __init__(self, plan: Plan, ranges: np.ndarray) -> None:
        self._plan, self._ranges = plan, ranges.astype(np.float64)
        self._int8: dict[str, np.ndarray] = {}
        self._real: dict[str, np.ndarray] = {}

    def run(self, images: np.ndarray) -> Reference:
        """Compute everything from images."""
        self._real[self._plan.source.images] = images
        for step in self._plan.steps:
            if not isinstance(step, Convolution):
                self._operation(step)
            elif self._plan.computed(step):
                self._convolve(step)
            else:
                self._real[step.output] = self._float(step)
        return self

    def real(self, tensor: str) -> np.ndarray:
        """A tensor's values as real numbers."""
        if tensor not in self._real:
            self._real[tensor] = (self._int8[tensor] * self.level(tensor)).astype(np.float32)
        return self._real[tensor]

    def level(self, tensor: str) -> float:
        """The distance of two values of a tensor in int8."""
        if tensor not in self._plan.int8:
            return 0.0
        at = self._plan.int8[tensor]
        steps = 127 if at.signed else 255 / 2 if at.shifted else 255
        return float(self._ranges[at.range] / steps)

    def _shift(self, tensor: str) -> float:
        at = self._plan.int8[tensor]
        return float(self._ranges[at.range]) if at.shifted else 0.0

    def _quantized(self, tensor: str) -> np.ndarray:
        if tensor not in self._int8:
            self._int8[tensor] = self._round(tensor, self.real(tensor) / self.level(tensor))
        return self._int8[tensor]

    def _round(self, tensor: str, levels: np.ndarray) -> np.ndarray:
        low, high = (-128, 127) if self._plan.int8[tensor].signed else (0, 255)
        return np.clip(np.round(levels), low, high).astype(np.int64)

    def _convolve(self, c: Convolution) -> None:
        filter, top = quantize_filter(c.filter)
        scale = self.level(c.input) * top.astype(np.float64) / 127
        result = _conv(c, self._quantized(c.input), filter.astype(np.float64)) * scale + c.bias
        if c.summand:
            result += self._quantized(c.summand) * self.level(c.summand) - self._shift(c.summand)
        result += self._shift(c.output)
        if not self._plan.int8[c.output].signed:
            result = np.maximum(result, 0)
        self._int8[c.output] = self._round(c.output, result / self.level(c.output))

    def _float(self, c: Convolution) -> np.ndarray:
        result = _conv(c, self.real(c.input), c.filter) + c.bias
        return (np.maximum(result, 0) if c.relu else result).astype(np.float32)

    def _operation(self, node) -> None:
        output, inputs = f"{node.name}:0", self._plan.source.inputs[node.name]
        moves = self._plan.computed(node)
        given = [
            self._plan.source.constants[t] if t in self._plan.source.constants
            else self._quantized(t).astype(np.float32) if moves
            else self.real(t)
            for t in inputs
        ]  # fmt: skip
        result = _run(node, given)
        if moves:
            self._int8[output] = result.astype(np.int64)
        else:
            self._real[output] = result


def _conv(c: Convolution, values: np.ndarray, filter: np.ndarray) -> np.ndarray:
    """The convolution in float64, which holds the sums of int8 exactly."""
    strides = list(c.node.attr["strides"].list.i)
    values, padding = tf.constant(values, tf.float64), c.padding
    if c.depthwise:
        filter = filter.reshape(*filter.shape[:2], -1, 1)
        return tf.nn.depthwise_conv2d(
            values, tf.constant(filter, tf.float64), strides, padding
        ).numpy()
    return tf.nn.conv2d(values, tf.constant(filter, tf.float64), strides, padding).numpy()


def _run(node, given: list[np.ndarray]) -> np.ndarray:
    """An operation by itself."""
    graph = tf.Graph()
    with graph.as_default():
        inputs = [tf.constant(value) for value in given]
        copy = tf.compat.v1.GraphDef()
        copy.node.add().CopyFrom(node)
        names = [f"in{i}:0" for i in range(len(given))]
        copy.node[0].input[:] = [f"in{i}" for i in range(len(given))]
        (output,) = tf.import_graph_def(
            copy, dict(zip(names, inputs, strict=True)), [f"{node.name}:0"], name=""
        )
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run(output)


@pytest.mark.parametrize("stage", ["head", "deeper", "deep"])
def test_it_is_near_float32(model, part, ranges, stage):
    got = part.call(stage, images=IMAGES, ranges=ranges)
    want = Stage(model[0], stage).call("features", images=IMAGES)
    for name, value in want.items():
        error = np.linalg.norm(got[name] - value) / np.linalg.norm(value)
        assert 0 < error < 0.05, name


def test_a_network_without_enough_has_none():
    for name in ("efficientnet_b0", "convnext_tiny"):
        base, _ = build_backbone(name, 64, "none", 0)
        network = Network(base, {}, Input((64, 64), "bilinear", "none"))
        head = Head(HeadKind("gap", 0), network.feature_shape)
        part = Int8Part(network, network.stages(head))
        assert not part.metagraphs(), (name, part.share)


@pytest.mark.parametrize("name", ["vgg16", "resnet50", "mobilenet_v2", "inception_v3"])
def test_these_networks_have_one(name):
    backbone, size = BACKBONES[name], 96
    base, _ = build_backbone(name, size, "none", 0)
    network = Network(base, backbone.cuts, Input((size, size), "bilinear", backbone.preprocess))
    head = Head(HeadKind("gap", 0), network.feature_shape)
    assert Int8Part(network, network.stages(head)).metagraphs()


def test_what_cannot_be_read_does_not_prevent_an_export():
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, 2 * y), (0, x))[1]

    images = keras.Input((SIZE, SIZE, 3))
    grouped = layers.Conv2D(8, 3, groups=2, padding="same", activation="relu")
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(images)
    for base in (keras.Model(images, Doubled()(x)), keras.Model(images, grouped(x))):
        network = Network(base, {}, Input((SIZE, SIZE), "bilinear", "none"))
        part = Int8Part(network, network.stages(Head(HeadKind("gap", 0), network.feature_shape)))
        assert (part.share, part.metagraphs()) == (0, [])


def test_what_is_needed_later_is_not_overwritten(tmp_path):
    keras.utils.set_random_seed(5)
    images = keras.Input((SIZE, SIZE, 3))
    conv = lambda: layers.Conv2D(16, 3, padding="same", activation="relu")  # noqa: E731
    x = conv()(conv()(conv()(conv()(images))))
    y = layers.Conv2D(16, 3, padding="same")(conv()(x))
    y = layers.ReLU()(layers.Add()([x, y]))
    network = Network(
        keras.Model(images, layers.Concatenate()([x, conv()(y)])), {},
        Input((SIZE, SIZE), "bilinear", "tf"),
    )  # fmt: skip
    contract.export(
        str(tmp_path / "m"), network, Head(HeadKind("gap", 0), network.feature_shape),
        contract.About("later", ""),
    )  # fmt: skip
    part = MetaGraph(tmp_path / "m", "features", "int8")
    top = part.call("measure", images=IMAGES)["largest"]
    got = part.call("head", images=IMAGES, ranges=top)["features"]
    want = Stage(tmp_path / "m", "head").features(IMAGES)
    assert np.linalg.norm(got - want) < 0.05 * np.linalg.norm(want)
