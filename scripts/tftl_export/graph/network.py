"""The backbone, cut for each stage into a frozen part and a trainable part."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from .head import Head
from .images import Input


@dataclass(frozen=True)
class Stage:
    """What a stage freezes, what it trains, and the features that pass between the two.

    All layers run in inference mode, the trainable ones too. Transfer learning has little data,
    and BatchNorm's statistics from ImageNet are better than those of a few images.
    """

    name: str
    layers: list[str]  # that this stage trains and the one before did not
    network: dict[str, tf.Variable]  # variables of the backbone that it trains
    feature_shape: list[int]  # without the batch
    stem: keras.Model | None  # below the cut; None if the cut is the network's input
    tail: keras.Model | None  # above the cut; None if the cut is above the head's pooling
    image: Input
    head: Head

    @property
    def loses_maps(self) -> bool:
        """Whether pooling leaves features that do not tell the network's last feature maps."""
        pooled = self.tail is None and self.head.kind.pooling != "flatten"
        return pooled and self.head.has_maps

    def frozen(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """The frozen part: pixels to the features that are cached, and to the maps they lose."""
        x = self.image.preprocess_pixels(pixels)
        return self.cached(x if self.stem is None else self.stem(x, training=False))

    def cached(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """The activations at the cut to what `frozen` returns."""
        features = self.head.pool(x) if self.tail is None else x
        return {"features": features, "maps": x} if self.loses_maps else {"features": features}

    def maps(self, features: tf.Tensor) -> tf.Tensor:
        """Features to the network's last feature maps, unless it loses them."""
        if self.tail is None:
            return tf.reshape(features, [-1, *self.head.feature_shape])
        return self.tail(features, training=False)

    def pooled(self, features: tf.Tensor) -> tf.Tensor:
        """The trainable part of the backbone: features to the head's input."""
        if self.tail is None:
            return features
        return self.head.pool(self.tail(features, training=False))


class Network:
    """A Keras backbone with its preprocessing, its variables by name, and its cuts."""

    def __init__(self, base: keras.Model, cuts: dict[str, str | None], image: Input) -> None:
        """Take the cuts as table.Backbone describes them."""
        self.image = image
        self._base, self._cuts = base, cuts
        self.variables = _by_name(base.weights)
        self.trainable = _by_name(base.trainable_weights)
        self.feature_shape: tuple[int, int, int] = base.output.shape[1:]

    def forward(self, pixels: tf.Tensor) -> tf.Tensor:
        """Pixels to the backbone's output."""
        return self._base(self.image.preprocess_pixels(pixels), training=False)

    def frozen(self, stages: list[Stage], pixels: tf.Tensor) -> dict[tuple[str, str], tf.Tensor]:
        """What `frozen` of several stages returns, by the stage's name and the output's."""
        outputs = {stage.name: stage.stem.output for stage in stages if stage.stem is not None}
        cuts = keras.Model(self._base.input, outputs)(
            self.image.preprocess_pixels(pixels), training=False
        )
        return {
            (stage.name, name): tensor
            for stage in stages
            if stage.name in cuts
            for name, tensor in stage.cached(cuts[stage.name]).items()
        }

    def stages(self, head: Head) -> list[Stage]:
        """The stages, from shallow to deep; `head` comes first."""
        stages = [
            Stage(
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
        trained: set[str] = set()
        for name, cut in self._cuts.items():
            stages.append(self._stage(name, cut, trained, head))
            trained.update(stages[-1].layers)
        return stages

    def _stage(self, name: str, cut: str | None, trained: set[str], head: Head) -> Stage:
        base = self._base
        if cut is None:
            at, stem, tail = base.input, None, base
        else:
            at = base.get_layer(cut).output
            stem = keras.Model(base.input, at, name=f"below_{name}")
            tail = keras.Model(at, base.output, name=f"from_{name}")
        return Stage(
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
    """The tf.Variables inside Keras' variables, which tf.Module tracks, by readable names."""
    return {variable.path.replace("/", "_"): variable.value for variable in variables}
