"""Reads the tensors in a PyTorch checkpoint from before version 1.6, without PyTorch.

Such a file is a series of pickles. A pickle can call any function, so this reader allows only
the ones that make a tensor.
"""

from __future__ import annotations

import collections
import io
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_ELEMENTS = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage, counted in elements; storages follow the tensors in the file."""

    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, storage: np.ndarray) -> np.ndarray:
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= len(storage):
            raise ValueError(f"a tensor {self.shape} reaches beyond its storage")
        strides = [stride * storage.itemsize for stride in self.strides]
        whole = np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, strides)
        return np.ascontiguousarray(whole)


class _Unpickler(pickle.Unpickler):
    """Reads tensors as views, and notes the element type of each storage."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.types: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda key, offset, shape, strides, *_: _Tensor(key, offset, shape, strides)
        if module == "torch" and name in _ELEMENTS:
            return _ELEMENTS[name]
        raise ValueError(f"its pickle asks for {module}.{name}")

    def persistent_load(self, identity: tuple[Any, ...]) -> str:
        _, element, key, *_ = identity
        self.types[key] = element
        return key


def tensors(checkpoint: bytes) -> dict[str, np.ndarray]:
    """The tensors of a state dictionary, in its order.

    Raises:
        ValueError: if the file has another format, or its pickles ask for anything but tensors.
    """
    file = io.BytesIO(checkpoint)
    if _Unpickler(file).load() != _MAGIC or _Unpickler(file).load() != _PROTOCOL:
        raise ValueError("not a PyTorch checkpoint from before version 1.6")
    _Unpickler(file).load()  # the sizes of C types on the machine that wrote it
    unpickler = _Unpickler(file)
    found = unpickler.load()
    storages = {}
    for key in _Unpickler(file).load():
        element = np.dtype(unpickler.types[key])
        (length,) = np.frombuffer(file.read(8), "<i8")
        storages[key] = np.frombuffer(file.read(length * element.itemsize), element)
    return {name: tensor.of(storages[tensor.key]) for name, tensor in found.items()}
