"""Writes the graph that computes a plan in int8, and the one that measures ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, graph_pb2
from tensorflow.core.framework.node_def_pb2 import NodeDef

from .planning import Plan
from .reading import Convolution, operation

_LARGEST = 127  # of a filter's values


def quantize_filter(filter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A filter in int8 with one scale for each output, and the largest value of each."""
    top = np.abs(filter).max(axis=(0, 1, 2))
    top = np.where(top > 0, top, 1)
    return np.round(filter / top * _LARGEST).astype(np.int8), top.astype(np.float32)


class _Writer:
    """Adds nodes to a graph. Names begin with a prefix, apart from those of shared constants."""

    def __init__(self, plan: Plan, graph: graph_pb2.GraphDef, prefix: str) -> None:
        self._plan, self._graph, self._prefix = plan, graph, prefix
        self._names = {node.name for node in graph.node}
        self._float = {plan.source.images: "images"}
        for step in plan.steps:
            if isinstance(step, Convolution):
                self._convolution(step)
            else:
                self._operation(step)

    def outputs(self) -> dict[str, str]:
        """What the network's outputs are called here."""
        return {name: self._as_float(t) for name, t in self._plan.source.outputs.items()}

    def _convolution(self, c: Convolution) -> None:
        raise NotImplementedError

    def _operation(self, node: NodeDef) -> None:
        self._copy(node)

    def _as_float(self, tensor: str) -> str:
        return self._float[tensor]

    def _copy(self, node: NodeDef) -> None:
        """The same operation on float tensors."""
        inputs = [self._input(tensor) for tensor in self._plan.source.inputs[node.name]]
        made = self._node(node.op, node.name, inputs, **node.attr)
        for i in range(8):
            self._float[f"{node.name}:{i}"] = made if i == 0 else f"{made}:{i}"

    def _input(self, tensor: str) -> str:
        constant = self._plan.source.constants.get(tensor)
        if constant is None:
            return self._as_float(tensor)
        return self._constant(tensor.replace(":", "_"), constant)

    def _float_convolution(self, c: Convolution, filter: str) -> None:
        """A convolution and what follows it, in float32."""
        at = self._node(
            c.node.op, c.node.name, [self._as_float(c.input), filter], T=tf.float32, **_geometry(c)
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

    def _int8_filter(self, c: Convolution) -> tuple[str, str]:
        """The constants of a quantised filter and of the largest value of each output."""
        filter, top = quantize_filter(c.filter)
        return (
            self._constant(f"{c.node.name}/filter", _shaped(filter, c), tf.qint8),
            self._constant(f"{c.node.name}/top", top),
        )

    def _float_filter(self, c: Convolution) -> str:
        filter = c.filter.astype(np.float32)
        return self._constant(f"{c.node.name}/float_filter", _shaped(filter, c))


class Int8(_Writer):
    """Computes a plan in int8, with the ranges that the graph is given."""

    def __init__(self, plan: Plan, graph: graph_pb2.GraphDef, prefix: str) -> None:
        """Add it to a graph that has the placeholders and the ranges as scalars."""
        self._int8: dict[str, str] = {}
        super().__init__(plan, graph, prefix)

    def _convolution(self, c: Convolution) -> None:
        if not self._plan.computed(c):
            self._float_convolution(c, self._float_filter(c))
            return
        name = c.node.name
        filter, top = self._int8_filter(c)
        bottom = self._constant(f"{name}/bottom", -quantize_filter(c.filter)[1])
        inputs = [self._as_int8(c.input), filter, self._bias(c), *self._limits(c.input)]
        inputs += [bottom, top, *self._limits(c.output)]
        attributes = _geometry(c)
        if c.summand:
            inputs += [self._as_int8(c.summand), *self._limits(c.summand)]
            attributes["Tsummand"] = self._type(c.summand)
        signed = self._plan.int8[c.output].signed
        kind = (
            f"Quantized{'Depthwise' if c.depthwise else ''}Conv2DWithBias"
            f"{'Sum' if c.summand else ''}And{'' if signed else 'ReluAnd'}Requantize"
        )
        self._int8[c.output] = self._node(
            kind, name, inputs, Tinput=self._type(c.input), Tfilter=tf.qint8,
            Tbias=tf.float32, out_type=self._type(c.output), **attributes,
        )  # fmt: skip

    def _bias(self, c: Convolution) -> str:
        """The bias, and with it what shifts the result or shifts a summand back."""
        bias = self._constant(f"{c.node.name}/bias", c.bias.astype(np.float32))
        for tensor, op in ((c.output, "AddV2"), (c.summand, "Sub")):
            if tensor and self._plan.int8[tensor].shifted:
                top = f"tops:{self._plan.int8[tensor].range}"
                bias = self._node(op, f"{c.node.name}/{op}", [bias, top], T=tf.float32)
        return bias

    def _operation(self, node: NodeDef) -> None:
        if not self._plan.computed(node):
            self._copy(node)
            return
        inputs, output = self._plan.source.inputs[node.name], f"{node.name}:0"
        moved = [self._as_int8(t) if t in self._plan.int8 else self._input(t) for t in inputs]
        kind, attributes = node.op, dict(node.attr)
        attributes["T"] = self._type(output)
        if node.op == "MaxPool":
            kind = "QuantizedMaxPool"
            moved += self._limits(output)
            attributes = {k: attributes[k] for k in ("T", "ksize", "strides", "padding")}
        self._int8[output] = self._node(kind, node.name, moved, **attributes)

    def _as_int8(self, tensor: str) -> str:
        """A tensor in int8, quantised if it is not."""
        if tensor not in self._int8:
            self._int8[tensor] = self._node(
                "QuantizeV2", operation(tensor) + "/quantized",
                [self._as_float(tensor), *self._limits(tensor)], T=self._type(tensor),
                mode="SCALED", round_mode="HALF_TO_EVEN", ensure_minimum_range=0.0,
                narrow_range=self._plan.int8[tensor].signed,
            )  # fmt: skip
        return self._int8[tensor]

    def _as_float(self, tensor: str) -> str:
        """A tensor in float32, dequantised if it is in int8."""
        if tensor not in self._float:
            self._float[tensor] = self._node(
                "Dequantize", operation(tensor) + "/dequantized",
                [self._int8[tensor], *self._limits(tensor)], T=self._type(tensor), mode="SCALED",
                dtype=tf.float32,
            )  # fmt: skip
        return self._float[tensor]

    def _limits(self, tensor: str) -> list[str]:
        """The smallest and the largest value that a tensor can have."""
        a = self._plan.int8[tensor]
        if a.shifted:
            return ["zero", f"twice:{a.range}"]
        return [f"bottoms:{a.range}" if a.signed else "zero", f"tops:{a.range}"]

    def _type(self, tensor: str) -> tf.DType:
        return tf.qint8 if self._plan.int8[tensor].signed else tf.quint8


class Measuring(_Writer):
    """Computes a plan in float32, with the values of the filters in int8."""

    def largest(self) -> str:
        """The largest absolute value of the activations of each range."""
        axes = self._constant("axes", np.arange(4, dtype=np.int32))
        axis = self._constant("axis", np.zeros(1, np.int32))

        def largest(name: str, values: str, axes: str) -> str:
            return self._node(
                "Max", name, [values, axes], T=tf.float32, Tidx=tf.int32, keep_dims=False
            )

        together = []
        for i, tensors in enumerate(self._plan.measured):
            each = []
            for j, tensor in enumerate(tensors):
                size = self._node("Abs", f"abs{i}_{j}", [self._as_float(tensor)], T=tf.float32)
                each.append(largest(f"max{i}_{j}", size, axes))
            if len(each) > 1:
                each = [largest(f"max{i}", self._pack(f"pack{i}", each), axis)]
            together += each
        return self._pack("largest", together)

    def _pack(self, name: str, tensors: Sequence[str]) -> str:
        return self._node("Pack", name, tensors, N=len(tensors), T=tf.float32, axis=0)

    def _convolution(self, c: Convolution) -> None:
        if not self._plan.computed(c):
            self._float_convolution(c, self._float_filter(c))
            return
        filter, _ = self._int8_filter(c)
        name = c.node.name
        cast = self._node("Bitcast", f"{name}/bits", [filter], T=tf.qint8, type=tf.int8)
        cast = self._node("Cast", f"{name}/cast", [cast], SrcT=tf.int8, DstT=tf.float32)
        shape = (1, 1, -1, 1) if c.depthwise else (1, 1, 1, -1)
        scale = self._constant(
            f"{name}/scale", (quantize_filter(c.filter)[1] / _LARGEST).reshape(shape)
        )
        self._float_convolution(c, self._node("Mul", f"{name}/values", [cast, scale], T=tf.float32))


def _geometry(c: Convolution) -> dict[str, Any]:
    """The attributes of a convolution, whatever computes it."""
    strides, dilations = c.node.attr["strides"], c.node.attr["dilations"]
    return {"padding": c.padding, "strides": strides, "dilations": dilations}


def _shaped(filter: np.ndarray, c: Convolution) -> np.ndarray:
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
