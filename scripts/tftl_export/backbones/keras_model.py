"""Loads the user's own Keras model, to export it in place of a backbone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

import keras

from ..errors import ScriptError, first_line
from . import functional, pooled


def load(
    path: str, cuts: Sequence[str], pool: str | None = None
) -> tuple[keras.Model, dict[str, str | None]]:
    """Load the model in a .keras or .h5 file; returns it and its cuts, as in table.Backbone.

    cuts are names of layers, from shallow to deep. Stage `from_x` trains what is above layer `x`,
    stage `all` the whole network. The cuts alone decide what is trained: layers that the file
    marks as not trainable are trained too. pool says how tokens become one vector.

    Raises:
        ScriptError: if the file has no such model, or it cannot be cut there.
    """
    name = os.path.splitext(os.path.basename(path))[0]
    base = _functional(_read(path), name)
    functional.train_all(base)
    below = base
    for cut in cuts:
        try:
            below = functional.below(base, below, cut)
        except ValueError as error:
            raise ScriptError(f"--cut {cut}: {error}") from error
    output = pooled.maps(base.output, pool, name)
    if output is not base.output:
        base = keras.Model(base.input, output, name=name)
    return base, {**{f"from_{cut}": cut for cut in cuts}, "all": None}


def _read(path: str) -> keras.Model:
    """Load a model and check that it maps images of one size to features."""
    option = f"--keras-model {path}"
    if not os.path.isfile(path):
        raise ScriptError(f"{option}: no such file")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # h5py, zipfile and Keras each raise their own
        raise ScriptError(f"{option}: Keras cannot load it: {first_line(error)}") from error
    model = _called(model)
    functional.check(model, option)
    last = getattr(model.layers[-1], "activation", None)
    if len(model.outputs[0].shape) == 2 and last in (
        keras.activations.softmax,
        keras.activations.sigmoid,
    ):
        raise ScriptError(
            f"{option}: its output is probabilities; must be features\n"
            "hint: save the model without its top"
        )
    return model


def _called(model: keras.Model) -> keras.Model:
    """A subclassed model as the only layer of a functional one, so it cannot be cut inside."""
    shape = None if getattr(model, "inputs", None) else model.get_build_config()
    if not shape or not shape.get("input_shape"):
        return model
    images = keras.Input(shape["input_shape"][1:])
    return keras.Model(images, model(images))


def _functional(model: keras.Model, name: str) -> keras.Model:
    """Rebuild the model as a functional one, in which each layer has one `output`."""
    base = keras.Model(model.inputs[0], model.outputs[0], name=name)
    if not isinstance(model, keras.Sequential):
        return base
    # Sequential calls its layers again with each one that is added; a loaded model calls them once.
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.keras")
        base.save(file)
        return keras.models.load_model(file, compile=False)
