"""Writes the training contract that savedmodels/README.md specifies.

An export is one folder with several MetaGraphs, told apart by their tags, and one `variables/`.
TensorFlow saves each MetaGraph into a folder of its own, so that each is what
`tf.saved_model.save` makes; then their protobufs are merged.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from .graph import folding
from .graph.head import Head
from .graph.network import Network, Stage
from .graph.optimizers import OPTIMIZERS
from .graph.signatures import Signature, serving_signatures, training_signatures
from .graph.variables import ServingVariables, TrainingVariables
from .int8.metagraph import Int8Part

CONTRACT = 5  # the version; Go reads 2 to 4 too
_FROZEN_PARTS = 2  # the version of frozen_digest: as long as it stays, cached features stay valid
DESCRIPTION = ("assets.extra", "tftl.json")  # path below the model's folder
_SEAL = ("assets.extra", "SHA256SUMS")
_DATA = ("variables", "variables.data-00000-of-00001")


@dataclass(frozen=True)
class About:
    """What tftl.json says of a network that the network itself does not know."""

    backbone: str
    origin: str  # of the weights, for people


def export(output: str, network: Network, head: Head, about: About) -> dict[str, Any]:
    """Write the SavedModel folder `output`, all or nothing; returns the content of tftl.json."""
    stages = network.stages(head)
    int8 = Int8Part(network, stages)
    output = os.path.realpath(output)
    os.makedirs(os.path.dirname(output), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=os.path.dirname(output)) as work:
        model = os.path.join(work, "model")
        os.makedirs(os.path.join(model, DESCRIPTION[0]))
        _save(model, network, head, stages, int8)
        description = {
            "contract": CONTRACT,
            "backbone": about.backbone,
            "weights": {
                "origin": about.origin,
                "network_sha256": _digest(network.variables.values()),
                # The stages' digests hold for these variables: a reader compares this one.
                "variables_sha256": _file_digest(os.path.join(model, *_DATA)),
            },
            "input": network.image.to_json(),
            "head": head.to_json(),
            "stages": [_stage(stage) for stage in stages],
            "int8": {"share": int8.share},
            "optimizers": list(OPTIMIZERS),
            "learning_rate": learning_rate(head.inputs),
            "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
            "sealed": True,
        }
        with open(os.path.join(model, *DESCRIPTION), "w", encoding="utf-8") as file:
            json.dump(description, file, indent=2)
            file.write("\n")
        seal(model)
        if os.path.lexists(output):
            os.rename(output, os.path.join(work, "replaced"))
        os.rename(model, output)
    return description


def seal(model: str) -> None:
    """Write the sha256 of the model's files, as `sha256sum` does. Readers check them."""
    files = ["saved_model.pb", "/".join(DESCRIPTION)]
    files += [f"variables/{name}" for name in sorted(os.listdir(os.path.join(model, "variables")))]
    with open(os.path.join(model, *_SEAL), "w", encoding="utf-8") as seal:
        seal.writelines(f"{_file_digest(os.path.join(model, f))}  {f}\n" for f in files)


def learning_rate(inputs: int) -> float:
    """The default rate of Adam for a head with this number of inputs, scaled to a deviation of 1.

    Adam's first steps change each weight by the rate, and so the output by the rate times the sum
    of the inputs. Best is a change of about 1, whichever the network and the head; the sum of the
    inputs is about half their number, as most are zero and none is negative.
    """
    return float(f"{min(2 / inputs, 0.01):.0e}")


def _save(model: str, network: Network, head: Head, stages: list[Stage], int8: Int8Part) -> None:
    """Write saved_model.pb and variables/."""
    merged = saved_model_pb2.SavedModel()
    with tempfile.TemporaryDirectory(dir=os.path.dirname(model)) as work:
        folder = os.path.join(work, "serve")
        variables = ServingVariables(network, head)
        _add(merged, folder, variables, serving_signatures(network, head), ["serve"])
        variables = TrainingVariables(network, head)
        for stage in stages:
            folder = os.path.join(work, f"train-{stage.name}")
            signatures = training_signatures(stage, variables)
            if folding.pays(stage):
                signatures |= folding.signatures(stage)
            _add(merged, folder, variables, signatures, ["train", stage.name])
        # Every training MetaGraph has saved the same variables, with those of `serve` among them.
        os.rename(os.path.join(folder, "variables"), os.path.join(model, "variables"))
    merged.meta_graphs.extend(int8.metagraphs())
    with open(os.path.join(model, "saved_model.pb"), "wb") as file:
        file.write(merged.SerializeToString(deterministic=True))


def _add(
    merged: saved_model_pb2.SavedModel,
    folder: str,
    module: tf.Module,
    signatures: dict[str, Signature],
    tags: list[str],
) -> None:
    """Save a module into a folder and add its MetaGraph to the merged ones."""
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, folder, signatures=signatures, options=options)
    one = saved_model_pb2.SavedModel()
    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        one.ParseFromString(file.read())
    (graph,) = one.meta_graphs
    graph.meta_info_def.tags[:] = tags
    merged.saved_model_schema_version = one.saved_model_schema_version
    merged.meta_graphs.append(graph)


def _stage(stage: Stage) -> dict[str, Any]:
    """One element of `stages` in tftl.json."""
    return {
        "name": stage.name,
        "layers": stage.layers,
        "features": stage.feature_shape,
        "parameters": sum(v.shape.num_elements() for v in stage.network.values()),
        "frozen_sha256": frozen_digest(stage),
    }


def frozen_digest(stage: Stage) -> str:
    """The sha256 of everything that decides a stage's features, except the machine."""
    what = json.dumps(
        {
            "contract": _FROZEN_PARTS,
            "size": stage.image.size,
            "preprocess": stage.image.scaling,
            "layers": stage.stem.get_config() if stage.stem else None,
            "weights": _digest(w.value for w in stage.stem.weights) if stage.stem else None,
            "pooling": None if stage.tail else stage.head.kind.pooling,
        },
        sort_keys=True,
    )
    return hashlib.sha256(what.encode()).hexdigest()


def _digest(variables: Iterable[tf.Variable]) -> str:
    """The sha256 of arrays as little-endian float32, row-major, one after the other."""
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(variable.numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def _file_digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
