"""convert.py --format onnx: what it writes predicts what tftl does, from images of any size."""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from PIL import Image
from program import ROOT, Predictions, parts, predict, tftl

from tftl_export.commands import convert
from tftl_export.errors import ScriptError
from tftl_export.graph.images import FITS, INTERPOLATIONS, Input
from tftl_export.onnx import files, graph
from tftl_export.onnx.resizing import resize

TESTDATA = ROOT / "build" / "testdata"
PHOTOS = TESTDATA / "photos"
FILES = ["float32.onnx", "float16.onnx", "int8.onnx"]


def trained(model, run, *flags):
    more = ["--lr", "0.01", "--cache", "off", "--precision", "float32"]
    tftl("fit", "--data", PHOTOS, "--model", model, "--output", run, *more, *flags)
    return run


def converted(run, output, *arguments):
    command = [str(run), "--format", "onnx", "--output", str(output), *map(str, arguments)]
    assert convert.main(command) == 0
    return output


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run, evaluated in float32."""
    return evaluated(trained(TESTDATA / "tiny-gap", tmp_path_factory.mktemp("gap") / "run"))


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A run with another head."""
    return evaluated(trained(TESTDATA / "tiny", tmp_path_factory.mktemp("flat") / "run"))


def evaluated(run):
    tftl("evaluate", "--model", run, "--precision", "float32")
    return run


@dataclass(frozen=True)
class Made:
    run: Path
    output: Path
    printed: str


@pytest.fixture(scope="module", params=["run", "flat"])
def made(request, tmp_path_factory):
    """The files of each run."""
    run, out = request.getfixturevalue(request.param), io.StringIO()
    with contextlib.redirect_stdout(out):
        output = converted(run, tmp_path_factory.mktemp("onnx"))
    return Made(run, output, out.getvalue())


@pytest.fixture
def only_float32(monkeypatch):
    monkeypatch.setattr(files, "TOLERANCES", {"float32": files.TOLERANCES["float32"]})


def session(file):
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def answers(file, images):
    """All outputs by name for images of sizes of their own."""
    run = session(file)
    names = [output.name for output in run.get_outputs()]
    rows = [run.run(None, {"images": np.asarray(i, np.float32)[np.newaxis]}) for i in images]
    return {
        name: np.concatenate(each)
        for name, each in zip(names, zip(*rows, strict=True), strict=True)
    }


def decode(path):
    """As tftl decodes."""
    content = path.read_bytes()
    return tf.io.decode_image(content, channels=3, expand_animations=False).numpy()


def test_each_file_predicts_what_tftl_did(made):
    run, output = made.run, made.output
    first, header, *rows = made.printed.splitlines()
    test, train = parts(run)["test"], parts(run)["train"]
    assert first == (
        f"{output}: compared on {len(test)} images, int8 calibrated on {len(train)} training images"
    )
    assert header.split() == ["model", "MB", "largest", "difference", "tolerance", "accuracy"]
    shown = {row.split()[0]: row.split()[1:] for row in rows}
    assert list(shown) == ["SavedModel", *FILES]
    assert sorted(path.name for path in output.iterdir()) == sorted([*FILES, "labels.txt"])

    # tftl's predictions are the reference; the images are whole.
    want = Predictions.of((run / "predictions.csv").read_text())
    assert (output / "labels.txt").read_text().split() == want.classes
    images = [decode(PHOTOS / path) for path in want.paths]
    assert {image.shape[:2] for image in images} != {(32, 32)}
    for name in FILES:
        got = answers(output / name, images)
        difference, tolerance = map(float, shown[name][1:3])
        assert np.abs(got["probabilities"] - want.probabilities).max() <= difference + 1e-5
        assert difference <= tolerance
        np.testing.assert_allclose(
            tf.nn.softmax(got["logits"]), got["probabilities"], rtol=0, atol=1e-5
        )
        right = np.array(want.classes)[got["probabilities"].argmax(axis=1)] == want.labels
        assert float(shown[name][3]) == pytest.approx(right.mean(), abs=1e-4)
        assert got["accepted"].all() and not got["novelty"].any()


def test_the_files_keep_to_the_specification_and_describe_themselves(made):
    output, model = made.output, made.run / "model"
    about = json.loads((model / "assets.extra" / "tftl.json").read_text())
    for name in FILES:
        file = onnx.load(output / name)
        onnx.checker.check_model(file, full_check=True)
        assert {opset.domain for opset in file.opset_import} == {""}
        taken = {node.op_type for node in file.graph.node}
        assert "BatchNormalization" not in taken
        says = {prop.key: prop.value for prop in file.metadata_props}
        assert json.loads(says["labels"]) == ["blue", "red"]
        assert json.loads(says["input"]) == about["input"]
        assert says["precision"] == name.removesuffix(".onnx")
        assert says["weights_sha256"] == (model / "assets.extra/best.sha256").read_text().strip()
        assert "tftl" in says and "decision" not in says
        (taken,) = file.graph.input
        sides = [side.dim_param or side.dim_value for side in taken.type.tensor_type.shape.dim]
        assert (taken.name, sides) == ("images", ["N", "height", "width", 3])
        shapes = {
            value.name: [
                side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim
            ]
            for value in file.graph.output
        }
        assert shapes == {
            "probabilities": ["N", 2],
            "logits": ["N", 2],
            "accepted": ["N"],
            "novelty": ["N"],
        }
    # Weights are there once, and in int8 they are stored in 8 bits.
    sizes = [sum(len(t.raw_data) for t in onnx.load(output / n).graph.initializer) for n in FILES]
    kernels = onnx.load(output / "float32.onnx").graph.initializer
    large = sum(len(t.raw_data) for t in kernels if len(t.dims) >= 2)
    assert sizes[0] - sizes[1] == pytest.approx(large / 2, rel=0.1)
    convolutions = {"QuantizeLinear", "DequantizeLinear"}
    assert convolutions <= {node.op_type for node in onnx.load(output / "int8.onnx").graph.node}


def test_a_batch_has_the_answers_of_its_images(made):
    images = np.random.default_rng(0).integers(0, 256, (5, 40, 57, 3))
    for name in FILES:
        together = session(made.output / name).run(
            ["logits"], {"images": images.astype(np.float32)}
        )
        apart = answers(made.output / name, images)["logits"]
        np.testing.assert_allclose(together[0], apart, rtol=1e-4, atol=1e-4)


def test_images_of_the_networks_size_are_not_changed(made):
    images = np.random.default_rng(1).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    serve = tf.saved_model.load(str(made.run / "model")).signatures["serving_default"]
    want = serve(images=tf.constant(images))
    got = answers(made.output / "float32.onnx", images)
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("fit", FITS)
def test_images_are_resized_as_tensorflow_does(fit, interpolation):
    image = Input((40, 51), interpolation, "none", fit)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None, None, 3])])
    def fitted(images):
        return {"pixels": image.fitted(images, resize)}

    made = graph.from_function(fitted.get_concrete_function())
    graph.check(made)
    answer = session(made.SerializeToString())
    photo = decode(TESTDATA / "real" / "china.jpg")
    sizes = [(40, 51), (427, 640), (301, 200), (37, 29), (20, 31), (41, 1), (1, 37), (80, 102)]
    for height, width in sizes:
        images = np.stack([photo[:height, :width], photo[-height:, -width:]])
        (got,) = answer.run(None, {"images": images.astype(np.float32)})
        want = [image.decode(tf.io.encode_png(one)) for one in images]
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-3, err_msg=f"{height}x{width}")
        if (height, width) == image.size and interpolation != "lanczos3":
            assert np.array_equal(got, images)


def test_what_tf2onnx_lacks_is_written_out():
    # Keras' exact gelu has Erfc, and its convolution of channels apart is compiled by XLA.
    apart = keras.layers.DepthwiseConv2D(3, data_format="channels_last")

    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")]
    )
    def network(images):
        return {"out": keras.activations.gelu(apart(images), approximate=False)}

    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    want = network(images)["out"]
    made = graph.from_function(network.get_concrete_function())
    graph.check(made)
    [got] = session(made.SerializeToString()).run(None, {"images": images})
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_pillows_pixels_are_tensorflows_but_for_the_fast_transform_of_jpeg():
    for path in [*sorted(PHOTOS.rglob("*.jpg"))[:6], *(TESTDATA / "real").iterdir()]:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        exact = tf.io.decode_jpeg(path.read_bytes(), channels=3, dct_method="INTEGER_ACCURATE")
        assert np.array_equal(pixels, exact)
        difference = np.abs(pixels.astype(int) - decode(path))
        assert 0 < difference.mean() < 1.5


@pytest.mark.parametrize(("fit", "interpolation"), [("crop", "bicubic"), ("pad", "area")])
def test_fit_and_interpolation_of_a_model_are_in_its_file(
    fit, interpolation, tiny, tmp_path, only_float32
):
    model = tiny("gap", "--fit", fit, "--interpolation", interpolation)
    run = trained(model, tmp_path / "run", "--epochs", "2")
    converted(run, tmp_path / "out")
    photos = [TESTDATA / "real" / "china.jpg", *sorted((PHOTOS / "red").iterdir())[:3]]
    got = answers(tmp_path / "out" / "float32.onnx", map(decode, photos))["probabilities"]
    np.testing.assert_allclose(got, predict(run, *photos).probabilities, rtol=0, atol=1e-5)


def test_a_decision_travels_with_the_file(run, tmp_path):
    decided = tmp_path / "decided"
    shutil.copytree(run, decided)
    decision = ["--temperature", "fit", "--abstain", "coverage=0.5", "--novelty", "0.9"]
    tftl("evaluate", "--model", decided, "--precision", "float32", *decision)
    converted(decided, tmp_path / "out")
    says = {p.key: p.value for p in onnx.load(tmp_path / "out/float32.onnx").metadata_props}
    written = json.loads((decided / "model/assets.extra/decision.json").read_text())
    assert json.loads(says["decision"]) == written
    assert {"temperature", "confidence", "novelty"} <= written.keys()

    photos = sorted(PHOTOS.rglob("*.jpg"))[::4] + [TESTDATA / "real" / "china.jpg"]
    lines = tftl("predict", "--model", decided, "--precision", "float32", "--json", *photos)
    want = [json.loads(line) for line in lines.splitlines()]
    answered = np.array([line["accepted"] for line in want])
    assert 0 < answered.sum() < len(answered)
    images = [decode(photo) for photo in photos]
    serve = tf.saved_model.load(str(decided / "model")).signatures["serving_bytes"]
    served = serve(bytes=tf.constant([photo.read_bytes() for photo in photos]))
    assert np.array_equal(served["accepted"], answered)
    for name, tolerance in (("float32.onnx", 1e-3), ("float16.onnx", 0.1)):
        got = answers(tmp_path / "out" / name, images)
        assert np.array_equal(got["accepted"], answered)
        np.testing.assert_allclose(got["novelty"], served["novelty"], rtol=tolerance)


def test_a_model_of_an_older_export_has_fewer_outputs(run, tmp_path, only_float32):
    older, images = tf.Module(), tf.TensorSpec([None, 32, 32, 3], tf.float32, "images")
    older.model = tf.saved_model.load(str(run / "model"))
    serve, scale = older.model.signatures["serving_default"], tf.constant(0.5)

    @tf.function(autograph=False, input_signature=[images])
    def two(images):
        answer = serve(images=images * scale)  # which also captures a constant
        return {name: answer[name] for name in ("probabilities", "logits")}

    tf.saved_model.save(older, str(tmp_path / "model"), signatures={"serving_default": two})
    shutil.copytree(run / "model/assets.extra", tmp_path / "model/assets.extra")
    converted(tmp_path / "model", tmp_path / "out", "--images", PHOTOS)
    pixels = np.random.default_rng(2).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    got = answers(tmp_path / "out" / "float32.onnx", pixels)
    assert set(got) == {"probabilities", "logits"}
    want = two(tf.constant(pixels))["probabilities"]
    np.testing.assert_allclose(got["probabilities"], want, rtol=0, atol=1e-5)


def test_a_model_alone_is_calibrated_on_the_given_images(run, tmp_path, capsys):
    converted(run / "model", tmp_path, "--images", PHOTOS)
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith(": compared on 80 images, int8 calibrated on 80 of them")


def test_calibration_takes_each_class(monkeypatch, run):
    monkeypatch.setattr(convert, "_CALIBRATED", 10)
    chosen = convert._calibration(run, ["blue", "red"], [])
    train = {str(PHOTOS / path) for path, _ in parts(run)["train"]}
    assert [file.parent.name for file in chosen] == ["blue"] * 5 + ["red"] * 5
    assert {str(file) for file in chosen} < train
    assert chosen == convert._calibration(run, ["blue", "red"], [])
    assert len(convert._calibration(None, ["blue", "red"], sorted(PHOTOS.rglob("*.jpg")))) == 10


def test_a_file_that_differs_by_too_much_is_named(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(files, "TOLERANCES", {"float32": -1.0})
    assert convert.main([str(run), "--format", "onnx", "--output", str(tmp_path)]) == 1
    assert "float32.onnx differs by more than its tolerance" in capsys.readouterr().err


def test_errors(run, tmp_path, capsys, monkeypatch):
    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    config = json.loads((moved / "config.json").read_text())
    config["data"]["path"] = str(tmp_path)
    (moved / "config.json").write_text(json.dumps(config))
    spoilt = tmp_path / "spoilt"
    shutil.copytree(run, spoilt)
    (spoilt / "model/assets.extra/decision.json").write_text("{")
    stray = tmp_path / "stray"
    stray.mkdir()
    (stray / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    images, output = ["--images", str(PHOTOS)], tmp_path / "out"
    for arguments, complaint in [
        ([str(moved), *images], f"hint: give {moved / 'model'} with --images DIR, to calibrate"),
        ([str(spoilt)], "decision.json: is damaged: "),
        ([str(run / "model"), "--images", str(stray)], "convert.py: "),
    ]:
        assert convert.main([*arguments, "--format", "onnx", "--output", str(output)]) == 1
        said = capsys.readouterr().err
        assert complaint in said and "Traceback" not in said
        assert not list(tmp_path.glob("out/*.onnx"))

    def unknown(*_, **__):
        raise ValueError("no rule for an operation\nand a page about it")

    with monkeypatch.context() as broken:
        broken.setattr(graph, "process_tf_graph", unknown)
        assert convert.main([str(run), "--format", "onnx", "--output", str(output)]) == 1
    said = capsys.readouterr().err
    assert said == (
        f"convert.py: {run / 'model'}: cannot be converted to ONNX: no rule for an operation\n"
    )

    imported = builtins.__import__

    def without(name, *more, **named):
        if name.partition(".")[2].startswith("onnx") or "onnx" in (more[2] or ()) or name == "onnx":
            raise ModuleNotFoundError("No module named 'tf2onnx'", name="tf2onnx")
        return imported(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    assert convert.main([str(run), "--format", "onnx", "--output", str(output)]) == 1
    assert "--format onnx: the package tf2onnx is not installed\nhint: " in capsys.readouterr().err


def test_an_operation_that_onnx_lacks_is_named():
    images = tf.TensorSpec([None, None, None, 3], tf.float32, "images")

    @tf.function(autograph=False, input_signature=[images])
    def odd(images):
        return {"pixels": tf.math.lgamma(tf.math.bessel_i0e(images))}

    with pytest.raises(ScriptError, match="^ONNX has nothing for BesselI0e, Lgamma$"):
        graph.from_function(odd.get_concrete_function())
