"""The frozen part of stage `head` with its weights as constants, if that is faster.

TensorFlow folds BatchNorm into the convolution before it if the weights of both are constants, but
not if they are variables. Whether to do it follows from the layers and never from a timing, so
that exporting a network twice gives the same result. Measured on two cores in bfloat16, images per
second with variables and with constants: ResNet50 46 and 64, MobileNetV2 94 and 155,
EfficientNetB0 93 and 155; VGG16, which has no BatchNorm, 79 and 51.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from .network import Stage
from .signatures import Outputs, Signature

# The constants are stored in saved_model.pb too, and a protobuf must stay below 2 GB.
_LARGEST = 1 << 30


def pays(stage: Stage) -> bool:
    """Whether this stage should have its frozen part with constants too."""
    if stage.tail is not None or stage.stem is None:
        return False  # deeper stages run it a few times only, on the batches they train on
    size = sum(weight.value.shape.num_elements() * 4 for weight in stage.stem.weights)
    return size <= _LARGEST and _has_batch_norm(stage.stem)


def _has_batch_norm(layer: keras.Layer) -> bool:
    if isinstance(layer, keras.layers.BatchNormalization):
        return True
    return any(_has_batch_norm(inner) for inner in getattr(layer, "layers", ()))


def signatures(stage: Stage) -> dict[str, Signature]:
    """constant_features, and constants_hold: whether it still computes what `features` does."""
    images = tf.TensorSpec([None, *stage.image.size, 3], tf.float32, "images")
    features = tf.function(stage.frozen, autograph=False).get_concrete_function(images)
    frozen, names = convert_variables_to_constants_v2(features), sorted(features.structured_outputs)
    exported = tf.constant(_fingerprint(stage.stem).numpy())

    @tf.function(autograph=False, input_signature=[images])
    def constant_features(images: tf.Tensor) -> Outputs:
        return dict(zip(names, frozen(images), strict=True))

    @tf.function(autograph=False, input_signature=[])
    def constants_hold() -> Outputs:
        return {"hold": tf.reduce_all(tf.equal(_fingerprint(stage.stem), exported))}

    return {"constant_features": constant_features, "constants_hold": constants_hold}


def _fingerprint(stem: keras.Model) -> tf.Tensor:
    """An eight-byte hash of every bit of the weights below the cut."""
    values = [tf.bitcast(weight.value, tf.uint8) for weight in stem.weights]
    together = tf.concat([tf.reshape(value, [1, -1]) for value in values], axis=1)
    return tf.fingerprint(together)
