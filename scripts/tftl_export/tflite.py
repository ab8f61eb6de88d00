"""Converts a model to TensorFlow Lite, and predicts with both."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

_SIGNATURE = "serving_default"
_BATCH = 32


@dataclass(frozen=True)
class Form:
    """How weights are stored, and how much a probability may differ from the SavedModel's."""

    optimized: bool  # weights smaller than float32
    types: tuple[tf.DType, ...]  # of the weights; none: 8 bits, with float activations
    tolerance: float


FORMS = {
    "float32": Form(optimized=False, types=(), tolerance=1e-4),
    "float16": Form(optimized=True, types=(tf.float16,), tolerance=0.01),
    "int8": Form(optimized=True, types=(), tolerance=0.1),
}


def convert(model: Path, form: Form) -> bytes:
    """Convert a trained SavedModel to a TFLite model with the same signature."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(model), signature_keys=[_SIGNATURE], tags={"serve"}
        )
        if form.optimized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = list(form.types)
        return converter.convert()


def probabilities(content: bytes, images: np.ndarray) -> np.ndarray:
    """The probabilities that TensorFlow Lite's interpreter computes for pixels [N,H,W,3]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a move to another package
        interpreter = tf.lite.Interpreter(model_content=content)
    run = interpreter.get_signature_runner(_SIGNATURE)
    return np.concatenate([run(images=batch)["probabilities"] for batch in _batches(images)])


def of_savedmodel(model: Path, images: np.ndarray) -> np.ndarray:
    """The probabilities that the SavedModel computes for them."""
    run = tf.saved_model.load(str(model)).signatures[_SIGNATURE]
    outputs = (run(images=tf.constant(batch)) for batch in _batches(images))
    return np.concatenate([output["probabilities"].numpy() for output in outputs])


def _batches(images: np.ndarray) -> list[np.ndarray]:
    return [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
