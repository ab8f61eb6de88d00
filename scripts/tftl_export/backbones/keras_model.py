"""Loads and cuts the user's own Keras model, to export it in place of a backbone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

import keras

from ..errors import ScriptError, first_line


def load(path: str, cuts: Sequence[str]) -> tuple[keras.Model, dict[str, str | None]]:
    """Load the model in a .keras or .h5 file; returns it and its cuts, as in table.Backbone.

    cuts are names of layers, from shallow to deep. Stage `from_x` trains what is above layer `x`,
    stage `all` the whole network. The cuts alone decide what is trained: layers that the file
    marks as not trainable are trained too.

    Raises:
        ScriptError: if the file has no such model, or it cannot be cut there.
    """
    name = os.path.splitext(os.path.basename(path))[0]
    base = _functional(_read(path), name)
    _train_all(base)
    paths = [variable.path for variable in base.weights]
    if twice := {p for p in paths if paths.count(p) > 1}:
        raise ScriptError(f"--keras-model {path}: two variables are named {min(twice)}")
    below = base
    for cut in cuts:
        try:
            below = _below(base, below, cut)
        except ValueError as error:
            raise ScriptError(f"--cut {cut}: {error}") from error
    return base, {**{f"from_{cut}": cut for cut in cuts}, "all": None}


def _read(path: str) -> keras.Model:
    """Load a model and check that it maps images of one size to features [N,H,W,C]."""
    if not os.path.isfile(path):
        raise ScriptError(f"--keras-model {path}: no such file")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # h5py, zipfile and Keras each raise their own
        raise ScriptError(
            f"--keras-model {path}: Keras cannot load it: {first_line(error)}"
        ) from error
    inputs, outputs = (getattr(model, ends, None) or [] for ends in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1:
        raise ScriptError(f"--keras-model {path}: must have one input and one output")
    (images,), (features,) = inputs, outputs
    if len(images.shape) != 4 or images.shape[3] != 3 or None in images.shape[1:]:
        raise ScriptError(
            f"--keras-model {path}: its input is {_shape(images)}; must be [N,H,W,3] with a fixed "
            "height and width"
        )
    if len(features.shape) != 4 or None in features.shape[1:]:
        raise ScriptError(
            f"--keras-model {path}: its output is {_shape(features)}; must be features [N,H,W,C]\n"
            "hint: save the model without its pooling and top"
        )
    if features.dtype != "float32":
        raise ScriptError(f"--keras-model {path}: its output is {features.dtype}; must be float32")
    return model


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


def _train_all(layer: keras.Layer) -> None:
    """Make a layer and all layers inside it trainable."""
    for value in (False, True):  # setting the value that it has would not reach inner layers
        layer.trainable = value
    for inner in getattr(layer, "layers", ()):
        _train_all(inner)


def _below(base: keras.Model, above: keras.Model, cut: str) -> keras.Model:
    """The model below a cut, which must itself be below the cut before.

    Raises:
        ValueError: if the model cannot be cut there.
    """
    layers = {layer.name: layer for layer in base.layers}
    if cut not in layers:
        raise ValueError(f"no such layer; the last ones are {', '.join(list(layers)[-5:])}")
    at = layers[cut].output
    if not isinstance(at, keras.KerasTensor) or None in at.shape[1:]:
        raise ValueError("must have one output of a fixed shape")
    if at is base.input or at is base.output:
        raise ValueError("is an end of the model, where stages all and head are cut already")
    if layers[cut] not in above.layers or at is above.output:
        raise ValueError("is not below the cut before it; list cuts from shallow to deep")
    try:
        stem, tail = keras.Model(base.input, at), keras.Model(at, base.output)
    except ValueError as error:  # Keras: the graph is disconnected
        raise ValueError(
            "other layers' outputs bypass it; cut at a layer that everything passes through"
        ) from error
    if shared := {layer.name for layer in stem.layers} & {layer.name for layer in tail.layers}:
        raise ValueError(f"layer {min(shared)} is used on both sides of it")
    return stem


def _shape(tensor: keras.KerasTensor) -> str:
    return f"[{','.join('N' if n is None else str(n) for n in tensor.shape)}]"
