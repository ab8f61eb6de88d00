"""The MetaGraph with the frozen parts in int8."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, TensorInfo

from ..graph.images import Input
from ..graph.network import Network, Stage
from ..graph.reading import Float, UnknownOperation
from .planning import Plan
from .writing import Int8, Measuring

TAGS = ("features", "int8")
MEASURE = "measure"  # the signature beside those of the stages
# With less of its multiplications in int8, a network would gain little.
_ENOUGH = 0.6


class Int8Part:
    """The frozen parts of a network in int8, as far as there are operations for it."""

    def __init__(self, network: Network, stages: list[Stage]) -> None:
        """Find out what can be computed in int8."""
        images = tf.TensorSpec([None, *network.image.size, 3], tf.float32, "images")

        @tf.function(autograph=False, input_signature=[images])
        def frozen(images: tf.Tensor) -> dict[str, tf.Tensor]:
            parts = network.frozen(stages, images)
            return {f"{stage}/{name}": tensor for (stage, name), tensor in parts.items()}

        self._image = network.image
        self.share = 0.0  # of the network's multiplications
        try:
            self.plan = Plan(Float(frozen.get_concrete_function()))
        except UnknownOperation:
            return
        self.share = round(self.plan.multiplications / max(1, self.plan.possible), 4)

    def metagraphs(self) -> list[MetaGraphDef]:
        """The MetaGraph, or none if it would not be worth it."""
        return [_metagraph(self.plan, self._image)] if self.share >= _ENOUGH else []


def _metagraph(plan: Plan, image: Input) -> MetaGraphDef:
    """The graphs of a plan, in int8 and for measuring ranges."""
    meta = MetaGraphDef()
    meta.meta_info_def.tags[:] = TAGS
    meta.meta_info_def.tensorflow_version = tf.__version__
    graph, count = meta.graph_def, len(plan.measured)
    with tf.Graph().as_default() as inputs:
        tf.compat.v1.placeholder(tf.float32, [None, *image.size, 3], "images")
        ranges = tf.compat.v1.placeholder(tf.float32, [count], "ranges")
        tf.zeros([], name="zero")
        tf.raw_ops.Unpack(value=ranges, num=count, name="tops")
        tf.raw_ops.Unpack(value=-ranges, num=count, name="bottoms")
        tf.raw_ops.Unpack(value=2 * ranges, num=count, name="twice")
    graph.CopyFrom(inputs.as_graph_def())
    features = Int8(plan, graph, "int8/").outputs()
    largest = Measuring(plan, graph, "measure/").largest()
    given = {
        "images": _info("images", tf.float32, [None, *image.size, 3]),
        "ranges": _info("ranges", tf.float32, [count]),
    }
    for key, tensor in features.items():
        stage, name = key.split("/")
        shape = plan.source.shape(plan.source.outputs[key])
        _declare(meta, stage, given, name, _info(tensor, tf.float32, shape))
    del given["ranges"]
    _declare(meta, MEASURE, given, "largest", _info(largest, tf.float32, [count]))
    with tf.Graph().as_default():
        tf.import_graph_def(graph)  # which checks it
    return meta


def _declare(
    meta: MetaGraphDef, signature: str, inputs: dict[str, TensorInfo], name: str, output: TensorInfo
) -> None:
    """Add an output to a signature."""
    declared = meta.signature_def[signature]
    declared.method_name = tf.saved_model.PREDICT_METHOD_NAME
    for key, value in inputs.items():
        declared.inputs[key].CopyFrom(value)
    declared.outputs[name].CopyFrom(output)


def _info(tensor: str, dtype: tf.DType, shape: Any) -> TensorInfo:
    name = tensor if ":" in tensor else f"{tensor}:0"
    shape = tf.TensorShape(shape).as_proto()
    return TensorInfo(name=name, dtype=dtype.as_datatype_enum, tensor_shape=shape)
