"""The reader of old PyTorch checkpoints, on files written by the test, without PyTorch."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest

from tftl_export.weights import pytorch

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


@pytest.fixture(autouse=True)
def torch(monkeypatch):
    """Modules with the names that a checkpoint's pickle refers to."""
    utils = types.ModuleType("torch._utils")
    exec("def _rebuild_tensor_v2(): pass", utils.__dict__)
    module = types.ModuleType("torch")
    for name in ("FloatStorage", "LongStorage"):
        exec(f"class {name}: pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return module


class Storage:
    """A storage, of which only the identity is pickled."""

    def __init__(self, key, array):
        self.key, self.array = key, array


class Tensor:
    """A view of a storage, pickled as PyTorch pickles one."""

    def __init__(self, storage, offset, shape, strides):
        hooks: OrderedDict[str, object] = OrderedDict()
        self.parts = storage, offset, shape, strides, False, hooks

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


def checkpoint(state, *storages, magic=MAGIC):
    file = io.BytesIO()
    for header in (magic, VERSION, {"little_endian": True}):
        pickle.dump(header, file, protocol=2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if not isinstance(value, Storage):
                return None
            kind = {"f": "FloatStorage", "i": "LongStorage"}[value.array.dtype.kind]
            kind = getattr(sys.modules["torch"], kind)
            return "storage", kind, value.key, "cpu", value.array.size, None

    Pickler(file, protocol=2).dump(state)
    pickle.dump([storage.key for storage in storages], file, protocol=2)
    for storage in storages:
        file.write(np.int64(storage.array.size).tobytes() + storage.array.tobytes())
    return file.getvalue()


def test_tensors_are_views_of_their_storages():
    array = np.arange(24, dtype=np.float32)
    a, b = Storage("7", array), Storage("3", np.array([42]))
    state = OrderedDict(
        whole=Tensor(a, 0, (2, 3, 4), (12, 4, 1)),
        turned=Tensor(a, 0, (4, 3), (1, 4)),
        part=Tensor(a, 20, (4,), (1,)),
        count=Tensor(b, 0, (), ()),
    )
    tensors = pytorch.tensors(checkpoint(state, b, a))
    assert list(tensors) == ["whole", "turned", "part", "count"]
    np.testing.assert_array_equal(tensors["whole"], array.reshape(2, 3, 4))
    np.testing.assert_array_equal(tensors["turned"], array[:12].reshape(3, 4).T)
    np.testing.assert_array_equal(tensors["part"], array[20:])
    assert tensors["count"] == 42 and tensors["count"].dtype == np.int64
    assert all(tensor.flags.c_contiguous for tensor in tensors.values())


@pytest.mark.parametrize(
    "offset, shape, strides",
    [(0, (25,), (1,)), (20, (5,), (1,)), (0, (2, 3), (20, 2)), (-1, (2,), (1,)), (5, (2,), (-6,))],
)
def test_a_tensor_beyond_its_storage_is_refused(offset, shape, strides):
    storage = Storage("7", np.arange(24, dtype=np.float32))
    with pytest.raises(ValueError, match="beyond its storage"):
        pytorch.tensors(checkpoint({"w": Tensor(storage, offset, shape, strides)}, storage))


class Attack:
    """An object that runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_can_make_nothing_but_tensors(tmp_path):
    path = str(tmp_path / "made")
    for state in ({"w": Attack(path)}, Attack(path)):
        with pytest.raises(ValueError, match="asks for .*mkdir"):
            pytorch.tensors(checkpoint(state))
    with pytest.raises(ValueError, match="asks for .*mkdir"):  # instead of the magic number
        pytorch.tensors(checkpoint({}, magic=Attack(path)))
    assert not os.path.exists(path)


def test_other_files_are_refused():
    with pytest.raises(ValueError, match="not a PyTorch checkpoint"):
        pytorch.tensors(checkpoint({}, magic=1))
