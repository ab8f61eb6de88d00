"""Serves a run whose frozen part was computed in int8 as it was trained."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework import convert_to_constants

from ..contract import DESCRIPTION
from ..errors import ScriptError
from ..graph.images import Input
from .metagraph import TAGS

_v1 = tf.compat.v1
_INPUTS = {"serving_default": "images", "serving_bytes": "bytes"}
_OUTPUTS = ("probabilities", "logits")


def write(run: Path, image: Input, output: Path) -> None:
    """Write the model of a run with its frozen part in int8, as a SavedModel of constants.

    It has the signatures serving_default and serving_bytes of `model/`. `output` does not exist.
    """
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    if config.get("runtime", {}).get("precision") != "int8":
        raise ScriptError(f"--format int8: {run} was not trained with --precision int8")
    network = Path(config["model"]["path"])
    about = json.loads(network.joinpath(*DESCRIPTION).read_text(encoding="utf-8"))
    frozen, stage = _frozen(network), _cut(run, config)
    several = tf.TensorSpec([None], tf.string)
    decode = tf.function(image.decode_batch, autograph=False).get_concrete_function(several)
    with tempfile.TemporaryDirectory() as work:
        weights = str(Path(work, "weights"))
        _merge([network, run / "model"], weights)
        with tf.Graph().as_default() as graph, _v1.Session() as session:
            encoded = _v1.placeholder(tf.string, [None], "bytes")
            shape = [None, *image.size, 3]
            inputs = _v1.placeholder_with_default(decode(encoded), shape, "images")
            if stage in frozen.signature_def:  # and not cut at the images
                given = {"images": inputs, "ranges": tf.constant(about["int8"]["ranges"])}
                features = frozen.signature_def[stage].outputs["features"].name
                [inputs] = tf.import_graph_def(frozen.graph_def, given, [features], name="int8")
            logits = _above(session, network, stage, weights, inputs)
            tf.identity(logits, "logits")
            tf.nn.softmax(logits, name="probabilities")
            constant = convert_to_constants.convert_variables_to_constants_from_session_graph(
                session, graph.as_graph_def(), list(_OUTPUTS)
            )
    _write(constant, output)


def _frozen(network: Path) -> MetaGraphDef:
    """The MetaGraph of a network's frozen parts in int8."""
    saved = SavedModel.FromString((network / "saved_model.pb").read_bytes())
    for meta in saved.meta_graphs:
        if set(meta.meta_info_def.tags) == set(TAGS):
            return meta
    raise ScriptError(f"{network}: has no part in int8")


def _cut(run: Path, config: dict[str, Any]) -> str:
    """The stage up to whose cut the run's best epoch was computed in int8."""
    epochs = map(json.loads, (run / "history.jsonl").read_text(encoding="utf-8").splitlines())
    best = [epoch["stage"] for epoch in epochs if epoch["best"]][-1]
    if best == "head":  # whose features may come from those of a deeper stage
        return config["training"].get("head_features_from") or best
    return best


def _merge(models: list[Path], prefix: str) -> None:
    """Write a checkpoint of the variables of all models; those of the last one count."""
    values: dict[str, Any] = {}
    for model in models:
        reader = tf.train.load_checkpoint(str(model / "variables" / "variables"))
        values |= {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )


def _above(session: Any, network: Path, stage: str, weights: str, features: tf.Tensor) -> tf.Tensor:
    """The logits of what is above a stage's cut, with these weights."""
    saved = SavedModel.FromString((network / "saved_model.pb").read_bytes())
    tags = ["train", stage]
    [meta] = [meta for meta in saved.meta_graphs if list(meta.meta_info_def.tags) == tags]
    signature, saver = meta.signature_def["logits"], meta.saver_def
    given = {signature.inputs["features"].name: features}
    _v1.train.import_meta_graph(meta, input_map=given)
    session.run(saver.restore_op_name, {saver.filename_tensor_name: weights})
    return session.graph.get_tensor_by_name(signature.outputs["logits"].name)


def _write(constant: GraphDef, output: Path) -> None:
    with tf.Graph().as_default() as graph, _v1.Session() as session:
        tf.import_graph_def(constant, name="")
        tensor = lambda name: graph.get_tensor_by_name(f"{name}:0")  # noqa: E731
        info = _v1.saved_model.build_tensor_info
        signatures = {
            key: _v1.saved_model.build_signature_def(
                {name: info(tensor(name))},
                {output: info(tensor(output)) for output in _OUTPUTS},
                tf.saved_model.PREDICT_METHOD_NAME,
            )
            for key, name in _INPUTS.items()
        }
        builder = _v1.saved_model.Builder(str(output))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
