"""Predicts with an ONNX file in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnxruntime


def probabilities(content: bytes, images: Iterable[np.ndarray]) -> np.ndarray:
    """The probabilities for images [h,w,3], each of a size of its own."""
    run = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run
    one = (np.asarray(image, np.float32)[np.newaxis] for image in images)
    return np.concatenate([run(["probabilities"], {"images": batch})[0] for batch in one])
