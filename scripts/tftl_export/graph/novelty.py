"""How unlike the training images an image is. Go writes the numbers when it has learnt them."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from .head import Head

# The constant's name in the function of each serving signature. It has a row for each class that
# was trained on, none in an export: the mean direction of the class's features, and the distance
# that most familiar images keep.
NOVELTY = "tftl_novelty"


def novelty(maps: tf.Tensor, pooled: tf.Tensor, head: Head) -> tf.Tensor:
    """The cosine distance of each image's features from the nearest class; 0 without classes.

    The features are the head's inputs, or the mean over the image if the head flattens maps.
    """
    features = tf.reduce_mean(maps, [1, 2]) if head.kind.pooling == "flatten" else pooled
    directions = tf.math.l2_normalize(features, 1)
    width = head.feature_shape[-1]
    none = tf.constant(np.zeros((0, width + 1)), tf.float32, name=NOVELTY)
    # Hides how many there are in an export from whatever infers shapes.
    classes = tf.raw_ops.PlaceholderWithDefault(input=none, shape=[None, width + 1])

    # A product of matrices would be faster, but in bfloat16 it loses what small distances say.
    def nearer(k: tf.Tensor, nearest: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        apart = tf.math.squared_difference(directions, classes[k, :width])
        return k + 1, tf.minimum(nearest, tf.reduce_sum(apart, 1) / 2 / classes[k, width])

    far = tf.fill([tf.shape(directions)[0]], math.inf)
    known, nearest = tf.while_loop(lambda k, _: k < tf.shape(classes)[0], nearer, (0, far))
    return tf.where(known > 0, nearest, 0.0)
