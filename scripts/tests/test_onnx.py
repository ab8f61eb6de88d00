"""The ONNX reader, on models written by the test."""

from __future__ import annotations

import numpy as np
import pytest

from tftl_export.weights import onnx

FLOAT, INT64 = 1, 7  # onnx.TensorProto.DataType


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name: str, array: np.ndarray, dtype: int, packed: bool = False) -> bytes:
    if packed:
        dims = message(1, b"".join(varint(side) for side in array.shape))
    else:
        dims = b"".join(number(1, side) for side in array.shape)
    return dims + number(2, dtype) + message(8, name.encode()) + message(9, array.tobytes())


def model(*tensors: bytes) -> bytes:
    """An ONNX model with these initializers among fields of every wire type."""
    other = varint(40 << 3 | 1) + bytes(8) + varint(41 << 3 | 5) + bytes(4)
    graph = message(2, b"graph") + other + b"".join(message(5, one) for one in tensors)
    return number(1, 7) + message(2, b"writer") + message(7, graph) + number(5, 300)


@pytest.mark.parametrize("packed", [False, True])
def test_float_initializers_are_read(packed):
    kernel = np.arange(2 * 150, dtype=np.float32).reshape(2, 150)
    bias = np.array([0.5, -1], np.float32)
    tensors = onnx.float_initializers(
        model(
            tensor("kernel", kernel, FLOAT, packed),
            tensor("axes", np.array([1, 2]), INT64, packed),
            tensor("bias", bias, FLOAT, packed),
        )
    )
    assert list(tensors) == ["kernel", "bias"]
    np.testing.assert_array_equal(tensors["kernel"], kernel)
    np.testing.assert_array_equal(tensors["bias"], bias)


def test_truncated_model_is_an_error_wherever_it_ends():
    whole = model(tensor("bias", np.ones(3, np.float32), FLOAT))
    between_fields = {0, 2, 10, len(whole) - 3}  # the shorter model is valid
    for end in set(range(len(whole))) - between_fields:
        with pytest.raises(ValueError, match="truncated"):
            onnx.float_initializers(whole[:end])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\x0b\x01", "wire type 3"),
        (b"\xff" * 11, "varint too long"),
        (model(number(2, FLOAT) + message(8, b"w")), "w: no raw data"),
        (model(number(1, 3) + number(2, FLOAT) + message(9, bytes(8))), "reshape"),
    ],
)
def test_anything_but_a_model_is_an_error(content, complaint):
    with pytest.raises(ValueError, match=complaint):
        onnx.float_initializers(content)
