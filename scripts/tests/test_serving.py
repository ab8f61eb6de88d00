"""What serves: probabilities, encoded images, and a trained model as other programs load it."""

from __future__ import annotations

import io
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import MetaGraph, Stage, batches, variables
from PIL import Image
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
def test_serving_answers_as_the_stage_that_was_trained(tiny, tmp_path, head, stage_name, classes):
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


def test_a_trained_model_loads_in_python_as_any_savedmodel(tiny, tmp_path):
    """As Go writes it: the serving MetaGraph alone, and its own save as `variables/`."""
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

    moved = shutil.move(folder, tmp_path / "elsewhere")
    loaded = tf.saved_model.load(str(moved))
    ((images, _),) = batches(9, 1, 6, 32, 4)
    got = loaded.signatures["serving_default"](images=tf.constant(images))
    want = serve.call("serving_default", images=images)
    for name in ("logits", "probabilities"):
        np.testing.assert_allclose(got[name], want[name], atol=1e-6)
    weights = variables(moved / "variables" / "variables")
    assert {name.partition("/")[0] for name in weights} == {"network", "head"}
