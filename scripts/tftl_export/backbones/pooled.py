"""Turns a vector or tokens into features [N,H,W,C], which everything else expects."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from ..errors import ScriptError

POOLS = ("cls", "mean")


@dataclass(frozen=True)
class Tokens:
    """What the tokens [N,T,D] of a model are: some of its own, then those of the patches."""

    before: int  # the class token, which is the first, and register tokens
    classified: bool  # whether there is a class token
    grid: tuple[int, int]  # rows and columns of patches


def maps(
    features: keras.KerasTensor, pool: str | None, name: str, tokens: Tokens | None = None
) -> keras.KerasTensor:
    """Features as [N,H,W,C], whose mean over the image is the vector or the pooled tokens.

    `cls` takes the first token, `mean` the mean of the patches' tokens. They stay in their grid,
    for heat maps. Of a model that does not say which tokens are patches' it is the mean of all.

    Raises:
        ScriptError: if the features cannot be pooled like this; `name` is what it begins with.
    """
    layers, shape = keras.layers, features.shape
    if len(shape) != 3:
        if pool is not None:
            kind = "a vector already" if len(shape) == 2 else "features [N,H,W,C]: see --head"
            raise ScriptError(f"--pool {pool}: is for tokens [N,T,D]; {name} gives {kind}")
        if len(shape) == 4:
            return features
        return layers.Reshape((1, 1, shape[1]), name=_MAPS)(features)
    if pool is None:
        raise ScriptError(
            f"{name}: its features are {shape[1]} tokens; --pool cls takes the first, --pool mean "
            "the mean"
        )
    if pool == "mean" and tokens:
        x = layers.Cropping1D((tokens.before, 0), name=_POOL)(features)
        return layers.Reshape((*tokens.grid, shape[2]), name=_MAPS)(x)
    if pool == "mean":
        x = layers.GlobalAveragePooling1D(name=_POOL)(features)
    elif tokens and not tokens.classified:
        raise ScriptError(f"--pool cls: {name} has no class token; use --pool mean")
    else:
        x = layers.Cropping1D((0, shape[1] - 1), name=_POOL)(features)
    return layers.Reshape((1, 1, shape[2]), name=_MAPS)(x)


def is_pooled(base: keras.Model) -> bool:
    """Whether a model's features were a vector or tokens before `maps`."""
    return base.layers[-1].name == _MAPS


_POOL, _MAPS = "tftl_pool", "tftl_maps"  # names of layers
