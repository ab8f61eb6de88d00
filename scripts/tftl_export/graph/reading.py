"""Reads what a network computes: its operations with their constants, and its convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

_CONVOLUTIONS = {"Conv2D": False, "DepthwiseConv2dNative": True}
_RECTIFIERS = ("Relu", "Relu6")
_LOOPS = ("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond")
_PRODUCTS = ("MatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum")


class UnknownOperation(Exception):
    """A network has an operation that cannot be written again, such as a loop."""


@dataclass(frozen=True)
class Convolution:
    """A convolution and what follows it, up to where another operation uses the result.

    The result is relu(convolution + bias + summand), the last two parts if there are such.
    """

    node: NodeDef
    depthwise: bool
    padding: str  # SAME or VALID
    input: str
    filter: np.ndarray  # with batch normalisation folded in; the last axis has the outputs
    bias: np.ndarray
    summand: str | None
    relu: str | None  # Relu or Relu6
    multiplications: int  # for an image
    output: str
    covers: set[str]  # the nodes


class Float:
    """The operations between the images and some outputs."""

    def __init__(self, function: tf.types.experimental.ConcreteFunction) -> None:
        """Read a function of images that returns named tensors."""
        frozen = convert_variables_to_constants_v2(function)
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(frozen.graph.as_graph_def(), name="")
        self.images = frozen.inputs[0].name
        names = sorted(function.structured_outputs)
        self.outputs = dict(zip(names, (t.name for t in frozen.outputs), strict=True))
        depend = _depending(graph, self.images)
        operations = [op for op in graph.get_operations() if op.name in depend]
        for op in operations:
            if op.op_def.is_stateful or op.type in _LOOPS or _calls(op.node_def):
                raise UnknownOperation(op.type)
        self.nodes = [op.node_def for op in operations]
        self.inputs = {op.name: [t.name for t in op.inputs] for op in graph.get_operations()}
        used = {t for node in self.nodes for t in self.inputs[node.name]} - {self.images}
        constants = sorted(t for t in used if operation(t) not in depend)
        with tf.compat.v1.Session(graph=graph) as session:
            values = session.run(constants)
        self.constants: Mapping[str, np.ndarray] = dict(zip(constants, values, strict=True))
        self._shapes = {t.name: t.shape for op in graph.get_operations() for t in op.outputs}
        self._users: dict[str, list[NodeDef]] = {}
        for node in self.nodes:
            for tensor in self.inputs[node.name]:
                self._users.setdefault(tensor, []).append(node)
        self.absorbed = {
            f"{node.name}:0": self.inputs[node.name][0] for node in self.nodes if self._same(node)
        }

    def _same(self, pad: NodeDef) -> bool:
        """Whether a padding and the convolution after it are one with the padding SAME."""
        conv = self._only_user(f"{pad.name}:0")
        if pad.op != "Pad" or conv is None or (filter := self._filter(conv)) is None:
            return False
        pads, strides = self.constants.get(self.inputs[pad.name][1]), conv.attr["strides"].list.i
        if pads is None or conv.attr["padding"].s != b"VALID" or not self._plain(conv, filter):
            return False
        sizes = self._shapes[self.inputs[pad.name][0]]
        want = [(0, 0)]
        for size, window, stride in zip(sizes[1:3], filter.shape[:2], strides[1:3], strict=True):
            total = max((-(-size // stride) - 1) * stride + window - size, 0)
            want.append((total // 2, total - total // 2))
        return np.array_equal(pads, [*want, (0, 0)])

    def shape(self, tensor: str) -> tf.TensorShape:
        """The shape of a tensor."""
        return self._shapes[tensor]

    def multiplications(self) -> int:
        """Of all convolutions and products of matrices with constants, for an image."""
        total = 0
        for node in self.nodes:
            shape = self._shapes[f"{node.name}:0"]
            if (filter := self._filter(node)) is not None:
                total += self._multiplications(node, filter)
            elif node.op in _PRODUCTS and shape.rank:
                constant = max(
                    self.constants.get(t, np.empty(0)).size for t in self.inputs[node.name]
                )
                total += constant * int(np.prod([n or 1 for n in shape[1:-1]]))
        return total

    def steps(self, addable: Callable[[str], bool]) -> Iterator[NodeDef | Convolution]:
        """What is computed, in order, each convolution with what follows it.

        addable says what can be a summand, of what was computed in the steps before.
        """
        known, done = {self.images}, {operation(tensor) for tensor in self.absorbed}
        for node in self.nodes:
            if node.name in done:
                continue
            found = self._convolution(node, lambda tensor: tensor in known and addable(tensor))
            yield found or node
            known.add(found.output if found else f"{node.name}:0")
            done |= found.covers if found else {node.name}

    def _convolution(self, node: NodeDef, addable: Callable[[str], bool]) -> Convolution | None:
        """What begins with a node, if that is a convolution. addable says what can be a summand."""
        filter = self._filter(node)
        if filter is None or not self._plain(node, filter):
            return None
        at, covers = f"{node.name}:0", {node.name}
        bias = np.zeros(filter.shape[-1])
        summand = relu = None
        multiplications = self._multiplications(node, filter)
        while relu is None and (user := self._only_user(at)):
            if summand is None and (affine := self._affine(user, at, len(bias))):
                scale, shift = affine
                filter, bias = filter * scale, bias * scale + shift
            elif user.op in _RECTIFIERS:
                relu = user.op
            elif (other := self._added(user, at, node)) and addable(other):
                summand = other
            else:
                break
            at = f"{user.name}:0"
            covers.add(user.name)
        source, padding = self.inputs[node.name][0], node.attr["padding"].s.decode()
        if source in self.absorbed:
            source, padding = self.absorbed[source], "SAME"
        return Convolution(
            node, _CONVOLUTIONS[node.op], padding, source, filter, bias, summand, relu,
            multiplications, at, covers,
        )  # fmt: skip

    def _filter(self, node: NodeDef) -> np.ndarray | None:
        """A convolution's filter. That of a depthwise one gets its outputs last."""
        if node.op not in _CONVOLUTIONS or node.attr["data_format"].s != b"NHWC":
            return None
        filter = self.constants.get(self.inputs[node.name][1])
        if filter is None or not _CONVOLUTIONS[node.op]:
            return filter
        return filter.reshape(*filter.shape[:2], 1, -1) if filter.shape[3] == 1 else None

    def _plain(self, node: NodeDef, filter: np.ndarray) -> bool:
        """Whether a convolution has no groups, and no padding of its own."""
        channels = self._shapes[self.inputs[node.name][0]][-1]
        grouped = not _CONVOLUTIONS[node.op] and channels != filter.shape[2]
        return not grouped and node.attr["padding"].s in (b"SAME", b"VALID")

    def _multiplications(self, node: NodeDef, filter: np.ndarray) -> int:
        _, height, width, _ = self._shapes[f"{node.name}:0"]
        return int(height * width * filter.size)

    def users(self, tensor: str) -> int:
        """How often a tensor is used, by operations and as an output."""
        return len(self._users.get(tensor, [])) + list(self.outputs.values()).count(tensor)

    def _only_user(self, tensor: str) -> NodeDef | None:
        return self._users[tensor][0] if tensor in self._users and self.users(tensor) == 1 else None

    def _added(self, node: NodeDef, tensor: str, conv: NodeDef) -> str | None:
        """What a node adds to the result of a convolution, if only a relu uses the sum.

        A sum alone has no operation. TensorFlow's operation writes the result in the place of what
        it adds, and crashes if something else still needs that.
        """
        user = self._only_user(f"{node.name}:0")
        if node.op not in ("AddV2", "Add") or user is None or user.op not in _RECTIFIERS:
            return None
        other = self._other(node, tensor)
        if other not in self._users:
            return None
        before = {one.name for one in self._users[other] if one.name != node.name}
        return other if before <= self._before(conv) else None

    def _before(self, node: NodeDef) -> set[str]:
        """The operations that a node needs."""
        found: set[str] = set()
        waiting = [node.name]
        while waiting:
            for tensor in self.inputs[waiting.pop()]:
                if (name := operation(tensor)) not in found:
                    found.add(name)
                    waiting.append(name)
        return found

    def _affine(
        self, node: NodeDef, tensor: str, channels: int
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The scale and the shift of each channel, if that is what a node does to a tensor."""
        inputs = self.inputs[node.name]
        if node.op == "FusedBatchNormV3" and not node.attr["is_training"].b:
            scale, offset, mean, variance = (self.constants.get(t) for t in inputs[1:])
            if any(x is None for x in (scale, offset, mean, variance)):
                return None
            scale = scale / np.sqrt(variance + node.attr["epsilon"].f)
            return scale, offset - mean * scale
        if node.op not in ("BiasAdd", "AddV2", "Add", "Sub", "Mul") or inputs[0] == inputs[1]:
            return None
        constant = self.constants.get(self._other(node, tensor) or "")
        if constant is None or (node.op == "Sub" and inputs[0] != tensor):
            return None
        if constant.size not in (1, channels) or (constant.shape or (1,))[-1] != constant.size:
            return None
        value = np.broadcast_to(constant.reshape(-1), channels).astype(float)
        if node.op == "Mul":
            return value, np.zeros(channels)
        return np.ones(channels), -value if node.op == "Sub" else value

    def _other(self, node: NodeDef, tensor: str) -> str | None:
        """The other input of an operation with two."""
        inputs = self.inputs[node.name]
        if len(inputs) != 2 or node.op not in ("BiasAdd", "AddV2", "Add", "Sub", "Mul"):
            return None
        return inputs[1] if inputs[0] == tensor else inputs[0]


def _depending(graph: tf.Graph, images: str) -> set[str]:
    """The operations that depend on the images."""
    depend = set()
    for op in graph.get_operations():  # in an order in which they can be computed
        if any(t.name == images or t.op.name in depend for t in op.inputs):
            depend.add(op.name)
    return depend


def _calls(node: NodeDef) -> bool:
    """Whether a node calls a function."""
    return any(value.WhichOneof("value") == "func" for value in node.attr.values())


def operation(tensor: str) -> str:
    """The operation that a tensor comes from."""
    return tensor.split(":")[0]
