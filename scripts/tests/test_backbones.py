"""Every backbone compared with Keras' own network and preprocessing, with random weights."""

from __future__ import annotations

import gc
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import Stage, pictures, settle, variables
from program import ROOT, Predictions, history, parts, tftl

from tftl_export import contract
from tftl_export.backbones.build import build_backbone
from tftl_export.backbones.table import BACKBONES
from tftl_export.graph.head import Head, HeadKind
from tftl_export.graph.images import Input
from tftl_export.graph.network import Network

# Their names in keras.applications, and the modules with their preprocessing.
APPLICATIONS = {
    "vgg16": ("VGG16", "vgg16"),
    "vgg19": ("VGG19", "vgg19"),
    "resnet50": ("ResNet50", "resnet"),
    "resnet101": ("ResNet101", "resnet"),
    "inception_v3": ("InceptionV3", "inception_v3"),
    "xception": ("Xception", "xception"),
    "mobilenet_v2": ("MobileNetV2", "mobilenet_v2"),
    "densenet121": ("DenseNet121", "densenet"),
    "efficientnet_b0": ("EfficientNetB0", "efficientnet"),
    "efficientnet_v2_s": ("EfficientNetV2S", "efficientnet_v2"),
    "convnext_tiny": ("ConvNeXtTiny", "convnext"),
}


def cut(name):
    """A network with random weights and a small size, and a head."""
    backbone = BACKBONES[name]
    size = max(64, backbone.minimum_size)
    base, _ = build_backbone(name, size, "none", seed=3)
    image = Input((size, size), "bilinear", backbone.preprocess)
    settle(base, image.preprocess_pixels(pictures(8, 16, size)))
    network = Network(base, backbone.cuts, image)
    return base, network, Head(HeadKind("gap", 0), network.feature_shape)


def of_keras(name, base):
    """Keras' network and preprocessing with the same weights, from pixels to pooled features."""
    if name not in APPLICATIONS:  # Keras has none, or one that includes the preprocessing
        return lambda images: base(images, training=False).numpy().mean(axis=(1, 2))
    function, module = APPLICATIONS[name]
    make = getattr(keras.applications, function)
    network = make(include_top=False, weights=None, input_shape=base.input.shape[1:])
    network.set_weights(base.get_weights())
    preprocess = getattr(keras.applications, module).preprocess_input

    def features(images):
        return network(preprocess(images.copy()), training=False).numpy().mean(axis=(1, 2))

    return features


def relative(got, want):
    return np.linalg.norm(got - want) / np.linalg.norm(want)


def test_every_backbone_is_here():
    assert set(APPLICATIONS) == set(BACKBONES) - {"tiny", "efficientnet_lite0"}


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "tiny"])
def test_stages_divide_the_network_and_compute_what_keras_does(name):
    base, network, head = cut(name)
    head_stage, *deeper = network.stages(head)
    layers = [layer for stage in deeper for layer in stage.layers]
    assert sorted(layers) == sorted(layer.name for layer in base.layers if layer.name != "images")
    parameters = [sum(v.shape.num_elements() for v in s.network.values()) for s in deeper]
    assert parameters[0] > 0 and parameters == sorted(set(parameters))
    assert parameters[-1] == sum(np.prod(w.shape) for w in base.trainable_weights)
    assert len(network.variables) == len(base.weights)  # names are unique

    images = pictures(5, 2, network.image.size[0])
    want = of_keras(name, base)(images)
    for stage in [head_stage, *deeper]:
        features = stage.frozen(images)["features"]
        assert list(features.shape[1:]) == stage.feature_shape
        assert relative(stage.pooled(features), want) <= 1e-5, stage.name


@pytest.mark.parametrize("name", ["inception_v3", "xception", "efficientnet_b0"])
def test_layers_that_keras_numbers_do_not_change_the_digests(name):
    digests = []
    for _ in range(2):
        _, network, head = cut(name)
        digests.append([contract.frozen_digest(stage) for stage in network.stages(head)])
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == len(digests[0])


# Tested in every run; `make test-backbones` tests the others.
REPRESENTATIVE = {"mobilenet_v2"}
EXPORTED = [
    pytest.param(name, marks=() if name in REPRESENTATIVE else pytest.mark.slow)
    for name in BACKBONES
    if name != "tiny"
]


@pytest.fixture(scope="module", params=EXPORTED)
def exported(request, tmp_path_factory):
    """A backbone's name, network and export, with stage head only because that is quicker."""
    base, network, head = cut(request.param)
    alone = Network(base, {}, network.image)
    folder = tmp_path_factory.mktemp(request.param) / "model"
    contract.export(str(folder), alone, head, contract.About(request.param, ""))
    yield request.param, base, folder
    # A dozen networks with their graphs do not fit in memory.
    shutil.rmtree(folder)
    del base, network, head, alone
    keras.backend.clear_session()
    gc.collect()


def test_the_exported_head_stage_follows_keras(exported, tmp_path):
    name, base, folder = exported
    stage = Stage(folder, "head").init(3)
    images = pictures(5, 8, base.input.shape[1])
    features = stage.features(images)
    want = of_keras(name, base)(images)
    assert relative(features, want) <= 1e-5
    if "constant_features" in stage.signatures:
        assert stage.call("constants_hold")["hold"]
        constant = stage.call("constant_features", images=images)["features"]
        assert relative(constant, want) <= 1e-5

    saved = variables(stage.save(tmp_path / "c"))
    logits = want @ saved["head/output_kernel"] + saved["head/output_bias"]
    assert relative(stage.logits(want), logits) <= 1e-5
    # Everything that Keras saves is in the checkpoint, including BatchNorm's statistics.
    for weight in base.weights:
        restored = saved.pop(f"network/{weight.path.replace('/', '_')}")
        assert np.array_equal(restored, weight.numpy()), weight.path
    assert not [name for name in saved if name.startswith("network/")]


@pytest.mark.parametrize("bfloat16", [False, True], ids=["float32", "bfloat16"])
def test_features_depend_on_the_image_alone(exported, bfloat16):
    """Repeats are equal to the bit, and other batches and orders within rounding.

    On some processors the order of sums depends on the image's place in the batch.
    """
    if bfloat16 and "bfloat16" not in tftl("version"):
        pytest.skip("tftl does not use bfloat16 on this processor")
    _, base, folder = exported
    stage = Stage(folder, "head", bfloat16=bfloat16)
    images = pictures(5, 32, base.input.shape[1])
    random = np.random.default_rng(0)
    for signature in stage.signatures & {"features", "constant_features"}:
        features = stage.call(signature, images=images)["features"]
        once_more = stage.call(signature, images=images)["features"]
        assert np.array_equal(once_more, features), signature
        rounding = (0.02 if bfloat16 else 1e-5) * np.abs(features).max()
        for _ in range(3):
            order = random.permutation(32)
            again = stage.call(signature, images=images[order])["features"]
            assert np.abs(again - features[order]).max() <= rounding, signature
        # A short batch is padded with copies.
        filled = images[[*range(9), *[8] * 23]]
        again = stage.call(signature, images=filled)["features"]
        assert np.abs(again[:9] - features[:9]).max() <= rounding, signature


def test_the_program_trains_it_and_predicts_what_keras_does(exported, tmp_path):
    name, base, folder = exported
    data, run = ROOT / "build/testdata/photos", tmp_path / "run"
    more = ["--limit-per-class", "20", "--epochs", "2", "--cache", "off", "--precision", "float32"]
    tftl("fit", "--data", data, "--model", folder, *more, "--output", run)
    tftl("evaluate", "--model", run, "--precision", "float32")
    assert [np.isfinite(epoch["loss"]) for epoch in history(run)] == [True, True]
    evaluation = json.loads((run / "evaluation.json").read_text())
    table = Predictions.of((run / "predictions.csv").read_text())
    assert evaluation["samples"] == len(table.paths) == len(parts(run)["test"]) > 0

    files = [tf.io.decode_image(tf.io.read_file(str(data / path))) for path in table.paths]
    images = np.array([tf.image.resize(file, base.input.shape[1:3]) for file in files])
    weights = variables(run / "model" / "variables" / "variables")
    features = of_keras(name, base)(images) / weights["head/feature_scale"]
    logits = features @ weights["head/output_kernel"] + weights["head/output_bias"]
    want = 1 / (1 + np.exp(-logits[:, 0]))
    np.testing.assert_allclose(table.probabilities[:, 1], want, rtol=0, atol=1e-4)
