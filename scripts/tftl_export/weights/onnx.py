"""Reads the float32 weights in an ONNX model from its protobuf, without ONNX's packages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# From onnx.proto: the numbers of the fields that are read, and the only element type.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_FLOAT = 1

# Protobuf's wire types.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def float_initializers(model: bytes) -> dict[str, np.ndarray]:
    """The float32 initializers of an ONNX model by name, as views of its bytes.

    Raises:
        ValueError: if this is not an ONNX model, or its floats are not stored as raw data.
    """
    tensors = {}
    for field, graph in _fields(memoryview(model)):
        if field != _MODEL_GRAPH:
            continue
        for field, message in _fields(_message(graph)):
            if field == _GRAPH_INITIALIZER:
                tensors.update(_float_tensor(_message(message)))
    return tensors


def _float_tensor(message: memoryview) -> dict[str, np.ndarray]:
    """The tensor by its name, or nothing if its elements are not float32."""
    name, dtype, raw = "", 0, None
    dims: list[int] = []
    for field, value in _fields(message):
        if field == _TENSOR_NAME:
            name = str(_message(value), "utf-8")
        elif field == _TENSOR_TYPE:
            dtype = value if isinstance(value, int) else 0
        elif field == _TENSOR_RAW:
            raw = _message(value)
        elif field == _TENSOR_DIMS:  # packed or not, depending on the writer
            dims += [value] if isinstance(value, int) else _varints(value)
    if dtype != _FLOAT:
        return {}
    if raw is None:
        raise ValueError(f"initializer {name}: no raw data")
    return {name: np.frombuffer(raw, "<f4").reshape(dims)}


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message: each one's number, and its varint or its bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield field, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"protobuf: wire type {wire} at byte {at}")
        if at + size > len(message):
            raise ValueError(f"protobuf: truncated at byte {at}")
        yield field, message[at : at + size]
        at += size


def _message(value: int | memoryview) -> memoryview:
    """The value of a field that must not be a varint."""
    if isinstance(value, int):
        raise ValueError(f"protobuf: varint {value} in place of a message")
    return value


def _varints(packed: memoryview) -> list[int]:
    values, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        values.append(value)
    return values


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The varint at a position, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at == len(message):
            raise ValueError(f"protobuf: truncated at byte {at}")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"protobuf: varint too long before byte {at}")
