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
from .efficientnet_lite import efficientnet_lite0


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
    files: bool = True  # weights of a file mean what they do in the network built without any
    learning_rate: float = 1e-3  # of the head: Keras' default for Adam


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


def _application(name: str) -> Callable[[keras.KerasTensor, str | None], keras.KerasTensor]:
    """A network of keras.applications, which is looked up when it is built."""

    def build(images: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
        function = getattr(keras.applications, name)
        return function(include_top=False, weights=weights, input_tensor=images).outputs[0]

    return build


def _cuts(**cuts: str) -> dict[str, str | None]:
    """Cuts from shallow to deep; the last stage, `all`, trains the whole network."""
    return {**cuts, "all": None}


# Those of the blocks of an EfficientNet of the size B0.
_EFFICIENTNET_B0_CUTS = _cuts(
    top="block7a_project_bn",
    block7="block6d_add",
    block6="block5c_add",
    block5="block4c_add",
    block4="block3b_add",
    block3="block2b_add",
    block2="block1a_project_bn",
)


def _vgg(name: str) -> Backbone:
    return Backbone(
        build=_application(name),
        size=224,
        preprocess="caffe",
        cuts={f"block{i}": f"block{i - 1}_pool" for i in (5, 4, 3, 2)} | {"block1": None},
        # Features that no BatchNorm keeps small: at 1e-3 the loss leaps up before it falls.
        learning_rate=1e-4,
    )


def _resnet(name: str, blocks: int) -> Backbone:
    return Backbone(
        build=_application(name),
        size=224,
        preprocess="caffe",
        cuts=_cuts(
            conv5=f"conv4_block{blocks}_out",
            conv4="conv3_block4_out",
            conv3="conv2_block3_out",
            conv2="pool1_pool",
        ),
    )


BACKBONES = {
    "vgg16": _vgg("VGG16"),
    "vgg19": _vgg("VGG19"),
    "resnet50": _resnet("ResNet50", 6),
    "resnet101": _resnet("ResNet101", 23),
    "inception_v3": Backbone(
        build=_application("InceptionV3"),
        size=299,
        preprocess="tf",
        cuts=_cuts(mixed9="mixed8", mixed8="mixed7", mixed3="mixed2"),
        minimum_size=75,
    ),
    "xception": Backbone(
        build=_application("Xception"),
        size=299,
        preprocess="tf",
        cuts=_cuts(block14="add_11", block13="add_10", block5="add_2", block2="block1_conv2_act"),
        minimum_size=71,
    ),
    "mobilenet_v2": Backbone(
        build=_application("MobileNetV2"),
        size=224,
        preprocess="tf",
        cuts=_cuts(
            top="block_16_project_BN",
            block13="block_12_add",
            block6="block_5_add",
            block3="block_2_add",
        ),
    ),
    "densenet121": Backbone(
        build=_application("DenseNet121"),
        size=224,
        preprocess="torch",
        cuts=_cuts(conv5="pool4_pool", conv4="pool3_pool", conv3="pool2_pool", conv2="pool1"),
    ),
    "efficientnet_b0": Backbone(
        build=_application("EfficientNetB0"),
        size=224,
        preprocess="none",  # it is the network's own first layers
        cuts=_EFFICIENTNET_B0_CUTS,
        files=False,
    ),
    "efficientnet_lite0": Backbone(
        build=efficientnet_lite0,
        size=224,
        preprocess="none",
        cuts=_EFFICIENTNET_B0_CUTS,
        imagenet=False,
    ),
    "efficientnet_v2_s": Backbone(
        build=_application("EfficientNetV2S"),
        size=384,
        preprocess="none",
        cuts=_cuts(
            top="block6o_add",
            block6="block5i_add",
            block5="block4f_add",
            block4="block3d_add",
            block3="block2d_add",
            block2="block1b_add",
        ),
    ),
    "convnext_tiny": Backbone(
        build=_application("ConvNeXtTiny"),
        size=224,
        preprocess="none",
        cuts=_cuts(
            stage3="convnext_tiny_downsampling_block_2",
            stage2="convnext_tiny_downsampling_block_1",
            stage1="convnext_tiny_downsampling_block_0",
            stage0="convnext_tiny_stem",
        ),
    ),
    "tiny": Backbone(
        build=_tiny,
        size=32,
        preprocess="rescale",
        cuts={"block2": "block1_pool", "block1": None},
        minimum_size=16,
        imagenet=False,
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
    # Layers without a name are numbered from the start, since the digests contain their names.
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)  # after it: the seed is part of the session
    images = keras.Input((size, size, 3), name="images")
    if weights == "imagenet":
        if not backbone.imagenet:
            others = "registry, none" if name in registry.REGISTRY else "none"
            raise ExportError(
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
    except Exception as error:  # Keras raises a bare one where the network is out of reach
        raise ExportError(
            f"--weights imagenet: {first_line(error)}\n"
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
    if not BACKBONES[name].files:
        raise ExportError(
            f"--weights {path}: Keras builds {name} with one layer more for its own ImageNet "
            "weights, so a file's would be misread; use imagenet, none or --keras-model"
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
            if skipped:  # Keras leaves such layers as they were
                raise ValueError(skipped[0].message)
    except Exception as error:  # h5py, zipfile and Keras each raise their own
        raise ExportError(
            f"--weights {path}: not weights of {name} without its top: {first_line(error)}"
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


def first_line(error: Exception) -> str:
    """What an exception of Keras' says, without the rest of its page."""
    return (str(error).strip() or repr(error)).partition("\n")[0]
