"""Runs the code in docs/serving.md; TensorFlow Serving is replaced by its REST API's rules."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from program import ROOT, Predictions, predict, tftl

from tftl_export.commands import convert

TEXT = (ROOT / "docs" / "serving.md").read_text()


def block(language, word):
    """The code block that contains this word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    (found,) = [code for code in blocks if word in code]
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder as on the page, with runs/cats-dogs and a photograph."""
    folder = tmp_path_factory.mktemp("serving")
    data = ROOT / "build" / "testdata"
    more = ["--cache", "off", "--precision", "float32", "--output", folder / "runs/cats-dogs"]
    tftl("fit", "--data", data / "photos", "--model", data / "tiny-gap", "--lr", "0.1", *more)
    shutil.copy(data / "photos/red/red-07.jpg", folder / "cat.jpg")
    return folder


@pytest.fixture(scope="module")
def want(place) -> Predictions:
    """What tftl predicts for it."""
    return predict(place / "runs/cats-dogs", place / "cat.jpg")


def rest(model, request):
    """Predict as the REST API is specified, for requests in row format with one named input."""
    signature = model.signatures[request.get("signature_name", "serving_default")]
    assert set(request) <= {"signature_name", "instances"}
    (name,) = signature.structured_input_signature[1]
    values = []
    for instance in request["instances"]:
        assert set(instance) == {"b64"}  # a binary value
        values.append(base64.b64decode(instance["b64"], validate=True))
    outputs = signature(**{name: tf.constant(values)})
    # Several outputs make a list of objects. Names of binary ones would end in _bytes.
    assert len(outputs) > 1 and not [name for name in outputs if name.endswith("_bytes")]
    rows = zip(*(output.numpy().tolist() for output in outputs.values()), strict=True)
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}


def test_tensorflow_serving_understands_the_request(place, want, tmp_path):
    curl = tmp_path / "curl"
    curl.write_text(f'#!/bin/sh\ncat >"{tmp_path}/body"\necho "$*" >"{tmp_path}/arguments"\n')
    curl.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = block("sh", "b64")
    subprocess.run(["sh", "-euc", script], cwd=place, env=environment, check=True)
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[:2] == ["--data", "@-"]  # a POST of standard input
    assert re.fullmatch(r"http://localhost:\d+/v1/models/cats-dogs:predict", arguments[2])

    model = tf.saved_model.load(str(place / "runs/cats-dogs/model"))
    answer = rest(model, json.loads((tmp_path / "body").read_text()))
    shown = json.loads(block("json", "predictions"))
    assert answer["predictions"][0].keys() == shown["predictions"][0].keys()
    got = answer["predictions"][0]["probabilities"]
    np.testing.assert_allclose([got], want.probabilities, rtol=0, atol=1e-5)
    assert answer["predictions"][0]["logits"][0] == 0


def test_the_python_program_prints_the_classes(place, want, monkeypatch):
    monkeypatch.chdir(place)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(block("python", "saved_model.load"), {})
    printed = eval(out.getvalue())
    assert list(printed) == want.classes
    np.testing.assert_allclose([*printed.values()], want.probabilities[0], rtol=0, atol=1e-5)


def test_the_onnx_program_prints_the_classes(place, want, monkeypatch):
    command = block("sh", "--format onnx").split()[2:]
    monkeypatch.chdir(place)
    assert convert.main(command) == 0
    exact = tf.io.decode_jpeg(Path("cat.jpg").read_bytes(), dct_method="INTEGER_ACCURATE").numpy()
    Image.fromarray(exact).save("exact.png")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(block("python", "onnxruntime"), {})
    printed = eval(out.getvalue())
    assert list(printed) == want.classes
    same = predict(place / "runs/cats-dogs", place / "exact.png")  # the pixels that Pillow makes
    np.testing.assert_allclose([*printed.values()], same.probabilities[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose([*printed.values()], want.probabilities[0], rtol=0, atol=0.02)


def test_the_names_of_the_go_program_are_those_that_are_printed(place):
    program = Path(sys.executable).parent / "saved_model_cli"
    command = block("sh", "saved_model_cli").replace(".venv/bin/saved_model_cli", str(program))
    done = subprocess.run(command, shell=True, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tensors = dict(re.findall(r"\['(\w+)'\].*?name: (\S+)", done.stdout, re.DOTALL))
    named = re.findall(r'model\.Op\("(\w+)", (\d)\).*// (\w+)', block("go", "LoadModel"))
    assert [name for *_, name in named] == ["probabilities", "bytes"]
    for operation, index, name in named:
        assert tensors[name] == f"{operation}:{index}"
