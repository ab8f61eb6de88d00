"""convert.py: what it writes predicts what tftl does."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tensorflow as tf
from program import ROOT, Predictions, parts, tftl

from tftl_export import tflite
from tftl_export.commands import convert

pytestmark = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")


@pytest.fixture(scope="module")
def photos():
    return ROOT / "build" / "testdata" / "photos"


@pytest.fixture(scope="module", params=["tiny", "tiny-gap"])
def run(request, photos, tmp_path_factory):
    """A run, evaluated in float32."""
    work = tmp_path_factory.mktemp(request.param)
    model = ROOT / "build" / "testdata" / request.param
    arguments = ["--data", photos, "--model", model, "--output", work / "run", "--lr", "0.01"]
    tftl("fit", *arguments, "--cache", "off", "--precision", "float32")
    tftl("evaluate", "--model", work / "run", "--precision", "float32")
    return work / "run"


def table(out):
    """The printed rows by the name of the model."""
    _, header, *rows = out.splitlines()
    assert header.split() == ["model", "MB", "largest", "difference", "tolerance", "accuracy"]
    return {row.split()[0]: row.split()[1:] for row in rows}


def test_each_form_predicts_what_tftl_did(run, photos, tmp_path, capsys):
    assert convert.main([str(run), "--output", str(tmp_path)]) == 0
    shown = table(capsys.readouterr().out)
    files = ["float32.tflite", "float16.tflite", "int8.tflite"]
    assert list(shown) == ["SavedModel", *files]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*files, "labels.txt"])

    # Run the interpreter here; tftl's predictions are the reference.
    want = Predictions.of((run / "predictions.csv").read_text())
    assert (tmp_path / "labels.txt").read_text().split() == want.classes
    pictures = [tf.io.read_file(str(photos / path)) for path in want.paths]
    decoded = [tf.io.decode_image(picture) for picture in pictures]
    pixels = [tf.image.resize(image, (32, 32)).numpy() for image in decoded]
    accuracy = np.mean(np.array(want.predicted) == np.array(want.labels))
    assert float(shown["SavedModel"][-1]) == pytest.approx(accuracy, abs=1e-4)
    for name in files:
        interpreter = tf.lite.Interpreter(model_path=str(tmp_path / name))
        answer = interpreter.get_signature_runner("serving_default")
        got = np.concatenate(
            [answer(images=image[np.newaxis])["probabilities"] for image in pixels]
        )
        difference, tolerance = map(float, shown[name][1:3])
        assert np.abs(got - want.probabilities).max() <= difference + 1e-5 <= tolerance + 1e-5
        right = np.array(want.classes)[got.argmax(axis=1)] == want.labels
        assert float(shown[name][3]) == pytest.approx(right.mean(), abs=1e-4)
    sizes = [(tmp_path / name).stat().st_size for name in files]
    if "gap" not in run.parent.name:  # whose file is the graph more than weights
        assert sizes[1] < sizes[0] and sizes[2] <= sizes[0]  # some tensors stay float32


@pytest.mark.parametrize("listed", [False, True])
def test_images_of_test_data_are_found(photos, listed, tmp_path, capsys, monkeypatch):
    apart = tmp_path / "apart"
    names = []
    for color in ("blue", "red"):
        (apart / color).mkdir(parents=True)
        for photo in sorted((photos / color).iterdir())[:3]:
            shutil.copy(photo, apart / color)
            names.append(f"{color}/{photo.name}")
    if listed:
        rows = [f"{name},{name.split('/')[0]}" for name in names]
        (apart / "m.csv").write_text("\n".join(["path,label", *rows]) + "\n")
        apart /= "m.csv"
    run, model = tmp_path / "run", ROOT / "build" / "testdata" / "tiny-gap"
    arguments = ["--data", photos, "--test-data", apart, "--model", model, "--output", run]
    tftl("fit", *arguments, "--epochs", "1", "--cache", "off")
    monkeypatch.setattr(tflite, "FORMS", {"float32": tflite.FORMS["float32"]})
    assert convert.main([str(run), "--output", str(tmp_path / "lite")]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{tmp_path / 'lite'}: compared on {len(names)} images\n")


def test_a_model_is_compared_on_given_images(run, photos, tmp_path, capsys):
    assert len(parts(run)["test"]) < 80
    images = ["--images", str(photos)]
    assert convert.main([str(run / "model"), "-o", str(tmp_path / "a"), *images]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{tmp_path / 'a'}: compared on 80 images\n")
    assert all(len(row) >= 2 for row in table(out).values())
    # If the folders are not classes there is no accuracy.
    images = ["--images", str(photos / "red")]
    assert convert.main([str(run / "model"), "-o", str(tmp_path / "b"), *images]) == 0
    assert len(table(capsys.readouterr().out)["float16.tflite"]) == 3


def test_a_form_that_differs_by_too_much_is_named(run, tmp_path, capsys, monkeypatch):
    form = tflite.Form(optimized=False, types=(), tolerance=-1.0)
    monkeypatch.setattr(tflite, "FORMS", {"float32": form})
    assert convert.main([str(run), "--output", str(tmp_path)]) == 1
    assert "float32.tflite differs by more than its tolerance" in capsys.readouterr().err


# The head alone, a head on the features of the deeper stage, and the deeper stage.
@pytest.mark.parametrize(
    "stages",
    [["head:epochs=4"], ["head:epochs=2", "from_middle:epochs=1,lr=1e-9"], ["from_middle:lr=1e-3"]],
)
def test_int8_serves_what_was_trained(stages, calibrated, photos, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["--data", photos, "--model", calibrated, "--output", run, "--epochs", "3"]
    arguments += [argument for stage in stages for argument in ("--stage", stage)]
    tftl("fit", "--precision", "int8", *arguments)
    tftl("evaluate", "--precision", "int8", "--model", run)
    output = ["--format", "int8", "--output", str(tmp_path / "out")]
    assert convert.main([str(run), *output]) == 0
    assert list(table(capsys.readouterr().out)) == ["SavedModel", "int8"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["int8", "labels.txt"]

    want = Predictions.of((run / "predictions.csv").read_text())
    pictures = tf.constant([(photos / path).read_bytes() for path in want.paths])
    served = tf.saved_model.load(str(tmp_path / "out" / "int8"))
    got = served.signatures["serving_bytes"](bytes=pictures)
    np.testing.assert_allclose(got["probabilities"], want.probabilities, atol=1e-6)
    np.testing.assert_allclose(tf.nn.softmax(got["logits"]), got["probabilities"], atol=1e-6)

    assert convert.main([str(run), *output]) == 1
    assert "int8: exists" in capsys.readouterr().err


@pytest.fixture(scope="module")
def calibrated(photos, tmp_path_factory):
    """A network that can be trained in int8."""
    folder = tmp_path_factory.mktemp("calibrated") / "model"
    model = ROOT / "build" / "testdata" / "quantized"
    tftl("calibrate", "--model", model, "--data", photos, "--output", folder)
    return folder


def test_errors(run, tmp_path, capsys):
    output, images = ["--output", str(tmp_path)], ["--images", str(ROOT / "build/testdata/photos")]
    empty = tmp_path / "empty"
    empty.mkdir()
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / "config.json").write_text("{")
    for arguments, complaint in [
        ([str(tmp_path / "none")], "it has no readable tftl.json"),
        ([str(ROOT / "build/testdata/tiny")], "is not trained yet"),
        ([str(run / "model")], "no images to compare on"),
        ([str(run), "--images", str(empty)], "no images"),
        ([str(damaged)], "its config.json or data.csv is damaged: "),
        ([str(run), "--format", "int8"], "was not trained with --precision int8"),
        ([str(run / "model"), "--format", "int8", *images], "needs the run folder"),
    ]:
        assert convert.main([*arguments, *output]) == 1
        assert complaint in capsys.readouterr().err
