"""The signatures that Go calls. savedmodels/README.md gives their shapes and meaning."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from .decision import accepted
from .head import Head
from .images import Input
from .network import Network, Stage
from .novelty import novelty
from .step import step_signatures
from .variables import TrainingVariables

Outputs = dict[str, tf.Tensor]
Signature = Callable[..., Outputs]  # a tf.function


def _scalar(name: str, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec([], dtype, name)


def _images(image: Input) -> tf.TensorSpec:
    return tf.TensorSpec([None, *image.size, 3], tf.float32, "images")


def training_signatures(stage: Stage, state: TrainingVariables) -> dict[str, Signature]:
    """All signatures of one stage but those of its frozen part with constants."""
    head = stage.head
    features_spec = tf.TensorSpec([None, *stage.feature_shape], tf.float32, "features")
    trained = {**stage.network, **head.trainable}

    @tf.function(
        autograph=False,
        input_signature=[
            _scalar("classes", tf.int32),
            tf.TensorSpec([head.kind.hidden], tf.int32, "units"),
            tf.TensorSpec([2], tf.int32, "seed"),
            _scalar("feature_scale"),
            _scalar("output_scale"),
        ],
    )
    def init(
        classes: tf.Tensor,
        units: tf.Tensor,
        seed: tf.Tensor,
        feature_scale: tf.Tensor,
        output_scale: tf.Tensor,
    ) -> Outputs:
        head.initialize(classes, units, seed, feature_scale, output_scale)
        state.seed.assign(seed)
        return {"step": state.step.assign(0)}

    @tf.function(autograph=False, input_signature=[])
    def begin() -> Outputs:
        state.slots.reset(trained)
        state.iterations.assign(0)
        return {"step": state.step.read_value()}

    @tf.function(autograph=False, input_signature=[_images(stage.image)])
    def features(images: tf.Tensor) -> Outputs:
        return stage.frozen(images)

    @tf.function(autograph=False, input_signature=[features_spec])
    def head_inputs(features: tf.Tensor) -> Outputs:
        return {"inputs": stage.pooled(features)}

    @tf.function(autograph=False, input_signature=[features_spec])
    def logits(features: tf.Tensor) -> Outputs:
        return {"logits": head.logits(stage.pooled(features))}

    @tf.function(autograph=False, input_signature=[_scalar("prefix", tf.string)])
    def save(prefix: tf.Tensor) -> Outputs:
        saved = state.saved(stage)
        written = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(saved),
            shape_and_slices=[""] * len(saved),
            tensors=[variable.read_value() for variable in saved.values()],
        )
        with tf.control_dependencies([written]):  # TensorFlow does not add this one by itself
            return {"step": state.step.read_value()}

    return {
        "init": init,
        "begin": begin,
        "features": features,
        "head_inputs": head_inputs,
        "logits": logits,
        "save": save,
        **({"explain": _explain(stage, features_spec)} if head.has_maps else {}),
        **step_signatures(stage, state, features_spec),
    }


_LABEL = tf.TensorSpec([None], tf.int32, "label")


def _explain(stage: Stage, features_spec: tf.TensorSpec) -> Signature:
    """The heat maps of a stage's features, or of the maps that its features lose."""
    maps_spec = tf.TensorSpec([None, *stage.head.feature_shape], tf.float32, "maps")

    @tf.function(autograph=False, input_signature=[maps_spec, _LABEL])
    def of_maps(maps: tf.Tensor, label: tf.Tensor) -> Outputs:
        return {"heatmap": _grad_cam(maps, label, stage.head)}

    @tf.function(autograph=False, input_signature=[features_spec, _LABEL])
    def of_features(features: tf.Tensor, label: tf.Tensor) -> Outputs:
        return {"heatmap": _grad_cam(stage.maps(features), label, stage.head)}

    return of_maps if stage.loses_maps else of_features


def serving_signatures(network: Network, head: Head) -> dict[str, Signature]:
    """serving_default for pixels, serving_bytes for encoded images, explain for heat maps."""
    image = network.image

    def outputs(pixels: tf.Tensor) -> Outputs:
        maps = network.forward(pixels)
        pooled = head.pool(maps)
        z, new = head.logits(pooled), novelty(maps, pooled, head)
        return {
            "probabilities": tf.nn.softmax(z),
            "logits": z,
            "novelty": new,
            "accepted": accepted(z) & (new <= 1),
        }

    @tf.function(autograph=False, input_signature=[_images(image)])
    def serving_default(images: tf.Tensor) -> Outputs:
        return outputs(images)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, "bytes")])
    def serving_bytes(bytes: tf.Tensor) -> Outputs:
        return outputs(image.decode_batch(bytes))

    @tf.function(autograph=False, input_signature=[_images(image), _LABEL])
    def explain(images: tf.Tensor, label: tf.Tensor) -> Outputs:
        return {"heatmap": _grad_cam(network.forward(images), label, head)}

    return {
        "serving_default": serving_default,
        "serving_bytes": serving_bytes,
        **({"explain": explain} if head.has_maps else {}),
    }


def _grad_cam(maps: tf.Tensor, label: tf.Tensor, head: Head) -> tf.Tensor:
    """The Grad-CAM heat map (Selvaraju et al. 2017) of the last feature maps, [N,h,w], up to 1.

    Each map is weighted by the mean over it of the score's gradient. Evidence against the class is
    left out.
    """
    with tf.GradientTape() as tape:
        tape.watch(maps)
        score = head.score(head.pool(maps), label)
    importance = tf.reduce_mean(tape.gradient(score, maps), axis=[1, 2], keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(importance * maps, axis=-1))
    return tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=[1, 2], keepdims=True))
