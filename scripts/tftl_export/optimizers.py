"""Optimizers as TensorFlow's own training kernels, which compute what Keras' classes do."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

# The `optimizer` input of `step` is an index of these, so new ones go to the end.
OPTIMIZERS = ("adam", "sgd", "rmsprop", "adamw", "nesterov")

# The defaults of keras.optimizers.Adam and RMSprop.
_BETA1, _BETA2, _RHO, _EPSILON = 0.9, 0.999, 0.9, 1e-7


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

    def sgd(nesterov: bool = False) -> tf.Tensor:
        for name, variable in variables.items():
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.handle,
                accum=slots.first[name].handle,
                lr=lr,
                grad=gradients[name],
                momentum=momentum,
                use_nesterov=nesterov,
            )
        return tf.constant(0)

    def rmsprop() -> tf.Tensor:
        for name, variable in variables.items():
            tf.raw_ops.ResourceApplyRMSProp(
                var=variable.handle,
                ms=slots.second[name].handle,
                mom=slots.first[name].handle,
                lr=lr,
                rho=_RHO,
                momentum=momentum,
                epsilon=_EPSILON,
                grad=gradients[name],
            )
        return tf.constant(0)

    branches = {
        "adam": adam,
        "sgd": sgd,
        "rmsprop": rmsprop,
        "adamw": adam,  # the decay, decay_weights, is all that tells them apart
        "nesterov": lambda: sgd(nesterov=True),
    }
    tf.switch_case(optimizer, [branches[name] for name in OPTIMIZERS])


def decay_weights(rate: tf.Tensor, variables: dict[str, tf.Variable], lr: tf.Tensor) -> None:
    """Decoupled weight decay, before the update, as Keras' `weight_decay`."""

    def decay() -> tf.Tensor:
        for variable in variables.values():
            variable.assign_sub(variable * rate * lr)
        return tf.constant(0)

    tf.cond(rate > 0, decay, lambda: tf.constant(0))
