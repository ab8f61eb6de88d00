"""Optimizers as TensorFlow's own training kernels, which compute what Keras' classes do."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

OPTIMIZERS = ("adam", "sgd")  # the `optimizer` input of `step` is an index of these

# The defaults of keras.optimizers.Adam.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-7


class Slots(tf.Module):
    """Two moments for each variable, empty until the stage that trains it begins."""

    def __init__(self, names: Iterable[str]):
        """Make empty slots under the variables' names."""
        super().__init__()
        self.first = {name: _slot(f"{name}_first") for name in names}
        self.second = {name: _slot(f"{name}_second") for name in names}

    def reset(self, variables: dict[str, tf.Variable]) -> None:
        """Zeros of each variable's shape."""
        for name, variable in variables.items():
            zeros = tf.zeros_like(variable)
            self.first[name].assign(zeros)
            self.second[name].assign(zeros)


def _slot(name: str) -> tf.Variable:
    unknown = tf.TensorShape(None)
    return tf.Variable(tf.zeros([0]), shape=unknown, trainable=False, name=name)


def apply(
    optimizer: tf.Tensor,
    variables: dict[str, tf.Variable],
    gradients: dict[str, tf.Tensor],
    slots: Slots,
    iteration: tf.Tensor,
    lr: tf.Tensor,
    momentum: tf.Tensor,
) -> None:
    """Update the variables; iteration counts from 1 within the stage."""

    def adam() -> tf.Tensor:
        t = tf.cast(iteration, tf.float32)
        for name, variable in variables.items():
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=slots.first[name].handle,
                v=slots.second[name].handle,
                beta1_power=tf.pow(_BETA1, t),
                beta2_power=tf.pow(_BETA2, t),
                lr=lr,
                beta1=_BETA1,
                beta2=_BETA2,
                epsilon=_EPSILON,
                grad=gradients[name],
            )
        return tf.constant(0)

    def sgd() -> tf.Tensor:
        for name, variable in variables.items():
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.handle,
                accum=slots.first[name].handle,
                lr=lr,
                grad=gradients[name],
                momentum=momentum,
            )
        return tf.constant(0)

    tf.switch_case(optimizer, [adam, sgd])


def decay_weights(rate: tf.Tensor, variables: dict[str, tf.Variable], lr: tf.Tensor) -> None:
    """Decoupled weight decay, before the update, as Keras' `weight_decay`."""

    def decay() -> tf.Tensor:
        for variable in variables.values():
            variable.assign_sub(variable * rate * lr)
        return tf.constant(0)

    tf.cond(rate > 0, decay, lambda: tf.constant(0))
