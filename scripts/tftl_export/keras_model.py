"""A Keras model of the user's own, in the place of a backbone of the table."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

import keras

from .backbones import ExportError, first_line


def load(path: str, cuts: Sequence[str]) -> tuple[keras.Model, dict[str, str | None]]:
    """The model in a .keras or .h5 file, and its cuts as backbones.Backbone has them.

    cuts are names of layers, shallow to deep. What is above `x` is the stage `from_x`, the whole
    network the stage `all`. Everything is trainable: the cuts decide, not the file.

    Raises:
        ExportError: if the file is no such model, or cannot be cut there.
    """
    name = os.path.splitext(os.path.basename(path))[0]
    base = _functional(_read(path), name)
    _train_all(base)
    paths = [variable.path for variable in base.weights]
    if twice := {p for p in paths if paths.count(p) > 1}:
        raise ExportError(f"--keras-model {path}: two variables are named {min(twice)}")
    below = base
    for cut in cuts:
        try:
            below = _below(base, below, cut)
        except ValueError as error:
            raise ExportError(f"--cut {cut}: {error}") from error
    return base, {**{f"from_{cut}": cut for cut in cuts}, "all": None}


def _read(path: str) -> keras.Model:
    """A model from images of one size to features [N,H,W,C]."""
    if not os.path.isfile(path):
        raise ExportError(f"--keras-model {path}: no such file")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # h5py, zipfile and Keras each raise their own
        raise ExportError(
            f"--keras-model {path}: Keras cannot load it: {first_line(error)}"
        ) from error
    inputs, outputs = (getattr(model, ends, None) or [] for ends in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1:
        raise ExportError(f"--keras-model {path}: must have one input and one output")
    (images,), (features,) = inputs, outputs
    if len(images.shape) != 4 or images.shape[3] != 3 or None in images.shape[1:]:
        raise ExportError(
            f"--keras-model {path}: its input is {_shape(images)}; must be [N,H,W,3] with a fixed "
            "height and width"
        )
    if len(features.shape) != 4 or None in features.shape[1:]:
        raise ExportError(
            f"--keras-model {path}: its output is {_shape(features)}; must be features [N,H,W,C]\n"
            "hint: save the model without its own pooling and top"
        )
    if features.dtype != "float32":
        raise ExportError(f"--keras-model {path}: computes in {features.dtype}; must be float32")
    return model


def _functional(model: keras.Model, name: str) -> keras.Model:
    """The model as a graph, in which each layer's `output` is the one of that graph."""
    base = keras.Model(model.inputs[0], model.outputs[0], name=name)
    if not isinstance(model, keras.Sequential):
        return base
    # Sequential has called its layers once for each that it added; a saved graph has one call.
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.keras")
        base.save(file)
        return keras.models.load_model(file, compile=False)


def _train_all(layer: keras.Layer) -> None:
    """Make it trainable, and every layer within."""
    for value in (False, True):  # setting what is set already would not reach those within
        layer.trainable = value
    for inner in getattr(layer, "layers", ()):
        _train_all(inner)


def _below(base: keras.Model, above: keras.Model, cut: str) -> keras.Model:
    """What is below a cut that is itself below the one before.

    Raises:
        ValueError: if it is no cut.
    """
    layers = {layer.name: layer for layer in base.layers}
    if cut not in layers:
        raise ValueError(f"no such layer; the last are {', '.join(list(layers)[-5:])}")
    at = layers[cut].output
    if not isinstance(at, keras.KerasTensor) or None in at.shape[1:]:
        raise ValueError("must have one output of a fixed shape")
    if at is base.input or at is base.output:
        raise ValueError("is an end of the model, where the stages all and head are cut already")
    if layers[cut] not in above.layers or at is above.output:
        raise ValueError("is not below the one before; cuts go from shallow to deep")
    try:
        stem, tail = keras.Model(base.input, at), keras.Model(at, base.output)
    except ValueError as error:  # Keras finds a graph that is not connected
        raise ValueError(
            "outputs of other layers pass it by; cut where all goes through one layer"
        ) from error
    if shared := {layer.name for layer in stem.layers} & {layer.name for layer in tail.layers}:
        raise ValueError(f"{min(shared)} is used on both sides of it")
    return stem


def _shape(tensor: keras.KerasTensor) -> str:
    return f"[{','.join('N' if n is None else str(n) for n in tensor.shape)}]"
