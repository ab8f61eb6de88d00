"""The variables of an export. Attribute names become checkpoint keys."""

from __future__ import annotations

import tensorflow as tf

from .head import Head
from .network import Network, Stage
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

    def saved(self, stage: Stage) -> dict[str, tf.Variable]:
        """What a stage can change, by the keys that a checkpoint of all variables has."""
        trained = [*stage.network, *stage.head.trainable]
        folders = {
            "network": stage.network,
            "head": self.head,
            "slots/first": {name: self.slots.first[name] for name in trained},
            "slots/second": {name: self.slots.second[name] for name in trained},
        }
        counters = {"step": self.step, "iterations": self.iterations, "seed": self.seed}
        variables = counters | {
            # TensorFlow doubles a dot in a name.
            f"{folder}/{name.replace('.', '..')}": variable
            for folder, named in folders.items()
            for name, variable in named.items()
        }
        return {f"{key}/.ATTRIBUTES/VARIABLE_VALUE": v for key, v in sorted(variables.items())}


def _counter(name: str) -> tf.Variable:
    return tf.Variable(0, dtype=tf.int64, trainable=False, name=name)
