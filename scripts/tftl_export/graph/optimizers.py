"""Optimizers made of TensorFlow's training kernels, which compute what Keras' classes do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import tensorflow as tf

# The `optimizer` input of `step` is an index into these, so append new ones.
OPTIMIZERS = ("adam", "sgd", "rmsprop", "adamw", "nesterov")

# The defaults of keras.optimizers.Adam and RMSprop.
_BETA1, _BETA2, _RHO, _EPSILON = 0.9, 0.999, 0.9, 1e-7


class Slots(tf.Module):
    """Two moments for each variable, empty until a stage that trains it begins."""

    def __init__(self, names: Iterable[str]) -> None:
        """Make empty slots, named after the variables."""
        super().__init__()
        self.first = {name: _slot(f"{name}_first") for name in names}
        self.second = {name: _slot(f"{name}_second") for name in names}

    def reset(self, variables: dict[str, tf.Variable]) -> None:
        """Set the slots of these variables to zeros of their shapes."""
        for name, variable in variables.items():
            zeros = tf.zeros_like(variable)
            self.first[name].assign(zeros)
            self.second[name].assign(zeros)


def _slot(name: str) -> tf.Variable:
    unknown = tf.TensorShape(None)
    return tf.Variable(tf.zeros([0]), shape=unknown, trainable=False, name=name)


@dataclass(frozen=True)
class Update:
    """What an update depends on besides the gradients, as scalar tensors."""

    optimizer: tf.Tensor  # index into OPTIMIZERS
    iteration: tf.Tensor  # 1 in the first step of a stage
    lr: tf.Tensor
    momentum: tf.Tensor


def apply(
    update: Update,
    variables: dict[str, tf.Variable],
    gradients: dict[str, tf.Tensor],
    slots: Slots,
) -> None:
    """Update the variables and their slots."""
    lr, momentum = update.lr, update.momentum

    def adam() -> tf.Tensor:
        t = tf.cast(update.iteration, tf.float32)
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
        "adamw": adam,  # the difference is decay_weights
        "nesterov": lambda: sgd(nesterov=True),
    }
    tf.switch_case(update.optimizer, [branches[name] for name in OPTIMIZERS])


def decay_weights(rate: tf.Tensor, variables: dict[str, tf.Variable], lr: tf.Tensor) -> None:
    """Decay the weights before the update, decoupled from it, as Keras' `weight_decay` does."""

    def decay() -> tf.Tensor:
        for variable in variables.values():
            variable.assign_sub(variable * rate * lr)
        return tf.constant(0)

    tf.cond(rate > 0, decay, lambda: tf.constant(0))
