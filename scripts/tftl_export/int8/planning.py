"""Decides what of a network is computed in int8, and which activations share a range."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tensorflow.core.framework.node_def_pb2 import NodeDef

from ..graph.reading import Convolution, Float

_KEEPING = ("MaxPool", "Pad", "AvgPool", "ConcatV2", "Identity")  # what has no new signs


@dataclass(frozen=True)
class Activations:
    """How a tensor is quantised: from 0 to the range (quint8), or from -range to range (qint8).

    A shifted one is quint8 too: its values from -range to range, with the range added to each. That
    is for what is added to a convolution: TensorFlow's own operation for it, with a qint8, cuts the
    sum off at half of its range.
    """

    range: int
    signed: bool
    shifted: bool = False


class Plan:
    """What is computed, in order, and which tensors are in int8."""

    def __init__(self, source: Float) -> None:
        """Go through a network's operations from the images on."""
        self.source = source
        self.steps: list[NodeDef | Convolution] = []
        self.int8: dict[str, Activations] = {}  # also of float tensors that are quantised first
        self.measured: list[list[str]] = []  # the tensors of each range
        self.multiplications = 0  # in int8, of values that were computed in int8, for an image
        self.possible = source.multiplications()
        self._known = {source.images}
        self._positive: set[str] = set()
        self._capped: set[str] = set()  # by the end of their range, which must be their own
        self._linear: set[str] = set()  # what convolutions without a relu compute in int8
        self._computed: set[str] = set()  # in int8
        self._below: set[str] = {source.images}  # what no convolution has computed
        for step in source.steps(self._summand):
            if isinstance(step, Convolution):
                self._convolution(step)
            else:
                self._operation(step)
        self._number()

    def computed(self, step: NodeDef | Convolution) -> bool:
        """Whether a step is computed in int8."""
        return _output(step) in self._computed

    def _convolution(self, c: Convolution) -> None:
        self.steps.append(c)
        self._known.add(c.output)
        if c.relu:
            self._positive.add(c.output)
        if c.relu == "Relu6":
            self._capped.add(c.output)
        if c.input in self._below or not self._possible(c):
            return
        self._quantize(c.input)
        if c.summand and self._signed(c.summand):
            shifted = self.int8[c.summand]
            self.int8[c.summand] = replace(shifted, signed=False, shifted=True)
        elif c.summand:
            self._quantize(c.summand)
        self._computed.add(c.output)
        if c.input in self._computed:
            self.multiplications += c.multiplications
        self._new(c.output, signed=not c.relu)
        if not c.relu:
            self._linear.add(c.output)

    def _possible(self, c: Convolution) -> bool:
        """Whether TensorFlow has the operation."""
        if self._signed(c.input):
            return not c.depthwise and c.summand is None
        return not c.depthwise or (c.relu is not None and c.summand is None)

    def _summand(self, tensor: str) -> bool:
        """Whether a tensor can be added to a convolution before its relu.

        If it may have negative values it must be a convolution's, and used for nothing else.
        """
        if not self._signed(tensor):
            return True
        return tensor in self._linear and self.source.users(tensor) == 1

    def _operation(self, node: NodeDef) -> None:
        self.steps.append(node)
        output = _output(node)
        inputs = [t for t in self.source.inputs[node.name] if t in self._known]
        self._known.add(output)
        if all(t in self._below for t in inputs):
            self._below.add(output)
        keeps = node.op in _KEEPING and bool(inputs)
        if node.op.startswith("Relu") or (keeps and all(t in self._positive for t in inputs)):
            self._positive.add(output)
        if node.op not in ("MaxPool", "Pad", "ConcatV2") or not self._same(inputs):
            return
        # These only move values, and have a kernel for int8.
        first, *others = inputs
        for other in others:
            self._share(first, other)
        self.int8[output] = self.int8[first]
        self._computed.add(output)

    def _same(self, tensors: Iterable[str]) -> bool:
        """Whether tensors were computed in int8, and can share a range."""
        kinds = {(self._signed(t), t in self._capped) for t in tensors}
        return len(kinds) == 1 and self._computed.issuperset(tensors)

    def _quantize(self, tensor: str) -> None:
        if tensor not in self.int8:
            self._new(tensor, self._signed(tensor))

    def _signed(self, tensor: str) -> bool:
        return tensor not in self._positive

    def _new(self, tensor: str, signed: bool) -> None:
        self.int8[tensor] = Activations(len(self.measured), signed)
        self.measured.append([tensor])

    def _share(self, one: str, other: str) -> None:
        """Give two tensors, and all that have the ranges of theirs, one range."""
        a, b = self.int8[one].range, self.int8[other].range
        if a == b:
            return
        self.measured[a] += self.measured[b]
        self.measured[b] = []
        for tensor, of in self.int8.items():
            if of.range == b:
                self.int8[tensor] = replace(of, range=a)

    def _number(self) -> None:
        """Leave out ranges without tensors."""
        kept = [i for i, tensors in enumerate(self.measured) if tensors]
        self.measured = [self.measured[i] for i in kept]
        number = {old: new for new, old in enumerate(kept)}
        self.int8 = {t: replace(of, range=number[of.range]) for t, of in self.int8.items()}


def _output(step: NodeDef | Convolution) -> str:
    return step.output if isinstance(step, Convolution) else f"{step.name}:0"
