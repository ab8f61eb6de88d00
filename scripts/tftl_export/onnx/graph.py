"""A trained model as an ONNX graph: fitting, resizing, preprocessing and the network."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from tf2onnx import optimizer, tf_loader
from tf2onnx.tfonnx import process_tf_graph

from ..errors import ScriptError
from ..graph.images import Input
from .resizing import resize

_SIGNATURE = "serving_default"
_INPUT = "images"
_OPSET = 18


def convert(model: Path, image: Input) -> onnx.ModelProto:
    """Convert a trained SavedModel to ONNX in float32."""
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    loaded = tf.saved_model.load(str(model), tags=["serve"])
    serve = loaded.signatures[_SIGNATURE]

    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, _INPUT)]
    )
    def answer(images: tf.Tensor) -> dict[str, tf.Tensor]:
        fitted = tf.ensure_shape(image.fitted(images, resize), [None, *image.size, 3])
        return serve(images=fitted)

    return from_function(answer.get_concrete_function())


def from_function(function: tf.types.experimental.ConcreteFunction) -> onnx.ModelProto:
    """Convert a function of images that returns named tensors."""
    inputs = [function.inputs[0].name]  # the others are weights and constants, which are folded
    names = dict(zip(sorted(function.structured_outputs), function.outputs, strict=True))
    outputs = [tensor.name for tensor in names.values()]
    frozen = _inlined(tf_loader.from_function(function, inputs, outputs), inputs, outputs)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="")
        defaults = [
            node.name for node in graph.get_operations() if node.type == "PlaceholderWithDefault"
        ]
        converted = process_tf_graph(
            graph,
            opset=_OPSET,
            input_names=inputs,
            output_names=outputs,
            use_default=defaults,
            custom_op_handlers={
                "SelectV2": (_select, []),
                "Select": (_select, []),
                "Erfc": (_erfc, []),
            },
            tensors_to_rename={
                inputs[0]: _INPUT,
                **{tensor.name: name for name, tensor in names.items()},
            },
        )
        made = optimizer.optimize_graph(converted, catch_errors=False).make_model("tftl")
    unknown = {node.op_type for node in made.graph.node if not onnx.defs.has(node.op_type)}
    if unknown:
        raise ScriptError(f"ONNX has nothing for {', '.join(sorted(unknown))}")
    made = _folded(made)
    _name_sides(made)
    return made


def _inlined(graph: Any, inputs: list[str], outputs: list[str]) -> Any:
    """Write out the functions that Keras wants compiled by XLA, such as ConvNeXt's convolutions."""
    if not graph.library.function:
        return graph
    for owner in [*graph.node, *graph.library.function]:
        for mark in ("_XlaMustCompile", "_noinline"):
            owner.attr.pop(mark, None)
    with tf.Graph().as_default():
        return tf_loader.tf_optimize(inputs, outputs, graph)


def check(model: onnx.ModelProto) -> None:
    """Check that a model keeps to ONNX's specification."""
    onnx.checker.check_model(model, full_check=True)


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants, batch normalisation and padding into the convolutions."""
    with tempfile.TemporaryDirectory(prefix="tftl-onnx-") as work:
        path = Path(work, "folded.onnx")
        options = onnxruntime.SessionOptions()
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        made = onnx.load(path)
    used = {node.domain for node in made.graph.node}
    for opset in [opset for opset in made.opset_import if opset.domain not in used]:
        made.opset_import.remove(opset)
    return made


def _name_sides(made: onnx.ModelProto) -> None:
    """Give the free sides of inputs and outputs names that say what they are."""
    for value in [*made.graph.input, *made.graph.output]:
        sides = value.type.tensor_type.shape.dim
        for side, name in zip(sides, ("N", "height", "width"), strict=False):
            if side.dim_param:
                side.dim_param = name


def _select(context: Any, node: Any, name: str, args: Any) -> None:
    """Write tf.where as ONNX's Where. tf2onnx multiplies with 0 and 1, and infinity is lost."""
    node.type = "Where"


def _erfc(context: Any, node: Any, name: str, args: Any) -> None:
    """Write Erfc, which Keras' gelu has and ONNX lacks, as 1 - Erf."""
    shapes, dtypes = node.output_shapes, node.output_dtypes
    context.remove_node(node.name)
    one = context.make_const(f"{name}/one", np.array(1, np.float32))
    erf = context.make_node("Erf", node.input)
    difference = [one.output[0], erf.output[0]]
    context.make_node(
        "Sub", difference, name=name, outputs=node.output, shapes=shapes, dtypes=dtypes
    )
