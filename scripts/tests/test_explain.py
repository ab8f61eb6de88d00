"""The signature explain, compared with Grad-CAM of the same network in Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import MetaGraph, Stage, batches, variables

from tftl_export.backbones.build import build_backbone

SIZE = 96  # feature maps of 6x6
POOLINGS = {
    "flatten": keras.layers.Flatten,
    "gap": keras.layers.GlobalAveragePooling2D,
    "gmp": keras.layers.GlobalMaxPooling2D,
}


@pytest.fixture
def trained(tiny, tmp_path):
    """Trains a head for a few steps; returns its serving MetaGraph and checkpoint."""

    def make(head, hidden, classes):
        model = tiny(head, "--image-size", str(SIZE), "--hidden", str(hidden))
        stage = Stage(model, "block2").init(classes)
        for images, targets in batches(1, 3, 8, SIZE, classes):
            stage.step(stage.features(images), targets, lr=0.01)
        serve = MetaGraph(model, "serve")
        serve.restore(stage.save(tmp_path / "c"))
        return serve, tmp_path / "c"

    return make


def of_keras(checkpoint, pooling):
    """Grad-CAM as Keras' own examples compute it, scaled to 1, for an image and a class."""
    weights = variables(checkpoint)
    base, _ = build_backbone("tiny", SIZE, "none", seed=99)
    for variable in base.weights:
        variable.assign(weights[f"network/{variable.path.replace('/', '_')}"])
    x = POOLINGS[pooling]()(base.output)
    names = sorted(n.removesuffix("_bias") for n in weights if n.startswith("head/") and "_b" in n)
    for name in names:
        values = [weights[f"{name}_{part}"] for part in ("kernel", "bias")]
        relu = "relu" if "hidden" in name else None
        dense = keras.layers.Dense(len(values[1]), activation=relu)
        x = dense(x)
        dense.set_weights(values)
    model = keras.Model(base.input, [base.output, x])

    def heatmap(image, label):
        with tf.GradientTape() as tape:
            maps, logits = model(image[np.newaxis] / np.float32(255))
            alone = logits.shape[1] == 1
            score = (logits[0, 0] if label == 1 else -logits[0, 0]) if alone else logits[0, label]
        (gradient,), (maps,) = tape.gradient(score, maps).numpy(), maps.numpy()
        heat = np.zeros(maps.shape[:2])
        for k in range(maps.shape[2]):
            heat += gradient[..., k].astype(np.float64).mean() * maps[..., k]
        heat = np.maximum(heat, 0)
        return heat / heat.max() if heat.any() else heat

    return heatmap


@pytest.mark.parametrize(
    "head, hidden, classes",
    [("flatten", 0, 2), ("flatten", 1, 4), ("gap", 0, 2), ("gap", 2, 4), ("gmp", 0, 4)],
)
def test_heatmaps_match_keras(trained, head, hidden, classes):
    serve, checkpoint = trained(head, hidden, classes)
    ((images, _),) = batches(9, 1, 2 * classes, SIZE, classes)
    asked = np.arange(2 * classes, dtype=np.int32) % classes
    heatmaps = serve.call("explain", images=images, label=asked)["heatmap"]
    assert heatmaps.shape == (2 * classes, 6, 6) and heatmaps.dtype == np.float32
    reference = of_keras(checkpoint, head)
    want = [reference(image, label) for image, label in zip(images, asked, strict=True)]
    assert sum(heat.any() for heat in want) >= classes / 2  # many are not empty
    np.testing.assert_allclose(heatmaps, want, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "head, hidden, name, takes",
    [
        ("flatten", 1, "head", "features"),
        ("gap", 0, "head", "maps"),
        ("gmp", 0, "block2", "features"),
    ],
)
def test_stages_explain_what_they_computed(tiny, trained, head, hidden, name, takes):
    """From features, or from the maps that they lose."""
    _, checkpoint = trained(head, hidden, 4)
    stage = Stage(tiny(head, "--image-size", str(SIZE), "--hidden", str(hidden)), name)
    stage.restore(checkpoint)
    ((images, _),) = batches(9, 1, 8, SIZE, 4)
    asked = np.arange(8, dtype=np.int32) % 4
    frozen = stage.call("features", images=images)
    assert ("maps" in frozen) == (takes == "maps")
    heatmaps = stage.call("explain", **{takes: frozen[takes]}, label=asked)["heatmap"]
    reference = of_keras(checkpoint, head)
    want = [reference(image, label) for image, label in zip(images, asked, strict=True)]
    np.testing.assert_allclose(heatmaps, want, rtol=0, atol=1e-4)


def test_heatmaps_are_0_to_1_and_those_of_two_classes_do_not_overlap(trained):
    serve, _ = trained("gap", 0, 2)
    ((images, _),) = batches(9, 1, 16, SIZE, 2)
    both = [
        serve.call("explain", images=images, label=np.full(16, label, np.int32))["heatmap"]
        for label in (0, 1)
    ]
    for heatmaps in both:
        assert heatmaps.min() >= 0
        assert set(heatmaps.max(axis=(1, 2))) <= {0.0, 1.0}
    # Evidence for one class is evidence against the other.
    assert not (both[0] * both[1]).any()
    assert all(a.any() or b.any() for a, b in zip(*both, strict=True))


def test_a_black_image_gives_zeros_and_not_nan(tiny):
    """Biases are 0 before training, so all maps of a black image are 0."""
    model = tiny("gap", "--image-size", str(SIZE))
    images = np.zeros((2, SIZE, SIZE, 3), np.float32)
    images[1] = 255
    heatmaps = MetaGraph(model, "serve").call("explain", images=images, label=[0, 0])
    assert not heatmaps["heatmap"][0].any() and np.isfinite(heatmaps["heatmap"]).all()


def test_a_class_that_is_not_there_is_an_error(trained):
    for classes in (2, 3):
        serve, _ = trained("gap", 0, classes)
        for label in (-1, classes):
            with pytest.raises(tf.errors.InvalidArgumentError):
                images = np.ones((1, SIZE, SIZE, 3), np.float32)
                serve.call("explain", images=images, label=np.array([label], np.int32))
