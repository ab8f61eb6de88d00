"""The training contract: savedmodels/README.md specifies it, this module writes it.

One folder, several MetaGraphs told apart by tags, one `variables/`. Each MetaGraph is saved
by TensorFlow into a folder of its own and the protobufs are merged, so that every one of them
is what `tf.saved_model.save` makes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from . import constants
from .head import Head
from .network import Depth, Network
from .optimizers import OPTIMIZERS, Slots
from .steps import serving_signatures, training_signatures

CONTRACT = 1  # the version; Go refuses others
DESCRIPTION = ("assets.extra", "tftl.json")  # below the model's folder


class Serving(tf.Module):
    """What the serving MetaGraph tracks; the attributes' names are the checkpoint's keys."""

    def __init__(self, network: Network, head: Head):
        """Track the variables of the network and the head."""
        super().__init__()
        self.network = network.variables
        self.head = head.variables


class Training(Serving):
    """What every training MetaGraph tracks, so that a checkpoint of one stage begins the next."""

    def __init__(self, network: Network, head: Head):
        """Add the slots of all stages, and the counters."""
        super().__init__(network, head)
        self.slots = Slots([*network.trainable, *head.variables])
        self.step = _counter("step")
        self.iterations = _counter("iterations")
        self.seed = tf.Variable([0, 0], dtype=tf.int32, trainable=False, name="seed")


def _counter(name: str) -> tf.Variable:
    return tf.Variable(0, dtype=tf.int64, trainable=False, name=name)


def export(
    output: str,
    network: Network,
    head: Head,
    *,
    backbone: str,
    origin: str,
    learning_rate: float,
) -> dict:
    """Write the SavedModel folder `output`, whole or not at all; returns tftl.json's content."""
    depths = network.depths(head)
    training = Training(network, head)
    output = os.path.realpath(output)
    os.makedirs(os.path.dirname(output), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=os.path.dirname(output)) as work:
        merged = saved_model_pb2.SavedModel()
        folder = os.path.join(work, "serve")
        _add(merged, folder, Serving(network, head), serving_signatures(network, head), ["serve"])
        for depth in depths:
            folder = os.path.join(work, f"train-{depth.name}")
            signatures = training_signatures(depth, training, network.image, head)
            if constants.pay(depth):
                signatures |= constants.signatures(depth)
            _add(merged, folder, training, signatures, ["train", depth.name])

        model = os.path.join(work, "model")
        description = os.path.join(model, *DESCRIPTION)
        os.makedirs(os.path.dirname(description))
        # Each training MetaGraph has saved the same variables, serving's among them.
        os.rename(os.path.join(folder, "variables"), os.path.join(model, "variables"))
        with open(os.path.join(model, "saved_model.pb"), "wb") as file:
            file.write(merged.SerializeToString(deterministic=True))
        about = {
            "contract": CONTRACT,
            "backbone": backbone,
            "weights": {
                "origin": origin,
                "network_sha256": _digest(network.variables.values()),
                # The state that the stages' digests were taken of, so that a reader can tell
                # whether they still hold.
                "variables_sha256": _file_digest(
                    os.path.join(model, "variables", "variables.data-00000-of-00001")
                ),
            },
            "input": network.image.to_json(),
            "head": head.to_json(),
            "stages": [_stage(depth) for depth in depths],
            "optimizers": list(OPTIMIZERS),
            "learning_rate": learning_rate,
            "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
        }
        with open(description, "w", encoding="utf-8") as file:
            json.dump(about, file, indent=2)
            file.write("\n")
        if os.path.lexists(output):
            os.rename(output, os.path.join(work, "replaced"))
        os.rename(model, output)
    return about


def _add(merged, folder: str, module: tf.Module, signatures: dict, tags: list[str]) -> None:
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, folder, signatures=signatures, options=options)
    one = saved_model_pb2.SavedModel()
    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        one.ParseFromString(file.read())
    (graph,) = one.meta_graphs
    graph.meta_info_def.tags[:] = tags
    merged.saved_model_schema_version = one.saved_model_schema_version
    merged.meta_graphs.append(graph)


def _stage(depth: Depth) -> dict:
    """One element of tftl.json's `stages`."""
    return {
        "name": depth.name,
        "layers": depth.layers,
        "features": depth.feature_shape,
        "parameters": sum(v.shape.num_elements() for v in depth.network.values()),
        "frozen_sha256": _frozen_digest(depth),
    }


def _frozen_digest(depth: Depth) -> str:
    """sha256 of all that decides a stage's features but the machine: layers, weights, pixels."""
    what = json.dumps(
        {
            "contract": CONTRACT,
            "size": depth.image.size,
            "preprocess": depth.image.preprocess,
            "layers": depth.stem.get_config() if depth.stem else None,
            "weights": _digest(w.value for w in depth.stem.weights) if depth.stem else None,
            "pooling": None if depth.tail else depth.head.kind.pooling,
        },
        sort_keys=True,
    )
    return hashlib.sha256(what.encode()).hexdigest()


def _digest(variables: Iterable[tf.Variable]) -> str:
    """sha256 of arrays as little-endian float32, row-major, one after the other."""
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(variable.numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def _file_digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
