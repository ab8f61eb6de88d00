"""The table of backbones: how each is built, and where it can be cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from .efficientnet_lite import efficientnet_lite0

# From the input and the name of the weights, or None for random ones, to the output.
Build = Callable[[keras.KerasTensor, str | None], keras.KerasTensor]


@dataclass(frozen=True)
class Backbone:
    """A network without its top.

    `cuts` maps the name of each stage after `head`, from shallow to deep, to the layer whose
    output is cached while the stage trains; None is the network's input.
    """

    build: Build
    size: int
    preprocess: str
    cuts: dict[str, str | None]
    minimum_size: int = 32
    imagenet: bool = True  # Keras has ImageNet weights to download
    files: bool = True  # Keras builds the same layers with its ImageNet weights as without


def _tiny(images: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
    """Two small blocks for tests; exports in about a second."""
    del weights
    x = images
    for block, filters in ((1, 4), (2, 8)):
        x = keras.layers.Conv2D(
            filters, 3, padding="same", activation="relu", name=f"block{block}_conv1"
        )(x)
        x = keras.layers.MaxPooling2D(4, name=f"block{block}_pool")(x)
    return x


def _application(name: str) -> Build:
    """A network of keras.applications, looked up when it is built."""

    def build(images: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
        function = getattr(keras.applications, name)
        return function(include_top=False, weights=weights, input_tensor=images).outputs[0]

    return build


def _cuts(**cuts: str) -> dict[str, str | None]:
    """Cuts from shallow to deep, and a last stage `all` that trains the whole network."""
    return {**cuts, "all": None}


# At the blocks of an EfficientNet of size B0.
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
        preprocess="none",  # the network's own first layers do it
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
