"""The networks: a table of what to build, how deep it can be cut, and its weights."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import keras

from . import fetch, registry


class ExportError(Exception):
    """A mistake of the user's, or of the world's: one line, and a hint where there is one."""


@dataclass(frozen=True)
class Backbone:
    """A network without its top.

    `cuts` maps the name of each trainable depth, shallow to deep, to the layer whose output
    is cached while it trains; None is the network's input.
    """

    build: Callable[[keras.KerasTensor, str | None], keras.KerasTensor]  # input, weights; output
    size: int
    preprocess: str
    cuts: dict[str, str | None]
    minimum_size: int = 32
    imagenet: bool = True  # Keras can download its ImageNet weights
    learning_rate: float = 1e-4


def _tiny(images: keras.KerasTensor, weights: None) -> keras.KerasTensor:
    """Two small blocks: for tests, exported in about a second."""
    del weights
    x = images
    for block, filters in ((1, 4), (2, 8)):
        x = keras.layers.Conv2D(
            filters, 3, padding="same", activation="relu", name=f"block{block}_conv1"
        )(x)
        x = keras.layers.MaxPooling2D(4, name=f"block{block}_pool")(x)
    return x


def _vgg16(images: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
    network = keras.applications.VGG16(include_top=False, weights=weights, input_tensor=images)
    return network.outputs[0]


BACKBONES = {
    "vgg16": Backbone(
        build=_vgg16,
        size=224,
        preprocess="caffe",
        cuts={
            "block5": "block4_pool",
            "block4": "block3_pool",
            "block3": "block2_pool",
            "block2": "block1_pool",
            "block1": None,
        },
    ),
    "tiny": Backbone(
        build=_tiny,
        size=32,
        preprocess="rescale",
        cuts={"block2": "block1_pool", "block1": None},
        minimum_size=16,
        imagenet=False,
        learning_rate=1e-3,
    ),
}


def build(name: str, size: int, weights: str, seed: int) -> tuple[keras.Model, str]:
    """Build a backbone with its weights; returns it and a line on where the weights are from.

    weights is `none` (random, from the seed), `imagenet` (Keras' download), `registry` (an
    ImageNet copy found in a package registry) or the path of a Keras file of this network.
    """
    backbone = BACKBONES[name]
    if size < backbone.minimum_size:
        raise ExportError(f"--image-size {size}: {name} needs at least {backbone.minimum_size}")
    keras.utils.set_random_seed(seed)
    # Names of our own: Keras would number its own, and the digests contain them.
    images = keras.Input((size, size, 3), name="images")
    if weights == "imagenet":
        if not backbone.imagenet:
            raise ExportError(f"--weights imagenet: Keras has none for {name}; use none or a file")
        output = _download(backbone, images)
        return keras.Model(images, output, name=name), "ImageNet, from keras.applications"
    network = keras.Model(images, backbone.build(images, None), name=name)
    if weights == "none":
        return network, f"random, seed {seed}"
    if weights == "registry":
        return network, _from_registry(network, name)
    return network, _from_file(network, name, weights)


def _download(backbone: Backbone, images: keras.KerasTensor) -> keras.KerasTensor:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras' progress bar
            return backbone.build(images, "imagenet")
    except Exception as error:  # Keras raises a bare one where the network is out of reach
        raise ExportError(
            f"--weights imagenet: {_first_line(error)}\n"
            "hint: without a network use --weights registry (a package registry's copy), "
            "or --weights FILE with a file downloaded elsewhere"
        ) from error


def _from_registry(network: keras.Model, name: str) -> str:
    if name not in registry.REGISTRY:
        known = ", ".join(sorted(registry.REGISTRY))
        raise ExportError(f"--weights registry: none is known for {name} (known: {known})")
    source = registry.REGISTRY[name]
    try:
        network.set_weights(source.load())
    except fetch.FetchError as error:
        raise ExportError(f"--weights registry: {error}") from error
    return source.origin


def _from_file(network: keras.Model, name: str, path: str) -> str:
    """Weights of this network from a .weights.h5, .h5 or .keras file."""
    if not os.path.isfile(path):
        raise ExportError(f"--weights {path}: no such file (nor one of imagenet, registry, none)")
    try:
        if path.endswith(".keras"):
            saved = keras.models.load_model(path, compile=False)
            network.set_weights(_same_network(saved, network).get_weights())
        else:
            with warnings.catch_warnings(record=True) as skipped:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", UserWarning)
                network.load_weights(path)
            if skipped:  # Keras leaves such layers as they were
                raise ValueError(skipped[0].message)
    except Exception as error:  # h5py, zipfile and Keras each raise their own
        raise ExportError(
            f"--weights {path}: not weights of {name} without its top: {_first_line(error)}"
        ) from error
    return f"file {os.path.basename(path)}"


def _same_network(saved: keras.Model, network: keras.Model) -> keras.Model:
    """The saved model itself, or the nested model in it whose weights fit the network."""
    shapes = [w.shape for w in network.weights]
    nested = [layer for layer in saved.layers if isinstance(layer, keras.Model)]
    for candidate in [saved, *nested]:
        if [w.shape for w in candidate.weights] == shapes:
            return candidate
    raise ValueError("no model in the file has this network's weights")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).partition("\n")[0]
