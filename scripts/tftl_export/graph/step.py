"""One training step, alone or shared by the processes of a cluster."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from . import optimizers
from .network import Stage
from .share import Share
from .variables import TrainingVariables

Outputs = dict[str, tf.Tensor]


def _scalar(name: str, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec([], dtype, name)


_EXAMPLES = [
    tf.TensorSpec([None, None], tf.float32, "targets"),
    tf.TensorSpec([None], tf.float32, "weights"),
]
_SETTINGS = [
    _scalar("lr"),
    _scalar("optimizer", tf.int32),
    _scalar("momentum"),
    _scalar("weight_decay"),
    _scalar("l2"),
    _scalar("clip"),
    _scalar("dropout"),
]
_SHARE = [
    tf.TensorSpec([None], tf.int32, "rows"),
    _scalar("examples", tf.int32),
    _scalar("workers", tf.int32),
    _scalar("instance", tf.int32),
]


def step_signatures(
    stage: Stage, state: TrainingVariables, features_spec: tf.TensorSpec
) -> dict[str, Callable[..., Outputs]]:
    """`step`, and `step_shared` for the processes of a cluster."""

    @tf.function(autograph=False, input_signature=[features_spec, *_EXAMPLES, *_SETTINGS])
    def step(
        features: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, *settings: tf.Tensor
    ) -> Outputs:
        return _train(stage, state, (features, targets, weights), settings, None)

    @tf.function(autograph=False, input_signature=[features_spec, *_EXAMPLES, *_SETTINGS, *_SHARE])
    def step_shared(
        features: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, *rest: tf.Tensor
    ) -> Outputs:
        settings, share = rest[: len(_SETTINGS)], Share(*rest[len(_SETTINGS) :])
        return _train(stage, state, (features, targets, weights), settings, share)

    return {"step": step, "step_shared": step_shared}


def _train(
    stage: Stage,
    state: TrainingVariables,
    batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
    settings: tuple[tf.Tensor, ...],
    share: Share | None,
) -> Outputs:
    features, targets, weights = batch
    lr, optimizer, momentum, weight_decay, l2, clip, dropout = settings
    head = stage.head
    trained = {**stage.network, **head.trainable}
    with tf.GradientTape() as tape:
        # The mask depends on (seed, step) and the place in the batch alone, so that a resumed run
        # repeats exactly, and so does one with another number of processes.
        mask = tf.random.fold_in(state.seed, tf.cast(state.step, tf.int32))
        z = head.logits(stage.pooled(features), dropout, mask, share)
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, z)
        examples = share.examples if share else tf.shape(z)[0]
        # Divided by N, not by the sum of the weights: Keras' "sum over batch size".
        loss = tf.reduce_sum(losses * weights) / tf.cast(examples, tf.float32)
    # What nothing depends on, as a token for masked patches, has a gradient of zero, and that of an
    # embedding is not dense yet.
    gradients = {
        name: tf.convert_to_tensor(gradient)
        for name, gradient in tape.gradient(
            loss, trained, unconnected_gradients=tf.UnconnectedGradients.ZERO
        ).items()
    }
    outputs = {}
    if share:
        # What is not finite in one process is not finite in the sum, so all decide alike.
        names = list(gradients)
        loss, outputs["correct"], *sums = share.sum(
            [loss, share.correct(targets, z), *(gradients[name] for name in names)]
        )
        gradients = dict(zip(names, sums, strict=True))
    penalty, gradients = _penalize(l2, {name: trained[name] for name in head.kernels}, gradients)
    norm = tf.linalg.global_norm(list(gradients.values()))
    # A NaN in an input would look like 0, switched off, so the inputs are checked too.
    numbers = [loss, penalty, norm, lr, momentum, weight_decay, l2, clip, dropout]
    finite = tf.reduce_all(tf.math.is_finite(tf.stack(numbers)))

    def update() -> tf.Tensor:
        clipped = _clip(clip, norm, gradients)
        optimizers.decay_weights(weight_decay, trained, lr)
        iteration = state.iterations.assign_add(1)
        how = optimizers.Update(optimizer, iteration, lr, momentum)
        optimizers.apply(how, trained, clipped, state.slots)
        state.step.assign_add(1)
        return tf.constant(0)

    tf.cond(finite, update, lambda: tf.constant(0))
    return {"loss": loss, "penalty": penalty, "logits": z, "finite": finite, **outputs}


def _penalize(
    l2: tf.Tensor, kernels: dict[str, tf.Variable], gradients: dict[str, tf.Tensor]
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The L2 penalty of the kernels, and the gradients with that of the penalty, 2 l2 k, added."""

    def penalized() -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        squares = [tf.reduce_sum(tf.square(kernel)) for kernel in kernels.values()]
        added = {name: gradients[name] + 2.0 * l2 * kernels[name] for name in kernels}
        return l2 * tf.add_n(squares), {**gradients, **added}

    return tf.cond(l2 > 0, penalized, lambda: (tf.constant(0.0), dict(gradients)))


def _clip(
    largest: tf.Tensor, norm: tf.Tensor, gradients: dict[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """The gradients, scaled down if their global norm is larger than allowed."""

    def scaled() -> dict[str, tf.Tensor]:
        return {name: gradient * (largest / norm) for name, gradient in gradients.items()}

    return tf.cond((largest > 0) & (norm > largest), scaled, lambda: dict(gradients))
