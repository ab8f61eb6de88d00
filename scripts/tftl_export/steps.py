"""The signatures: what Go calls. Shapes and meanings stand in savedmodels/README.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from . import optimizers
from .head import Head
from .images import Input
from .network import Depth, Network

if TYPE_CHECKING:
    from .contract import Training


def _scalar(name: str, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec([], dtype, name)


def _images(image: Input) -> tf.TensorSpec:
    return tf.TensorSpec([None, *image.size, 3], tf.float32, "images")


def training_signatures(depth: Depth, state: Training, image: Input, head: Head) -> dict:
    """init, begin, features, step and logits of one stage."""
    features_spec = tf.TensorSpec([None, *depth.feature_shape], tf.float32, "features")
    trained = {**depth.network, **head.variables}

    @tf.function(
        autograph=False,
        input_signature=[
            _scalar("classes", tf.int32),
            _scalar("units", tf.int32),
            tf.TensorSpec([2], tf.int32, "seed"),
        ],
    )
    def init(classes, units, seed):
        head.initialize(classes, units, seed)
        state.seed.assign(seed)
        return {"step": state.step.assign(0)}

    @tf.function(autograph=False, input_signature=[])
    def begin():
        state.slots.reset(trained)
        state.iterations.assign(0)
        return {"step": state.step.read_value()}

    @tf.function(autograph=False, input_signature=[_images(image)])
    def features(images):
        return {"features": depth.features(images)}

    @tf.function(autograph=False, input_signature=[features_spec])
    def logits(features):
        return {"logits": head.logits(depth.pooled(features))}

    @tf.function(
        autograph=False,
        input_signature=[
            features_spec,
            tf.TensorSpec([None, None], tf.float32, "targets"),
            tf.TensorSpec([None], tf.float32, "weights"),
            _scalar("lr"),
            _scalar("optimizer", tf.int32),
            _scalar("momentum"),
            _scalar("weight_decay"),
            _scalar("l2"),
            _scalar("clip"),
            _scalar("dropout"),
        ],
    )
    def step(features, targets, weights, lr, optimizer, momentum, weight_decay, l2, clip, dropout):
        with tf.GradientTape() as tape:
            # The mask of a step follows from (seed, step), so that a resumed run is the same run.
            mask = tf.random.fold_in(state.seed, tf.cast(state.step, tf.int32))
            z = head.logits(depth.pooled(features), dropout, mask)
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, z)
            # Division by N whatever the weights sum to: Keras' "sum over batch size".
            loss = tf.reduce_sum(losses * weights) / tf.cast(tf.shape(z)[0], tf.float32)
        gradients = tape.gradient(loss, trained)
        penalty, gradients = _penalize(
            l2, {name: trained[name] for name in head.kernels}, gradients
        )
        norm = tf.linalg.global_norm(list(gradients.values()))
        # A switch that is not a number would pass for one that is off: it stops the step too.
        numbers = [loss, penalty, norm, lr, momentum, weight_decay, l2, clip, dropout]
        finite = tf.reduce_all(tf.math.is_finite(tf.stack(numbers)))

        def update():
            clipped = _clip(clip, norm, gradients)
            optimizers.decay_weights(weight_decay, trained, lr)
            iteration = state.iterations.assign_add(1)
            optimizers.apply(optimizer, trained, clipped, state.slots, iteration, lr, momentum)
            state.step.assign_add(1)
            return tf.constant(0)

        tf.cond(finite, update, lambda: tf.constant(0))
        return {"loss": loss, "penalty": penalty, "logits": z, "finite": finite}

    return {"init": init, "begin": begin, "features": features, "step": step, "logits": logits}


def _penalize(
    l2: tf.Tensor, kernels: dict[str, tf.Variable], gradients: dict[str, tf.Tensor]
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """L2 of the kernels, and the gradients with its own, 2 l2 k, added."""

    def penalized():
        squares = [tf.reduce_sum(tf.square(kernel)) for kernel in kernels.values()]
        added = {name: gradients[name] + 2.0 * l2 * kernels[name] for name in kernels}
        return l2 * tf.add_n(squares), {**gradients, **added}

    return tf.cond(l2 > 0, penalized, lambda: (tf.constant(0.0), dict(gradients)))


def _clip(
    largest: tf.Tensor, norm: tf.Tensor, gradients: dict[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """The gradients, scaled down to the largest global norm where theirs is above it."""

    def scaled():
        return {name: gradient * (largest / norm) for name, gradient in gradients.items()}

    return tf.cond((largest > 0) & (norm > largest), scaled, lambda: dict(gradients))


def serving_signatures(network: Network, head: Head) -> dict:
    """serving_default takes pixels, serving_bytes encoded images; explain says where a class is."""
    image = network.image

    def outputs(pixels: tf.Tensor) -> dict:
        z = head.logits(head.pool(network.forward(pixels)))
        return {"probabilities": tf.nn.softmax(z), "logits": z}

    @tf.function(autograph=False, input_signature=[_images(image)])
    def serving_default(images):
        return outputs(images)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, "bytes")])
    def serving_bytes(bytes):
        return outputs(image.decode_batch(bytes))

    label = tf.TensorSpec([None], tf.int32, "label")

    @tf.function(autograph=False, input_signature=[_images(image), label])
    def explain(images, label):
        return {"heatmap": _grad_cam(network.forward(images), label, head)}

    return {
        "serving_default": serving_default,
        "serving_bytes": serving_bytes,
        "explain": explain,
    }


def _grad_cam(maps: tf.Tensor, label: tf.Tensor, head: Head) -> tf.Tensor:
    """Grad-CAM (Selvaraju et al. 2017) of the last feature maps, [N,h,w]; 1 where it is largest.

    Each map is weighted by the mean of the score's gradient on it; what speaks against the class
    is left out.
    """
    with tf.GradientTape() as tape:
        tape.watch(maps)
        score = head.score(head.pool(maps), label)
    importance = tf.reduce_mean(tape.gradient(score, maps), axis=[1, 2], keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(importance * maps, axis=-1))
    return tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=[1, 2], keepdims=True))
