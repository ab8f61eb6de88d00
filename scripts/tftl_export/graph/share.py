"""The share of a batch that a process of a cluster has, and the sums over all of them."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

# Every process joins one group of collective operations.
_GROUP = 1


@dataclass(frozen=True)
class Share:
    """Which part of a batch this process has, and with whom it shares the batch."""

    rows: tf.Tensor  # [n], the places of its examples in the whole batch; -1 for one that fills up
    examples: tf.Tensor  # of the whole batch
    workers: tf.Tensor  # number of processes
    instance: tf.Tensor  # tells collective operations of different shapes apart

    def correct(self, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """The number of examples whose largest logit is that of their largest target."""
        right = tf.equal(tf.argmax(logits, axis=1), tf.argmax(targets, axis=1))
        return tf.reduce_sum(tf.cast(right & (self.rows >= 0), tf.float32))

    def sum(self, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        """The sums of each tensor over all processes, by one collective operation."""
        flat = [tf.reshape(tensor, [-1]) for tensor in tensors]
        total = tf.raw_ops.CollectiveReduceV2(
            input=tf.concat(flat, axis=0),
            group_size=self.workers,
            group_key=_GROUP,
            instance_key=self.instance,
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
            # Whoever drives the steps watches the other processes.
            timeout_seconds=0.0,
        )
        parts = tf.split(total, tf.stack([tf.size(part) for part in flat]), num=len(flat))
        return [
            tf.reshape(part, tf.shape(tensor)) for part, tensor in zip(parts, tensors, strict=True)
        ]
