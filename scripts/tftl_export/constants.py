"""The frozen part of the `head` stage with its weights as constants, where that is the faster.

TensorFlow folds BatchNorm into the convolutions before it once their weights are constants, and
not while they are variables. What is faster follows from the layers, never from a timing, so
that two exports of one network are the same. Measured on two cores, bfloat16, images a second
with variables and with constants: ResNet50 46 and 64, MobileNetV2 94 and 155, EfficientNetB0 93
and 155; VGG16, which has no BatchNorm, 79 and 51.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from .network import Depth

# Constants are in saved_model.pb once more, which a protobuf keeps below 2 GB in all.
_LARGEST = 1 << 30


def pay(depth: Depth) -> bool:
    """Whether the frozen part of this stage is worth having as constants too."""
    if depth.tail is not None:
        return False  # deeper stages are run a few times, on batches that are trained on
    size = sum(weight.value.shape.num_elements() * 4 for weight in depth.stem.weights)
    return size <= _LARGEST and _has_batch_norm(depth.stem)


def _has_batch_norm(layer: keras.Layer) -> bool:
    if isinstance(layer, keras.layers.BatchNormalization):
        return True
    return any(_has_batch_norm(inner) for inner in getattr(layer, "layers", ()))


def signatures(depth: Depth) -> dict:
    """constant_features, and constants_hold: whether it still is what `features` computes."""
    images = tf.TensorSpec([None, *depth.image.size, 3], tf.float32, "images")
    features = tf.function(depth.features, autograph=False).get_concrete_function(images)
    frozen = convert_variables_to_constants_v2(features)
    exported = tf.constant(_fingerprint(depth).numpy())

    @tf.function(autograph=False, input_signature=[images])
    def constant_features(images):
        return {"features": frozen(images)[0]}

    @tf.function(autograph=False, input_signature=[])
    def constants_hold():
        return {"hold": tf.reduce_all(tf.equal(_fingerprint(depth), exported))}

    return {"constant_features": constant_features, "constants_hold": constants_hold}


def _fingerprint(depth: Depth) -> tf.Tensor:
    """Eight bytes that stand for all weights below the cut, to the bit."""
    values = [tf.bitcast(weight.value, tf.uint8) for weight in depth.stem.weights]
    together = tf.concat([tf.reshape(value, [1, -1]) for value in values], axis=1)
    return tf.fingerprint(together)
