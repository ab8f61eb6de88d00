"""The trainable head: pooling, hidden layers of free width, one output a class."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class HeadKind:
    """A kind of head. Pooling lies below the `head` cut, so that little is cached."""

    pooling: str  # one of HEADS
    hidden: int  # relu layers before the output; all are `units` wide


# How many hidden layers each pooling has where nobody says: all activations are many and
# want one, their mean (gap) or maximum (gmp) over the image is what an output layer can use.
HEADS = {"flatten": 1, "gap": 0, "gmp": 0}


class Head:
    """The head's variables and its forward pass.

    Their shapes are unknown where the number of classes or the width comes in, so that one
    export serves any: `initialize` gives them their size.
    """

    def __init__(self, kind: HeadKind, feature_shape: tuple[int, int, int]):
        """feature_shape is the backbone's output without the batch: (H, W, C)."""
        self.kind = kind
        height, width, channels = feature_shape
        self.inputs = height * width * channels if kind.pooling == "flatten" else channels
        self.layers = [f"hidden{i + 1}" for i in range(kind.hidden)] + ["output"]
        self.variables: dict[str, tf.Variable] = {}
        rows = self.inputs
        for name in self.layers:
            for part, shape in (("kernel", [rows, None]), ("bias", [None])):
                self.variables[f"{name}_{part}"] = tf.Variable(
                    tf.zeros([n or 1 for n in shape]), shape=shape, name=f"{name}_{part}"
                )
            rows = None

    @property
    def kernels(self) -> list[str]:
        """The names of the variables that L2 is taken of."""
        return [f"{name}_kernel" for name in self.layers]

    def to_json(self) -> dict:
        """The `head` object of tftl.json."""
        return {"pooling": self.kind.pooling, "hidden": self.kind.hidden, "inputs": self.inputs}

    def pool(self, features: tf.Tensor) -> tf.Tensor:
        """[N,H,W,C] to [N,inputs]."""
        if self.kind.pooling == "flatten":
            return tf.reshape(features, [-1, self.inputs])
        reduce = {"gap": tf.reduce_mean, "gmp": tf.reduce_max}[self.kind.pooling]
        return reduce(features, [1, 2])

    def initialize(self, classes: tf.Tensor, units: tf.Tensor, seed: tf.Tensor) -> None:
        """Glorot uniform kernels and zero biases, as Keras' Dense."""
        rows = tf.constant(self.inputs)
        outputs = tf.where(tf.equal(classes, 2), 1, classes)
        seeds = tf.random.split(seed, len(self.layers))
        for i, name in enumerate(self.layers):
            columns = outputs if name == "output" else units
            limit = tf.sqrt(6.0 / tf.cast(rows + columns, tf.float32))
            kernel = tf.random.stateless_uniform([rows, columns], seeds[i], -limit, limit)
            self.variables[f"{name}_kernel"].assign(kernel)
            self.variables[f"{name}_bias"].assign(tf.zeros([columns]))
            rows = columns

    def logits(
        self,
        pooled: tf.Tensor,
        dropout: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """[N,inputs] to [N,C]; dropout, a scalar rate, comes before the output layer.

        Two classes have one output, the second's log-odds: a sigmoid's logit. It is padded
        with a zero for the first, so that logits are [N,C] always and the softmax of them is
        (1 - sigmoid, sigmoid).
        """
        z = self._outputs(pooled, dropout, seed)
        lone = tf.cast(tf.equal(tf.shape(z)[1], 1), tf.int32)
        return tf.pad(z, [[0, 0], [lone, 0]])

    def score(self, pooled: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """[N,inputs] and the index of a class each to [N]: its logit.

        The first of two classes has none that changes: its score is the other's, negated.
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
    ) -> tf.Tensor:
        x = pooled
        for name in self.layers[:-1]:
            x = tf.nn.relu(self._dense(name, x))
        if dropout is not None:
            x = _dropout(x, dropout, seed)
        return self._dense("output", x)

    def _dense(self, name: str, x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, self.variables[f"{name}_kernel"]) + self.variables[f"{name}_bias"]


def _dropout(x: tf.Tensor, rate: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Inverted dropout whose mask depends on the seed alone; nothing where rate is 0."""

    def drop() -> tf.Tensor:
        kept = tf.random.stateless_uniform(tf.shape(x), seed) >= rate
        return tf.where(kept, x / (1.0 - rate), 0.0)

    return tf.cond(rate > 0, drop, lambda: x)
