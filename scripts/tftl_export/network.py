"""The backbone, cut at each depth into a frozen stem and a trainable tail."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from .head import Head
from .images import Input


@dataclass(frozen=True)
class Depth:
    """One stage: what is frozen, what is trained, and what passes between them.

    BatchNorm and all else run in inference mode always, in the tail too: with the small data
    sets of transfer learning the statistics of ImageNet are the better ones.
    """

    name: str
    layers: list[str]  # what this stage trains that the one before did not
    network: dict[str, tf.Variable]  # the backbone's variables that are trained
    feature_shape: list[int]  # without the batch
    stem: keras.Model | None  # below the cut; None where the cut is the network's input
    tail: keras.Model | None  # above it; None where the head's pooling lies below the cut
    image: Input
    head: Head

    def features(self, pixels: tf.Tensor) -> tf.Tensor:
        """The frozen part: pixels to what is cached."""
        x = self.image.preprocess_pixels(pixels)
        if self.stem is not None:
            x = self.stem(x, training=False)
        return self.head.pool(x) if self.tail is None else x

    def pooled(self, features: tf.Tensor) -> tf.Tensor:
        """The trained part of the backbone: features to the head's input."""
        if self.tail is None:
            return features
        return self.head.pool(self.tail(features, training=False))


class Network:
    """A Keras backbone behind its preprocessing, its variables by name, and its cuts."""

    def __init__(self, base: keras.Model, cuts: dict[str, str | None], image: Input):
        """For cuts see backbones.Backbone."""
        self.image = image
        self._base, self._cuts = base, cuts
        self.variables = _by_name(base.weights)
        self.trainable = _by_name(base.trainable_weights)
        self.feature_shape: tuple[int, int, int] = base.output.shape[1:]

    def forward(self, pixels: tf.Tensor) -> tf.Tensor:
        """Pixels to the backbone's output."""
        return self._base(self.image.preprocess_pixels(pixels), training=False)

    def depths(self, head: Head) -> list[Depth]:
        """The stages, shallow to deep, `head` first."""
        depths = [
            Depth(
                name="head",
                layers=head.layers,
                network={},
                feature_shape=[head.inputs],
                stem=self._base,
                tail=None,
                image=self.image,
                head=head,
            )
        ]
        trained = set()
        for name, cut in self._cuts.items():
            depths.append(self._depth(name, cut, trained, head))
            trained.update(depths[-1].layers)
        return depths

    def _depth(self, name: str, cut: str | None, trained: set[str], head: Head) -> Depth:
        base = self._base
        if cut is None:
            at, stem, tail = base.input, None, base
        else:
            at = base.get_layer(cut).output
            stem = keras.Model(base.input, at, name=f"below_{name}")
            tail = keras.Model(at, base.output, name=f"from_{name}")
        return Depth(
            name=name,
            layers=[
                layer.name
                for layer in tail.layers
                if not isinstance(layer, keras.layers.InputLayer) and layer.name not in trained
            ],
            network=_by_name(tail.trainable_weights),
            feature_shape=list(at.shape[1:]),
            stem=stem,
            tail=tail,
            image=self.image,
            head=head,
        )


def _by_name(variables: list[keras.Variable]) -> dict[str, tf.Variable]:
    """The tf.Variables within, which tf.Module tracks, under names that read well as keys."""
    return {variable.path.replace("/", "_"): variable.value for variable in variables}
