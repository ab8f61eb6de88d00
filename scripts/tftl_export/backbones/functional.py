"""What a Keras model must be to be a backbone, and where it can be cut."""

from __future__ import annotations

import keras

from ..errors import ScriptError


def check(model: keras.Model, name: str) -> None:
    """Check that a model maps images of one size to features, a vector or tokens.

    Raises:
        ScriptError: if it does not; `name` is what it begins with.
    """
    inputs, outputs = (getattr(model, ends, None) or [] for ends in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1:
        raise ScriptError(f"{name}: must have one input and one output")
    (images,), (features,) = inputs, outputs
    if len(images.shape) != 4 or images.shape[3] != 3 or None in images.shape[1:]:
        raise ScriptError(
            f"{name}: its input is {_shape(images)}; must be [N,H,W,3] with a fixed height and "
            "width"
        )
    if not 2 <= len(features.shape) <= 4 or None in features.shape[1:]:
        raise ScriptError(
            f"{name}: its output is {_shape(features)}; must be features [N,H,W,C], a vector [N,D] "
            "or tokens [N,T,D]"
        )
    if features.dtype != "float32":
        raise ScriptError(f"{name}: its output is {features.dtype}; must be float32")
    paths = [variable.path for variable in model.weights]
    if twice := {p for p in paths if paths.count(p) > 1}:
        raise ScriptError(f"{name}: two variables are named {min(twice)}")


def train_all(layer: keras.Layer) -> None:
    """Make a layer and all layers inside it trainable."""
    for value in (False, True):  # setting the value that it has would not reach inner layers
        layer.trainable = value
    for inner in getattr(layer, "layers", ()):
        train_all(inner)


def below(base: keras.Model, above: keras.Model, cut: str) -> keras.Model:
    """The model below a cut, which must itself be below the cut before.

    Raises:
        ValueError: if the model cannot be cut there.
    """
    layers = {layer.name: layer for layer in base.layers}
    if cut not in layers:
        for outer in base.layers:
            if cut in {layer.name for layer in _inside(outer)}:
                raise ValueError(f"is inside the layer {outer.name}, which can only be cut around")
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


def _inside(layer: keras.Layer) -> list[keras.Layer]:
    """The layers of a model that is a layer of another one."""
    return [found for one in getattr(layer, "layers", ()) for found in (one, *_inside(one))]


def _shape(tensor: keras.KerasTensor) -> str:
    return f"[{','.join('N' if n is None else str(n) for n in tensor.shape)}]"
