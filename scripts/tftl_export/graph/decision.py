"""Which images the served model answers. Go writes the numbers when it has chosen them."""

from __future__ import annotations

import tensorflow as tf

# The constant's name in the function of each serving signature, and its values in an export:
# temperature, threshold of the second of two classes, lowest confidence that is answered.
DECISION = "tftl_decision"
EVERYTHING = (1.0, 0.5, 0.0)


def accepted(logits: tf.Tensor) -> tf.Tensor:
    """Whether each image is answered: its confidence is at least the decision's.

    The confidence is the largest probability at the temperature. Of two classes the odds are
    shifted before, so that the threshold lies at one half.
    """
    decision = tf.constant(EVERYTHING, tf.float32, name=DECISION)
    temperature, threshold, least = tf.unstack(decision)
    classes = tf.shape(logits)[1]
    first = tf.one_hot(0, classes)
    two = tf.cast(tf.equal(classes, 2), tf.float32)
    weights = 1 - two + two * (first * threshold + (1 - first) * (1 - threshold))
    shifted = tf.nn.softmax(logits / temperature) * weights
    total = tf.reduce_sum(shifted, axis=1)
    confidence = tf.where(total > 0, tf.reduce_max(shifted, axis=1) / total, 0.5)
    return confidence >= least
