"""Serving: probabilities, encoded images, and a trained model loaded by other programs."""

from __future__ import annotations

import io
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import MetaGraph, Stage, batches, variables
from PIL import Image
from program import ROOT, predict, tftl
from tensorflow.core.protobuf import saved_model_pb2


def trained(model, name, classes, checkpoint):
    """A stage after a few steps, and its checkpoint."""
    stage = Stage(model, name).init(classes)
    for images, targets in batches(1, 3, 8, 32, classes):
        stage.step(stage.features(images), targets, lr=0.01)
    return stage, stage.save(checkpoint)


def encoded(form, size=(50, 70)):
    pixels = np.random.default_rng(4).integers(0, 256, (*size, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("stage_name, classes", [("head", 2), ("block2", 5)])
@pytest.mark.parametrize("head", ["flatten", "gap"])
def test_serving_predicts_what_the_trained_stage_does(tiny, tmp_path, head, stage_name, classes):
    stage, checkpoint = trained(tiny(head), stage_name, classes, tmp_path / "c")
    serve = MetaGraph(tiny(head), "serve")
    serve.restore(checkpoint)
    ((images, _),) = batches(9, 1, 6, 32, classes)
    out = serve.call("serving_default", images=images)
    logits = stage.logits(stage.features(images))
    np.testing.assert_allclose(out["logits"], logits, rtol=0, atol=1e-6)
    np.testing.assert_allclose(out["probabilities"].sum(axis=1), 1, atol=1e-6)
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    want = exps / exps.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(out["probabilities"], want, atol=1e-6)
    if classes == 2:  # one sigmoid
        assert not out["logits"][:, 0].any()
        sigmoid = 1 / (1 + np.exp(-out["logits"][:, 1]))
        np.testing.assert_allclose(out["probabilities"][:, 1], sigmoid, atol=1e-6)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_encoded_images_are_decoded_resized_and_served(tiny, tmp_path, fit):
    model = tiny("flatten", "--fit", fit)
    _, checkpoint = trained(model, "head", 3, tmp_path / "c")
    serve = MetaGraph(model, "serve")
    serve.restore(checkpoint)
    files = [encoded("JPEG"), encoded("PNG"), encoded("BMP"), encoded("PNG", (20, 20))]
    pixels = [tf.io.decode_image(file, channels=3, expand_animations=False) for file in files]
    resize = {
        "stretch": tf.image.resize,
        "crop": keras.preprocessing.image.smart_resize,
        "pad": lambda image, size: tf.image.resize_with_pad(image, *size),
    }
    images = np.array([resize[fit](image, (32, 32)) for image in pixels])
    want = serve.call("serving_default", images=images)
    got = serve.call("serving_bytes", bytes=np.array(files, object))
    for name in ("logits", "probabilities"):
        assert np.array_equal(got[name], want[name])


def files_of_every_kind(folder):
    """Write files that are decoded and files that are refused."""
    random = np.random.default_rng(5)
    colours = Image.fromarray(random.integers(0, 256, (40, 48, 3), np.uint8))
    clear = colours.convert("RGBA")
    clear.putpixel((3, 3), (200, 10, 10, 0))
    grey, few = colours.convert("L"), colours.quantize(64)
    more = {"save_all": True, "append_images": [clear.rotate(180)]}
    for name, picture, options in (
        ("plain.webp", colours, {"lossless": True}),
        ("lossy.webp", colours, {}),
        ("alpha.webp", clear, {"lossless": True}),
        ("alpha-lossy.webp", clear, {}),
        ("animated.webp", colours, {"save_all": True, "append_images": [colours.rotate(180)]}),
        ("animated-alpha.webp", clear, more),
        ("alpha.png", clear, {}),
        ("grey-alpha.png", clear.convert("LA"), {}),
        ("palette.png", few, {}),
        ("transparent.gif", few, {"transparency": 3}),
        ("animated.gif", colours, {"save_all": True, "append_images": [colours.rotate(180)]}),
        ("grey.jpg", grey, {}),
        ("cmyk.jpg", colours.convert("CMYK"), {}),
        ("colours.bmp", colours, {}),
        ("alpha.bmp", clear, {}),
        ("grey.bmp", grey, {}),
        ("palette.bmp", few, {}),
        ("black-and-white.bmp", grey.convert("1"), {}),
        ("scan.tif", colours, {}),
    ):
        picture.save(folder / name, **options)
    whole = (folder / "cmyk.jpg").read_bytes()
    adobe = whole.index(b"\xff\xee")  # the segment has 14 bytes
    (folder / "cmyk-unmarked.jpg").write_bytes(whole[:adobe] + whole[adobe + 16 :])
    whole = (folder / "colours.bmp").read_bytes()
    (folder / "top-down.bmp").write_bytes(
        whole[:22] + (-40).to_bytes(4, "little", signed=True) + whole[26:]
    )
    (folder / "16-bits.bmp").write_bytes(whole[:28] + b"\x10\0" + whole[30:])
    (folder / "long-header.bmp").write_bytes(whole[:14] + b"\xff\0\0\0" + whole[18:])
    (folder / "short.bmp").write_bytes(b"BM")
    (folder / "short.webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8X")
    (folder / "empty.jpg").write_bytes(b"")
    return sorted(folder.iterdir())


def test_serving_takes_the_files_that_the_program_takes(tmp_path):
    """It predicts the same, and fails on the files that tftl refuses."""
    fixtures = ROOT / "build" / "testdata"
    run = tmp_path / "run"
    tftl(
        "fit",
        "--data",
        fixtures / "photos",
        "--model",
        fixtures / "tiny",
        "--epochs",
        1,
        "--cache",
        "off",
        "--output",
        run,
    )
    (tmp_path / "files").mkdir()
    files = files_of_every_kind(tmp_path / "files")
    answers = predict(run / "model", tmp_path / "files", **{"on-bad-image": "skip"})
    known = {
        Path(path).name: row for path, row in zip(answers.paths, answers.probabilities, strict=True)
    }
    assert len(known) == 16, sorted(known)
    model = tf.saved_model.load(str(run / "model"))
    for file in files:
        bytes = tf.constant([file.read_bytes()])
        if file.name in known:
            got = model.signatures["serving_bytes"](bytes=bytes)["probabilities"].numpy()
            np.testing.assert_allclose(got[0], known[file.name], atol=2e-6, err_msg=file.name)
        else:
            with pytest.raises(tf.errors.OpError):
                model.signatures["serving_bytes"](bytes=bytes)


def test_a_trained_model_loads_in_python_as_any_savedmodel(tiny, tmp_path):
    """As Go writes it: the serving MetaGraph alone, and the variables that it saves."""
    _, checkpoint = trained(tiny(), "block2", 4, tmp_path / "c")
    serve = MetaGraph(tiny(), "serve")
    serve.restore(checkpoint)
    folder = tmp_path / "trained"
    (folder / "variables").mkdir(parents=True)
    serve.save(folder / "variables" / "variables")
    saved = saved_model_pb2.SavedModel.FromString((tiny() / "saved_model.pb").read_bytes())
    for graph in list(saved.meta_graphs):
        if list(graph.meta_info_def.tags) != ["serve"]:
            saved.meta_graphs.remove(graph)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())

    moved = folder.rename(tmp_path / "elsewhere")
    loaded = tf.saved_model.load(str(moved))
    ((images, _),) = batches(9, 1, 6, 32, 4)
    got = loaded.signatures["serving_default"](images=tf.constant(images))
    want = serve.call("serving_default", images=images)
    for name in ("logits", "probabilities"):
        np.testing.assert_allclose(got[name], want[name], atol=1e-6)
    weights = variables(moved / "variables" / "variables")
    assert {name.partition("/")[0] for name in weights} == {"network", "head"}
