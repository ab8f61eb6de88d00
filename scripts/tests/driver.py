"""Runs a MetaGraph as Go does: in one session, by the names in its signatures and saver_def."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

ADAM, SGD = 0, 1
_OFF = {
    "optimizer": ADAM,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "l2": 0.0,
    "clip": 0.0,
    "dropout": 0.0,
}


class MetaGraph:
    """The MetaGraph of a SavedModel with these tags."""

    def __init__(self, model: Path, *tags: str, bfloat16: bool = False):
        options = tf.compat.v1.ConfigProto(allow_soft_placement=True)
        options.gpu_options.allow_growth = True
        if bfloat16:
            rewriting = options.graph_options.rewrite_options
            rewriting.auto_mixed_precision_onednn_bfloat16 = RewriterConfig.ON
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=options)
        weakref.finalize(self, self._session.close)
        with self._session.graph.as_default():
            self._def = tf.compat.v1.saved_model.load(self._session, list(tags), str(model))
        self.signatures = set(self._def.signature_def)

    def call(self, signature: str, **inputs) -> dict[str, np.ndarray]:
        """Run a signature with these inputs; returns its outputs."""
        signature_def = self._def.signature_def[signature]
        assert set(inputs) == set(signature_def.inputs)
        feed = {signature_def.inputs[name].name: value for name, value in inputs.items()}
        return self._session.run({k: v.name for k, v in signature_def.outputs.items()}, feed)

    def save(self, prefix: Path) -> Path:
        """Write a checkpoint of all variables."""
        saver = self._def.saver_def
        self._session.run(saver.save_tensor_name, {saver.filename_tensor_name: str(prefix)})
        return prefix

    def restore(self, prefix: Path) -> None:
        """Read a checkpoint."""
        saver = self._def.saver_def
        self._session.run(saver.restore_op_name, {saver.filename_tensor_name: str(prefix)})


class Stage(MetaGraph):
    """A training MetaGraph."""

    def __init__(self, model: Path, name: str, **options: bool):
        super().__init__(model, "train", name, **options)

    def init(
        self,
        classes: int,
        *units: int,
        seed: Sequence[int] | np.ndarray = (1, 0),
        feature_scale: float = 1.0,
        output_scale: float = 1.0,
    ) -> Stage:
        """Initialize the head and begin the stage; hidden layers have 16 units by default."""
        inputs = self._def.signature_def["init"].inputs["units"].tensor_shape.dim[0].size
        self.call(
            "init",
            classes=classes,
            units=units or (16,) * inputs,
            seed=seed,
            feature_scale=feature_scale,
            output_scale=output_scale,
        )
        self.call("begin")
        return self

    def features(self, images: np.ndarray) -> np.ndarray:
        """The frozen part."""
        return self.call("features", images=images)["features"]

    def logits(self, features: np.ndarray) -> np.ndarray:
        """The trained part in inference mode."""
        return self.call("logits", features=features)["logits"]

    def step(self, features, targets, weights=None, lr=1e-4, **hyper) -> dict[str, np.ndarray]:
        """Run one step; hyperparameters that are not given are off."""
        if weights is None:
            weights = np.ones(len(targets), np.float32)
        inputs = {"features": features, "targets": targets, "weights": weights, "lr": lr}
        return self.call("step", **inputs, **{**_OFF, **hyper})


def tolerance() -> float:
    """How far losses and weights may be from Keras': a GPU adds up in other orders."""
    return 1e-4 if tf.config.list_physical_devices("GPU") else 1e-5


def settle(base: keras.Model, pixels: np.ndarray | None = None) -> None:
    """Set BatchNorm's statistics from images, or the signal fades in layers of random weights.

    The variance is 1.4 times theirs: with exactly theirs, random layers magnify rounding errors.
    """
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    if pixels is None:
        ((images, _),) = batches(8, 1, 4, base.input.shape[1], 2)
        pixels = images / 127.5 - 1
    base(pixels, training=True)
    for weight in base.weights:
        if "moving_variance" in weight.path:
            weight.assign(weight * 1.4)


def pictures(seed: int, n: int, size: int) -> np.ndarray:
    """Random pixels that are smooth like photographs; noise would look the same everywhere."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (n, 5, 5, 3))
    return tf.image.resize(coarse, (size, size), "bicubic").numpy().clip(0, 255).round()


def variables(prefix: Path) -> dict[str, np.ndarray]:
    """The variables of a checkpoint, without the suffix of their keys."""
    reader = tf.train.load_checkpoint(str(prefix))
    end = "/.ATTRIBUTES/VARIABLE_VALUE"
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith(end)]
    return {name.removesuffix(end): reader.get_tensor(name) for name in names}


def batches(seed: int, steps: int, n: int, size: int, classes: int, soft: bool = False):
    """Random pixels and targets: [(images, targets)]."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(steps):
        images = random.integers(0, 256, (n, size, size, 3)).astype(np.float32)
        targets = np.eye(classes, dtype=np.float32)[random.integers(0, classes, n)]
        if soft:
            targets = random.dirichlet(np.ones(classes), n).astype(np.float32)
        made.append((images, targets))
    return made
