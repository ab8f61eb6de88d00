"""The frozen part of stage `head` with its weights as constants, if that is faster.

BatchNorm is folded into the convolution before it, with its bias. TensorFlow itself does so only
where the convolution has no bias. What is left is a bias, a sum and an activation, each computed in
TensorFlow's convolution, sums only if it knows that their shapes are the same. Whether to do all
this follows from the layers and never from a timing, so that exporting a network twice gives the
same result.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from .network import Stage
from .reading import Float, UnknownOperation
from .signatures import Outputs, Signature
from .writing import Writer

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
    exported = tf.constant(_fingerprint(stage.stem).numpy())
    folded = _folded(features)

    @tf.function(autograph=False, input_signature=[images])
    def constant_features(images: tf.Tensor) -> Outputs:
        return folded(images)

    @tf.function(autograph=False, input_signature=[])
    def constants_hold() -> Outputs:
        return {"hold": tf.reduce_all(tf.equal(_fingerprint(stage.stem), exported))}

    return {"constant_features": constant_features, "constants_hold": constants_hold}


def _folded(features: tf.types.experimental.ConcreteFunction) -> Signature:
    """What computes the same with constants."""
    try:
        source = Float(features)
    except UnknownOperation:
        frozen, names = convert_variables_to_constants_v2(features), features.structured_outputs
        return lambda images: dict(zip(sorted(names), frozen(images), strict=True))
    graph = graph_pb2.GraphDef()
    outputs = Writer(source, source.steps(lambda _: True), graph, "").outputs()
    tensors = [name if ":" in name else f"{name}:0" for name in outputs.values()]

    def folded(images: tf.Tensor) -> Outputs:
        # TensorFlow takes nothing for granted of the shape of what it is fed.
        shaped = tf.ensure_shape(images, images.shape)
        results = tf.graph_util.import_graph_def(graph, {"images:0": shaped}, tensors, name="")
        return dict(zip(outputs, results, strict=True))

    return folded


def _fingerprint(stem: keras.Model) -> tf.Tensor:
    """An eight-byte hash of every bit of the weights below the cut."""
    values = [tf.bitcast(weight.value, tf.uint8) for weight in stem.weights]
    together = tf.concat([tf.reshape(value, [1, -1]) for value in values], axis=1)
    return tf.fingerprint(together)
