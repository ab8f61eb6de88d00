"""The command line of the converter."""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from .. import tflite
from ..contract import DESCRIPTION
from ..errors import ScriptError, first_line, message
from ..graph.images import Input, decode_image
from ..int8 import serving

_DESCRIPTION = """Convert a trained model to TensorFlow Lite: float32, float16 and dynamic int8. Or
to ONNX: float32, float16 and int8, with images of any size as input. Or write a SavedModel that
computes the frozen part in int8, as the run was trained. Each is run in its own runtime and
compared with the run's SavedModel, on its test images or on others."""

_TOLERANCE = 0.1  # of a probability in int8
_CALIBRATED = 100  # images, at most


def main(arguments: Sequence[str], program: str = "convert.py") -> int:
    """Run the command, which was started as `program`.

    Returns the exit code, 1 also if a file exceeds its tolerance.
    """
    options = _parse(arguments, program)
    # A loaded model without its training state is what we want.
    tf.get_logger().setLevel("ERROR")
    try:
        broken = _convert(options)
    except (ScriptError, OSError, tf.errors.OpError) as error:
        print(f"{program}: {message(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for name in broken:
        print(f"{program}: {name} differs by more than its tolerance", file=sys.stderr)
    return 1 if broken else 0


def _parse(arguments: Sequence[str], program: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=program, description=_DESCRIPTION)
    add = parser.add_argument
    add("model", metavar="RUN_OR_MODEL", type=Path, help="run folder, or the model/ in it")
    add("--output", "-o", required=True, metavar="DIR", type=Path, help="write the files to DIR")
    add(
        "--format",
        choices=["tflite", "onnx", "int8"],
        default="tflite",
        help="onnx measures the ranges of int8 on training images, or on --images without a run "
        "folder; int8 writes the SavedModel of a run that was trained with --precision int8 "
        "(default: %(default)s)",
    )
    add(
        "--images",
        metavar="DIR",
        type=Path,
        help="compare on the images in DIR instead of the run's test part; the accuracy is shown "
        "if DIR has one folder per class",
    )
    return parser.parse_args(arguments)


def _convert(options: argparse.Namespace) -> list[str]:
    """Convert, compare and report; returns the files that differ by too much."""
    run = options.model if (options.model / "config.json").is_file() else None
    model = options.model / "model" if run else options.model
    labels, image = _description(model)
    if options.images is not None:
        files, classes = _folder(options.images, labels)
    elif run:
        files, classes = _part(run, labels, "test")
    else:
        raise ScriptError(
            f"{model}: no images to compare on\nhint: use --images DIR, or give the run folder"
        )
    pixels = np.array([image.decode(tf.io.read_file(str(file))) for file in files])
    want = tflite.of_savedmodel(model, pixels)

    options.output.mkdir(parents=True, exist_ok=True)
    rows = [["model", "MB", "largest difference", "tolerance", "accuracy"]]
    rows.append(["SavedModel", _megabytes(model), "", "", _accuracy(want, classes)])
    broken = []
    compared = f"compared on {len(files)} images"
    if options.format == "int8":
        made = _int8(run, image, options.output, pixels)
    elif options.format == "onnx":
        calibration = _calibration(run, labels, files)
        made = _onnx((model, labels, image), options.output, calibration, files)
        of = "training images" if run else "of them"
        compared += f", int8 calibrated on {len(calibration)} {of}"
    else:
        made = _lite(model, options.output, pixels)
    for file, tolerance, got in made:
        difference = float(np.abs(got - want).max())
        if not difference <= tolerance:
            broken.append(str(file))
        accuracy = _accuracy(got, classes)
        rows.append([file.name, _megabytes(file), f"{difference:.1e}", f"{tolerance:g}", accuracy])
    _write(options.output / "labels.txt", "".join(f"{label}\n" for label in labels).encode())
    print(f"{options.output}: {compared}")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        print("  ".join(cells).rstrip())
    return broken


Made = Iterator[tuple[Path, float, np.ndarray]]  # its tolerance, and what it predicts


def _lite(model: Path, output: Path, pixels: np.ndarray) -> Made:
    """Write the TensorFlow Lite files."""
    for name, form in tflite.FORMS.items():
        file = output / f"{name}.tflite"
        content = tflite.convert(model, form)
        got = tflite.probabilities(content, pixels)
        _write(file, content)
        yield file, form.tolerance, got


def _onnx(
    trained: tuple[Path, list[str], Input], output: Path, calibration: list[Path], files: list[Path]
) -> Made:
    """Write the ONNX files."""
    try:
        from ..onnx import files as written
        from ..onnx import runtime
    except ModuleNotFoundError as error:
        raise ScriptError(
            f"--format onnx: the package {error.name} is not installed\n"
            f"hint: {sys.executable} -m pip install tf2onnx onnx onnxruntime"
        ) from error
    for precision, content in written.contents(*trained, map(_decoded, calibration)):
        file = output / f"{precision}.onnx"
        got = runtime.probabilities(content, map(_decoded, files))
        _write(file, content)
        yield file, written.TOLERANCES[precision], got


def _decoded(file: Path) -> np.ndarray:
    """The pixels of an image as large as it is."""
    return decode_image(tf.io.read_file(str(file))).numpy()


def _int8(run: Path | None, image: Input, output: Path, pixels: np.ndarray) -> Made:
    """Write the SavedModel with its frozen part in int8."""
    folder = output / "int8"
    if run is None:
        raise ScriptError("--format int8: needs the run folder")
    if folder.exists():
        raise ScriptError(f"{folder}: exists")
    with tempfile.TemporaryDirectory(dir=output, prefix=".int8-") as work:
        beside = Path(work, "model")
        serving.write(run, image, beside)
        got = tflite.of_savedmodel(beside, pixels)
        beside.rename(folder)
    yield folder, _TOLERANCE, got


def _megabytes(path: Path) -> str:
    """The size of a file or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f}"


def _description(model: Path) -> tuple[list[str], Input]:
    """The classes of a trained model, and how it prepares images."""
    try:
        about = json.loads(model.joinpath(*DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScriptError(
            f"{model}: not a model that tftl trained: it has no readable tftl.json"
        ) from error
    if not about.get("labels"):
        raise ScriptError(f"{model}: is not trained yet: its head has no classes")
    image = {"fit": "stretch", **about["input"]}
    return about["labels"], Input(**{**image, "size": tuple(image["size"])})


def _plain(field: str) -> str:
    """A field without the ' that tftl puts in front of what a spreadsheet would run."""
    return re.sub(r"\A'(?='*[=+\-@\t\r\n])", "", field)


def _calibration(run: Path | None, labels: list[str], files: list[Path]) -> list[Path]:
    """Some training images of a run, as many of each class; of a model alone, some of the files."""
    if run is None:
        return _some(files, _CALIBRATED)
    try:
        files, classes = _part(run, labels, "train")
    except ScriptError as error:
        first, _, _ = str(error).partition("\n")
        raise ScriptError(
            f"{first}\nhint: give {run / 'model'} with --images DIR, to calibrate int8 on those"
        ) from error
    of_class = [[files[i] for i in np.flatnonzero(classes == c)] for c in range(len(labels))]
    each = max(1, _CALIBRATED // len(labels))
    return _some([file for group in of_class for file in _some(group, each)], _CALIBRATED)


def _some(files: list[Path], most: int) -> list[Path]:
    """At most so many of the files, from all over the list."""
    return [files[i * len(files) // most] for i in range(most)] if len(files) > most else files


def _part(run: Path, labels: list[str], part: str) -> tuple[list[Path], np.ndarray]:
    """The files of a part of a run's data, and the index of each file's class."""
    try:
        data = json.loads((run / "config.json").read_text(encoding="utf-8"))["data"]
        apart = part == "test" and data.get("test_path")
        root = Path(apart or data["path"])
        root = root if root.is_dir() else root.parent  # a manifest's paths start at its folder
        with (run / "data.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == part]
        # The images of --test-data have this prefix.
        prefix = "test-data/" if apart else ""
        files = [root / _plain(row["path"]).removeprefix(prefix) for row in rows]
        classes = np.array([labels.index(_plain(row["label"])) for row in rows])
    except (ValueError, KeyError, TypeError) as error:
        raise ScriptError(
            f"{run}: its config.json or data.csv is damaged: {first_line(error)}\n"
            "hint: use --images DIR"
        ) from error
    if not files:
        raise ScriptError(f"{run}: its {part} part is empty\nhint: use --images DIR")
    if missing := [file for file in files if not file.is_file()]:
        raise ScriptError(f"{missing[0]}: no such file\nhint: use --images DIR")
    return files, classes


def _folder(folder: Path, labels: list[str]) -> tuple[list[Path], np.ndarray | None]:
    """The images in a folder, and their classes if its sub-folders are named after classes."""
    endings = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)
    if not files:
        raise ScriptError(f"{folder}: no images")
    names = [file.relative_to(folder).parts[0] for file in files]
    if not set(names) <= set(labels):
        return files, None
    return files, np.array([labels.index(name) for name in names])


def _accuracy(probabilities: np.ndarray, classes: np.ndarray | None) -> str:
    if classes is None:
        return ""
    return f"{np.mean(probabilities.argmax(axis=1) == classes):.4f}"


def _write(path: Path, content: bytes) -> None:
    """Write a file, all or nothing."""
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_bytes(content)
    os.replace(beside, path)
