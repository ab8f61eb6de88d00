"""Presets of KerasHub with small random backbones, for tests."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from program import ROOT

keras_hub = pytest.importorskip("keras_hub", reason="make test-python installs KerasHub")

PHOTOS = ROOT / "build/testdata/photos"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET = {
    "scale": [1 / 255 / std for std in STD],
    "offset": [-mean / std for mean, std in zip(MEAN, STD, strict=True)],
}
SMALL = {"patch_size": 8, "num_layers": 3, "hidden_dim": 16, "num_heads": 2}
MORE = {**SMALL, "intermediate_dim": 32, "image_shape": (32, 32, 3)}


def vit(**more):
    shape = {"image_shape": (32, 32, 3), "mlp_dim": 32}
    return keras_hub.models.ViTBackbone(**SMALL, **shape, **more)


def siglip():
    vision = keras_hub.models.SigLIPVisionEncoder(**MORE)
    text = keras_hub.models.SigLIPTextEncoder(
        vocabulary_size=9,
        embedding_dim=16,
        hidden_dim=16,
        num_layers=1,
        num_heads=2,
        intermediate_dim=16,
        max_sequence_length=4,
    )
    return keras_hub.models.SigLIPBackbone(vision, text)


def resnet():
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )


# How each is made, what its image converter does, and --pool.
BACKBONES: dict[str, Any] = {
    "vit": (vit, {"scale": 1 / 127.5, "offset": -1.0}, "cls"),
    "dinov2": (
        lambda: keras_hub.models.DINOV2Backbone(
            **MORE, num_register_tokens=2, position_embedding_shape=(48, 48, 3)
        ),
        {"crop_to_aspect_ratio": False, "interpolation": "bicubic", **IMAGENET},
        "mean",
    ),
    "dinov3": (lambda: keras_hub.models.DINOV3Backbone(**MORE), IMAGENET, "mean"),
    "siglip": (siglip, {"scale": 0.01, "offset": [-1.0, -1.1, -0.9]}, None),
    "resnet": (resnet, {"interpolation": "nearest"}, None),
}
BEFORE = {"vit": 1, "dinov2": 3, "dinov3": 5}  # tokens before those of the patches


def preset(name, folder, make=None, converter=None):
    """Save a preset, with weights that are large enough to matter; converter=False for none."""
    usual, settings, _ = BACKBONES[name]
    settings = {**settings, **(converter or {})}
    keras.utils.set_random_seed(3)
    backbone = (make or usual)()
    random = np.random.default_rng(4)
    for weight in backbone.trainable_weights:
        weight.assign(weight + 0.1 * random.normal(size=weight.shape).astype(np.float32))
    backbone.save_to_preset(folder)
    kind = next(
        kind
        for kind in vars(keras_hub.layers).values()
        if getattr(kind, "backbone_cls", None) is type(backbone)
    )
    if converter is not False:
        kind(image_size=(32, 32), **settings).save_to_preset(folder)
    return folder


def pooling(name):
    if name == "resnet":
        return ["--head", "gap"]
    pool = BACKBONES[name][2]
    return [] if pool is None else ["--pool", pool]
