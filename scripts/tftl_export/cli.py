"""The command line of scripts/export.py."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

import tensorflow as tf

from . import backbones, contract
from .backbones import BACKBONES, ExportError
from .head import HEADS, Head
from .images import INTERPOLATIONS, PREPROCESSINGS, Input
from .network import Network

_PROG = "export.py"


def main(arguments: Sequence[str], doc: str | None = None) -> int:
    """Parse, export, report; returns the exit code."""
    options = _parse(arguments, doc)
    started = time.monotonic()
    try:
        description = _export(options)
    except (ExportError, OSError, tf.errors.OpError) as error:
        print(f"{_PROG}: {_message(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    stages = ", ".join(stage["name"] for stage in description["stages"])
    print(f"{options.output}: {options.backbone}, {description['weights']['origin']}")
    print(f"stages {stages}; {time.monotonic() - started:.1f} s")
    return 0


def _parse(arguments: Sequence[str], doc: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=_PROG, description=doc)
    add = parser.add_argument
    add("--backbone", choices=sorted(BACKBONES), default="vgg16", help="default: vgg16")
    add(
        "--weights",
        default="imagenet",
        metavar="{imagenet,registry,none,FILE}",
        help="imagenet: Keras' download; registry: a copy found in a package registry; "
        "none: random; or a Keras .h5, .weights.h5 or .keras file (default: imagenet)",
    )
    add(
        "--head",
        choices=sorted(HEADS),
        default="flatten",
        help="flatten: a hidden layer on all activations; gap: an output layer on their means "
        "(default: flatten)",
    )
    add("--output", "-o", required=True, metavar="DIR", help="the SavedModel's folder")
    add("--image-size", type=int, metavar="N", help="default: the network's own")
    add("--interpolation", choices=INTERPOLATIONS, default="bilinear", help="default: bilinear")
    add("--preprocess", choices=PREPROCESSINGS, help="default: what the weights were trained with")
    add("--seed", type=_seed, default=0, metavar="N", help="of random weights (default: 0)")
    return parser.parse_args(arguments)


def _seed(text: str) -> int:
    """What Keras takes as a seed."""
    seed = int(text)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError("must be from 0 to 4294967295")
    return seed


def _export(options: argparse.Namespace) -> dict:
    backbone = BACKBONES[options.backbone]
    size = backbone.size if options.image_size is None else options.image_size
    preprocess = options.preprocess or backbone.preprocess
    _check_output(options.output)
    base, origin = backbones.build(options.backbone, size, options.weights, options.seed)
    if preprocess != backbone.preprocess and options.weights != "none":
        print(
            f"{_PROG}: warning: {options.backbone}'s weights were trained with "
            f"--preprocess {backbone.preprocess}; {preprocess} will cost accuracy",
            file=sys.stderr,
        )
    return contract.export(
        options.output,
        Network(base, backbone.cuts, Input((size, size), options.interpolation, preprocess)),
        Head(HEADS[options.head], base.output.shape[1:]),
        backbone=options.backbone,
        origin=origin,
        learning_rate=backbone.learning_rate,
    )


def _check_output(path: str) -> None:
    """See that nothing is overwritten but an empty folder or an earlier export."""
    if not os.path.lexists(path) or (os.path.isdir(path) and not os.listdir(path)):
        return
    try:
        with open(os.path.join(path, *contract.DESCRIPTION), encoding="utf-8") as file:
            if json.load(file)["stages"]:  # a trained model has none
                return
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise ExportError(f"{path}: exists and was not exported by this program; it is left as it is")


def _message(error: Exception) -> str:
    """One line, save for the hint that an ExportError may have below it."""
    if isinstance(error, tf.errors.OpError):
        return error.message.strip().partition("\n")[0]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
