"""Loads a backbone of KerasHub, with the preprocessing of its preset."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import keras
import numpy as np

from ..errors import ScriptError, first_line
from ..graph.images import INTERPOLATIONS, Input, scaled
from . import functional, pooled, transformers

# Those of requirements-keras-hub.txt, without the hashes.
PACKAGES = (
    "kagglehub==1.0.3",
    "kagglesdk==0.1.28",
    "keras-hub==0.32.0",
    "pyyaml==6.0.4",
    "regex==2026.11.19",
    "tokenizers==0.23.3",
    "tqdm==4.70.1",
)


@dataclass(frozen=True)
class Preset:
    """A backbone, its cuts as in table.Backbone, and how its images are prepared."""

    name: str
    base: keras.Model
    cuts: dict[str, str | None]
    image: Input
    differs: str  # how the preset resizes that tftl does not; empty if it does the same


def load(preset: str, size: int | None, pool: str | None, preprocess: str | None) -> Preset:
    """Load the backbone of a preset: a name that KerasHub knows, or a folder.

    size and preprocess are used instead of the preset's own if they are given.

    Raises:
        ScriptError: if it cannot be loaded, or is not a backbone for images.
    """
    option = f"--keras-hub {preset}"
    hub = _import(option)
    keras.backend.clear_session()  # restarts the numbers in layer names, which digests cover
    with contextlib.redirect_stdout(sys.stderr):  # progress bars
        converter = _converter(hub, preset)
        backbone = _backbone(hub, preset, size, getattr(converter, "image_size", None))
    backbone = getattr(backbone, "vision_encoder", backbone)  # without the text's
    functional.check(backbone, option)
    functional.train_all(backbone)
    name = os.path.basename(os.path.normpath(preset))
    base, cuts = _cut(backbone, pool, name, option)
    functional.check(base, option)
    shape = base.input.shape[1:3]
    if converter is None:
        if preprocess is None:
            raise ScriptError(
                f"{option}: the preset has no image converter, which says how to scale pixels\n"
                "hint: give it with --preprocess"
            )
        return Preset(name, base, cuts, Input(shape, "bilinear", preprocess), "")
    image = _image(converter, shape, option)
    if preprocess is not None:
        image = Input(image.size, image.interpolation, preprocess, image.fit)
    differs = "with antialiasing" if converter.antialias else ""
    if image.fit == "pad":  # it matters at the edges
        differs += f"{' and ' if differs else ''}after padding"
    return Preset(name, base, cuts, image, differs)


def _import(option: str) -> ModuleType:
    try:
        import keras_hub
    except ImportError as error:
        raise ScriptError(
            f"{option}: KerasHub is not installed: {first_line(error)}\n"
            f"hint: {sys.executable} -m pip install --no-deps {' '.join(PACKAGES)}"
        ) from error
    return keras_hub


def _converter(hub: ModuleType, preset: str) -> Any:
    """The preset's image converter; None if it has none."""
    try:
        return hub.layers.ImageConverter.from_preset(preset)
    except Exception:  # KerasHub's loader raises many; the backbone's says what is wrong
        return None


def _backbone(hub: ModuleType, preset: str, size: int | None, usual: Any) -> Any:
    """Load the backbone, with inputs of the given size, or else of its own or the usual one."""

    def load(**more: Any) -> Any:
        try:
            return hub.models.Backbone.from_preset(preset, dtype="float32", **more)
        except Exception as error:  # files, downloads and Keras each raise their own
            given = "" if not more or size is None else f", --image-size {size}"
            raise ScriptError(
                f"--keras-hub {preset}{given}: KerasHub cannot load it: {_reason(error)}"
            ) from error

    backbone = load()
    config = backbone.get_config()
    shape = next((config[name] for name in _SHAPES if config.get(name)), None)
    if hasattr(backbone, "vision_encoder"):
        shape = backbone.vision_encoder.image_shape
    wanted = (size, size) if size else usual
    if shape is None or (None not in shape and size in (None, shape[0])):
        return backbone
    if wanted is None:
        raise ScriptError(f"--keras-hub {preset}: takes images of any size; say --image-size")
    name = next((name for name in _SHAPES if name in config), None)
    if name is None:
        raise ScriptError(
            f"--image-size {size}: the backbone of {preset} takes {shape[0]} x {shape[1]} only"
        )
    keras.backend.clear_session()
    return load(**{name: (*wanted, 3)})


def _reason(error: Exception) -> str:
    """The first line, unless that only begins a list of what a preset may be."""
    if "Unknown preset" in str(error):
        return "neither a preset that it knows nor a folder that save_to_preset wrote"
    return first_line(error)


_SHAPES = ("image_shape", "input_shape")


def _cut(
    backbone: keras.Model, pool: str | None, name: str, option: str
) -> tuple[keras.Model, dict[str, str | None]]:
    """The backbone as a model with features [N,H,W,C], and its cuts."""
    parts = transformers.parts(backbone)
    if parts is not None:
        shape = backbone.inputs[0].shape[1:]
        images, features, cuts = transformers.assemble(parts, shape)
        theirs = keras.Model(backbone.inputs[0], backbone.outputs[0])
        _compare(keras.Model(images, features), theirs, option)
        return keras.Model(images, pooled.maps(features, pool, name, parts.tokens), name=name), cuts
    images, features = backbone.inputs[0], backbone.outputs[0]
    base = keras.Model(images, pooled.maps(features, pool, name), name=name)
    cuts, below = {}, keras.Model(images, features)
    levels = getattr(backbone, "pyramid_outputs", {})
    for level, output in reversed(levels.items()):
        layer = next(layer.name for layer in backbone.layers if layer.output is output)
        with contextlib.suppress(ValueError):  # the last level is the output, some are bypassed
            below = functional.below(keras.Model(images, features), below, layer)
            cuts[f"above_{level.lower()}"] = layer
    return base, {**cuts, "all": None}


def _compare(mine: keras.Model, theirs: keras.Model, option: str) -> None:
    """Check that a backbone that was taken apart computes what it did."""
    pixels = np.random.default_rng(0).normal(size=(1, *mine.input.shape[1:])).astype(np.float32)
    got, want = mine(pixels, training=False), theirs(pixels, training=False)
    if not np.allclose(got, want, rtol=1e-4, atol=1e-4 * np.abs(want).max()):
        raise ScriptError(f"{option}: this version of KerasHub computes it in another way")


def _image(converter: Any, size: tuple[int, int], option: str) -> Input:
    """What an image converter does, for images of a size."""
    if converter.interpolation not in INTERPOLATIONS:
        raise ScriptError(
            f"{option}: resizes with {converter.interpolation}, which is not one of "
            f"{', '.join(INTERPOLATIONS)}"
        )
    fit = "pad" if converter.pad_to_aspect_ratio else "stretch"
    if converter.crop_to_aspect_ratio:
        fit = "crop"
    scale, offset = (
        tuple(float(value) for value in np.broadcast_to(neutral if given is None else given, 3))
        for given, neutral in ((converter.scale, 1.0), (converter.offset, 0.0))
    )
    return scaled(Input(size, converter.interpolation, "none", fit), scale, offset)
