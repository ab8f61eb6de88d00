"""Stores the weights of an ONNX model as float16, or computes its network in int8."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

# Tells quantize_static that batch normalisation is folded into the convolutions.
_FOLDED = {"onnx.quant.pre_process": "onnxruntime.quant"}
_PRODUCTS = ("Conv", "MatMul", "Gemm")


def float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights of products as float16. They are computed with in float32.

    ONNX Runtime makes float32 of them when it loads the file.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    weights = {node.input[1] for node in graph.node if node.op_type in _PRODUCTS}
    casts = []
    for tensor in graph.initializer:
        if tensor.name not in weights or tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
            continue
        wide, small = tensor.name, f"{tensor.name}/float16"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), small))
        cast = helper.make_node("Cast", [small], [wide], f"{wide}/cast", to=TensorProto.FLOAT)
        casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return made


def int8(model: onnx.ModelProto, images: Iterable[np.ndarray]) -> onnx.ModelProto:
    """Compute the network in int8, with the ranges that activations have on images [h,w,3].

    Each output of a product has a scale of its own weights. The smallest and the largest value of
    an activation make its range. Averages over the images instead, and seven bits for weights, gave
    larger differences.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)  # what is given to quantize_static is changed
    onnx.helper.set_model_props(copy, _FOLDED)
    with tempfile.TemporaryDirectory(prefix="tftl-onnx-") as work:
        path = Path(work, "int8.onnx")
        quantization.quantize_static(
            copy,
            path,
            _Reader(images),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=_outside(model),
        )
        return onnx.load(path)


class _Reader(quantization.CalibrationDataReader):
    """Gives the images one by one, so that one image's activations are in memory."""

    def __init__(self, images: Iterable[np.ndarray]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._images, None)
        return None if image is None else {"images": np.asarray(image, np.float32)[np.newaxis]}


def _outside(model: onnx.ModelProto) -> list[str]:
    """The nodes that stay float: before the first product, and from the last one on.

    Of the graph up to the logits; the others stay float too.
    """
    nodes = list(model.graph.node)
    needed = {"logits"}
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(node.input)
    network = [node for node in nodes if needed & set(node.output)]
    products = [node for node in network if node.op_type in _PRODUCTS]
    after_first = _after(network, products[:1])
    after_last = _after(network, products[-1:])
    inside = {id(node) for node in after_first} - {id(node) for node in after_last}
    return [node.name for node in nodes if id(node) not in inside]


def _after(nodes: list[onnx.NodeProto], first: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """These nodes and all that use what they compute."""
    found, known = [], {name for node in first for name in node.output}
    for node in nodes:
        if known & {*node.input, *node.output}:
            known |= set(node.output)
            found.append(node)
    return found
