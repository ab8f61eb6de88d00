"""The trainable head: pooling, hidden layers of any width, and one output per class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from .share import Share


@dataclass(frozen=True)
class HeadKind:
    """A kind of head. Pooling is below the cut of stage `head`, so that less is cached."""

    pooling: str  # one of HEADS
    hidden: int  # ReLU layers before the output; `init` sets their widths


# Each pooling's default number of hidden layers. The output layer can use the mean (gap) or
# maximum (gmp) over the image directly; all activations are too many for that.
HEADS = {"flatten": 1, "gap": 0, "gmp": 0}


class Head:
    """The head's variables and its forward pass.

    Dimensions that depend on the number of classes or on a width are unknown in the graph, so
    that one export works for any. `initialize` sets them.
    """

    def __init__(self, kind: HeadKind, feature_shape: tuple[int, int, int]) -> None:
        """Take the backbone's output shape without the batch, (H, W, C)."""
        self.kind, self.feature_shape = kind, feature_shape
        height, width, channels = feature_shape
        self.inputs = height * width * channels if kind.pooling == "flatten" else channels
        self.layers = [f"hidden{i + 1}" for i in range(kind.hidden)] + ["output"]
        self.trainable: dict[str, tf.Variable] = {}
        rows: int | None = self.inputs
        for name in self.layers:
            for part, shape in (("kernel", [rows, None]), ("bias", [None])):
                self.trainable[f"{name}_{part}"] = tf.Variable(
                    tf.zeros([n or 1 for n in shape]), shape=shape, name=f"{name}_{part}"
                )
            rows = None
        # One number that divides the inputs. Pretrained features are large and uneven, and a head
        # on raw ones starts at a high loss and ends overconfident.
        self.feature_scale = tf.Variable(1.0, trainable=False, name="feature_scale")
        self.variables = {**self.trainable, "feature_scale": self.feature_scale}

    @property
    def kernels(self) -> list[str]:
        """The names of the variables that the L2 penalty covers."""
        return [f"{name}_kernel" for name in self.layers]

    @property
    def has_maps(self) -> bool:
        """Whether the features have places in the image, so that heat maps can show them."""
        return self.feature_shape[:2] != (1, 1)

    def to_json(self) -> dict[str, Any]:
        """The `head` object of tftl.json."""
        return {"pooling": self.kind.pooling, "hidden": self.kind.hidden, "inputs": self.inputs}

    def pool(self, features: tf.Tensor) -> tf.Tensor:
        """[N,H,W,C] to [N,inputs]."""
        if self.kind.pooling == "flatten":
            return tf.reshape(features, [-1, self.inputs])
        reduce = {"gap": tf.reduce_mean, "gmp": tf.reduce_max}[self.kind.pooling]
        return reduce(features, [1, 2])

    def initialize(
        self,
        classes: tf.Tensor,
        units: tf.Tensor,
        seed: tf.Tensor,
        feature_scale: tf.Tensor,
        output_scale: tf.Tensor,
    ) -> None:
        """Draw Glorot uniform kernels and zero biases, as Keras' Dense; units is [hidden].

        The output's kernel is multiplied by output_scale. With 0 the head starts without an
        opinion; random logits are noise that training never quite removes.
        """
        self.feature_scale.assign(feature_scale)
        rows = tf.constant(self.inputs)
        outputs = tf.where(tf.equal(classes, 2), 1, classes)
        seeds = tf.random.split(seed, len(self.layers))
        for i, name in enumerate(self.layers):
            columns = outputs if name == "output" else units[i]
            limit = tf.sqrt(6.0 / tf.cast(rows + columns, tf.float32))
            kernel = tf.random.stateless_uniform([rows, columns], seeds[i], -limit, limit)
            if name == "output":
                kernel *= output_scale
            self.trainable[f"{name}_kernel"].assign(kernel)
            self.trainable[f"{name}_bias"].assign(tf.zeros([columns]))
            rows = columns

    def logits(
        self,
        pooled: tf.Tensor,
        dropout: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
        share: Share | None = None,
    ) -> tf.Tensor:
        """[N,inputs] to [N,C]; dropout, a scalar rate, is applied before the output layer.

        A head for two classes has one output, the log-odds of the second class, as a sigmoid
        has. A zero for the first class is put before it, so that logits are always [N,C] and
        their softmax is (1 - sigmoid, sigmoid).
        """
        z = self._outputs(pooled, dropout, seed, share)
        lone = tf.cast(tf.equal(tf.shape(z)[1], 1), tf.int32)
        return tf.pad(z, [[0, 0], [lone, 0]])

    def score(self, pooled: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """[N,inputs] and the index of a class for each to [N], the logits of those classes.

        With two classes the first one's logit is always 0: its score is the other's, negated.
        """
        z = self._outputs(pooled)
        lone = tf.equal(tf.shape(z)[1], 1)
        z = tf.cond(lone, lambda: tf.concat([-z, z], axis=1), lambda: z)
        return tf.gather(z, label, batch_dims=1)

    def _outputs(
        self,
        pooled: tf.Tensor,
        dropout: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
        share: Share | None = None,
    ) -> tf.Tensor:
        x = pooled / self.feature_scale
        for name in self.layers[:-1]:
            x = tf.nn.relu(self._dense(name, x))
        if dropout is not None:
            x = _dropout(x, dropout, seed, share)
        return self._dense("output", x)

    def _dense(self, name: str, x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, self.trainable[f"{name}_kernel"]) + self.trainable[f"{name}_bias"]


def _dropout(
    x: tf.Tensor, rate: tf.Tensor, seed: tf.Tensor | None, share: Share | None
) -> tf.Tensor:
    """Inverted dropout whose mask depends on the seed alone; a rate of 0 changes nothing.

    A share of a batch gets its rows of the whole batch's mask.
    """

    def drop() -> tf.Tensor:
        if share:
            whole = tf.stack([share.examples, tf.shape(x)[1]])
            draws = tf.random.stateless_uniform(whole, seed)
            draws = tf.gather(draws, tf.maximum(share.rows, 0))
        else:
            draws = tf.random.stateless_uniform(tf.shape(x), seed)
        return tf.where(draws >= rate, x / (1.0 - rate), 0.0)

    return tf.cond(rate > 0, drop, lambda: x)
