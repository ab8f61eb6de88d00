"""The ONNX files of a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..errors import ScriptError, first_line
from ..graph.images import Input
from . import graph, metadata, smaller

# How much a probability may differ from the SavedModel's.
TOLERANCES = {"float32": 1e-4, "float16": 0.01, "int8": 0.1}


def contents(
    model: Path, labels: list[str], image: Input, calibration: Iterable[np.ndarray]
) -> Iterator[tuple[str, bytes]]:
    """Each file's precision and content. The ranges of int8 are measured on images [h,w,3]."""
    about = metadata.of_model(model, labels, image)
    try:
        exact = graph.convert(model, image)
    except Exception as error:  # tf2onnx raises whatever its rules for an operation raise
        raise ScriptError(f"{model}: cannot be converted to ONNX: {first_line(error)}") from error
    for precision in TOLERANCES:
        match precision:
            case "float16":
                made = smaller.float16(exact)
            case "int8":
                made = smaller.int8(exact, calibration)
            case _:
                made = exact
        metadata.write(made, {**about, "precision": precision})
        graph.check(made)
        yield precision, made.SerializeToString()
