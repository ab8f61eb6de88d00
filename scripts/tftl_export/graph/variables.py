"""The variables of an export. Attribute names become checkpoint keys."""

from __future__ import annotations

import tensorflow as tf

from .head import Head
from .network import Network
from .optimizers import Slots


class ServingVariables(tf.Module):
    """The variables of the serving MetaGraph: the network and the head."""

    def __init__(self, network: Network, head: Head) -> None:
        """Track the variables of the network and the head."""
        super().__init__()
        self.network = network.variables
        self.head = head.variables


class TrainingVariables(ServingVariables):
    """The variables of every training MetaGraph, so that a stage can start from the one before."""

    def __init__(self, network: Network, head: Head) -> None:
        """Add the optimizer slots of all stages, and the counters."""
        super().__init__(network, head)
        self.slots = Slots([*network.trainable, *head.trainable])
        self.step = _counter("step")
        self.iterations = _counter("iterations")
        self.seed = tf.Variable([0, 0], dtype=tf.int32, trainable=False, name="seed")


def _counter(name: str) -> tf.Variable:
    return tf.Variable(0, dtype=tf.int64, trainable=False, name=name)
