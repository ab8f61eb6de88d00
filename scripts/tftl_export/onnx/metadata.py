"""What an ONNX file says about itself."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import onnxruntime
import tf2onnx

from ..errors import ScriptError
from ..graph.images import Input


def of_model(model: Path, labels: list[str], image: Input) -> dict[str, str]:
    """The metadata of every file that is made from a trained model."""
    about = {
        "labels": json.dumps(labels, ensure_ascii=False),
        "input": json.dumps(image.to_json()),
        "tftl": f"tf2onnx {tf2onnx.__version__}, ONNX Runtime {onnxruntime.__version__}",
    }
    extra = model / "assets.extra"
    decision = extra / "decision.json"
    if decision.is_file():
        try:
            about["decision"] = json.dumps(json.loads(decision.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ScriptError(f"{decision}: is damaged: {error}") from error
    weights = extra / "best.sha256"
    if weights.is_file():
        about["weights_sha256"] = weights.read_text(encoding="ascii").strip()
    return about


def write(made: onnx.ModelProto, about: dict[str, str]) -> None:
    """Replace the metadata of a model."""
    del made.metadata_props[:]
    onnx.helper.set_model_props(made, about)
