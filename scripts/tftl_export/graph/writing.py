"""Writes a network's operations to a graph again, with BatchNorm folded into the convolutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, graph_pb2
from tensorflow.core.framework.node_def_pb2 import NodeDef

from .reading import Convolution, Float


class Writer:
    """Adds nodes to a graph. Names begin with a prefix, apart from those of shared constants."""

    def __init__(
        self,
        source: Float,
        steps: Iterable[NodeDef | Convolution],
        graph: graph_pb2.GraphDef,
        prefix: str,
    ) -> None:
        """Write steps of a network to a graph, where its images are called `images`."""
        self._source, self._graph, self._prefix = source, graph, prefix
        self._names = {node.name for node in graph.node}
        self._float = {source.images: "images"}
        for step in steps:
            if isinstance(step, Convolution):
                self._convolution(step)
            else:
                self._operation(step)

    def outputs(self) -> dict[str, str]:
        """What the network's outputs are called here."""
        return {name: self._as_float(t) for name, t in self._source.outputs.items()}

    def _convolution(self, c: Convolution) -> None:
        self._float_convolution(c, self._float_filter(c))

    def _operation(self, node: NodeDef) -> None:
        self._copy(node)

    def _as_float(self, tensor: str) -> str:
        return self._float[tensor]

    def _copy(self, node: NodeDef) -> None:
        """The same operation on float tensors."""
        inputs = [self._input(tensor) for tensor in self._source.inputs[node.name]]
        made = self._node(node.op, node.name, inputs, **node.attr)
        for i in range(8):
            self._float[f"{node.name}:{i}"] = made if i == 0 else f"{made}:{i}"

    def _input(self, tensor: str) -> str:
        constant = self._source.constants.get(tensor)
        if constant is None:
            return self._as_float(tensor)
        return self._constant(tensor.replace(":", "_"), constant)

    def _float_convolution(self, c: Convolution, filter: str) -> None:
        """A convolution and what follows it, in float32."""
        at = self._node(
            c.node.op, c.node.name, [self._as_float(c.input), filter], T=tf.float32, **geometry(c)
        )
        bias = self._constant(f"{c.node.name}/bias", c.bias.astype(np.float32))
        at = self._node("BiasAdd", f"{c.node.name}/sum", [at, bias], T=tf.float32)
        if c.summand:
            summand = self._as_float(c.summand)
            at = self._node("AddV2", f"{c.node.name}/add", [at, summand], T=tf.float32)
        if c.relu:
            at = self._node(c.relu, f"{c.node.name}/relu", [at], T=tf.float32)
        self._float[c.output] = at

    def _node(self, op: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node, and return its name."""
        node = self._graph.node.add(op=op, name=self._prefix + name, input=inputs)
        for key, value in attributes.items():
            node.attr[key].CopyFrom(_attribute(value))
        return node.name

    def _constant(self, name: str, value: np.ndarray, dtype: tf.DType | None = None) -> str:
        """Add a constant, unless there is one of that name."""
        if name not in self._names:
            self._names.add(name)
            tensor = tf.make_tensor_proto(value)
            if dtype:
                tensor.dtype = dtype.as_datatype_enum
            node = self._graph.node.add(op="Const", name=name)
            node.attr["dtype"].type = tensor.dtype
            node.attr["value"].tensor.CopyFrom(tensor)
        return name

    def _float_filter(self, c: Convolution) -> str:
        filter = c.filter.astype(np.float32)
        return self._constant(f"{c.node.name}/float_filter", shaped(filter, c))


def geometry(c: Convolution) -> dict[str, Any]:
    """The attributes of a convolution, whatever computes it."""
    strides, dilations = c.node.attr["strides"], c.node.attr["dilations"]
    return {"padding": c.padding, "strides": strides, "dilations": dilations}


def shaped(filter: np.ndarray, c: Convolution) -> np.ndarray:
    """A filter as the operation wants it: [h,w,channels,1] if it is depthwise."""
    return filter.reshape(*filter.shape[:2], -1, 1) if c.depthwise else filter


def _attribute(value: Any) -> attr_value_pb2.AttrValue:
    match value:
        case attr_value_pb2.AttrValue():
            return value
        case tf.DType():
            return attr_value_pb2.AttrValue(type=value.as_datatype_enum)
        case bool():
            return attr_value_pb2.AttrValue(b=value)
        case int():
            return attr_value_pb2.AttrValue(i=value)
        case float():
            return attr_value_pb2.AttrValue(f=value)
    return attr_value_pb2.AttrValue(s=value.encode())
