"""Writes the graph that computes a plan in int8, and the one that measures ranges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.framework.node_def_pb2 import NodeDef

from ..graph.reading import Convolution, operation
from ..graph.writing import Writer, geometry, shaped
from .planning import Plan

_LARGEST = 127  # of a filter's values


def quantize_filter(filter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A filter in int8 with one scale for each output, and the largest value of each."""
    top = np.abs(filter).max(axis=(0, 1, 2))
    top = np.where(top > 0, top, 1)
    return np.round(filter / top * _LARGEST).astype(np.int8), top.astype(np.float32)


class _PlanWriter(Writer):
    """Writes the steps of a plan."""

    def __init__(self, plan: Plan, graph: graph_pb2.GraphDef, prefix: str) -> None:
        self._plan = plan
        super().__init__(plan.source, plan.steps, graph, prefix)

    def _int8_filter(self, c: Convolution) -> tuple[str, str]:
        """The constants of a quantised filter and of the largest value of each output."""
        filter, top = quantize_filter(c.filter)
        return (
            self._constant(f"{c.node.name}/filter", shaped(filter, c), tf.qint8),
            self._constant(f"{c.node.name}/top", top),
        )


class Int8(_PlanWriter):
    """Computes a plan in int8, with the ranges that the graph is given."""

    def __init__(self, plan: Plan, graph: graph_pb2.GraphDef, prefix: str) -> None:
        """Add it to a graph that has the placeholders and the ranges as scalars."""
        self._int8: dict[str, str] = {}
        super().__init__(plan, graph, prefix)

    def _convolution(self, c: Convolution) -> None:
        if not self._plan.computed(c):
            super()._convolution(c)
            return
        name = c.node.name
        filter, top = self._int8_filter(c)
        bottom = self._constant(f"{name}/bottom", -quantize_filter(c.filter)[1])
        inputs = [self._as_int8(c.input), filter, self._bias(c), *self._limits(c.input)]
        inputs += [bottom, top, *self._limits(c.output)]
        attributes = geometry(c)
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


class Measuring(_PlanWriter):
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
            super()._convolution(c)
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
