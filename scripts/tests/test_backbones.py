"""Every backbone of the table against Keras' own network and preprocessing, random weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from driver import Stage, batches, settle, variables

from tftl_export import backbones, contract
from tftl_export.backbones import BACKBONES
from tftl_export.head import Head, HeadKind
from tftl_export.images import Input
from tftl_export.network import Network

# What keras.applications calls each of them, and where its preprocessing is.
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
    """The network with weights of no training at a small size, and a head."""
    backbone = BACKBONES[name]
    size = max(64, backbone.minimum_size)
    base, _ = backbones.build(name, size, "none", seed=3)
    settle(base)
    network = Network(base, backbone.cuts, Input((size, size), "bilinear", backbone.preprocess))
    return base, network, Head(HeadKind("gap", 0), network.feature_shape)


def of_keras(name, base):
    """The same network as Keras has it with its own preprocessing, pixels to pooled features."""
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


@pytest.mark.parametrize("name", APPLICATIONS)
def test_stages_share_out_the_network_and_compute_what_keras_does(name):
    base, network, head = cut(name)
    depths = network.depths(head)
    stages = depths[1:]
    layers = [layer for stage in stages for layer in stage.layers]
    assert sorted(layers) == sorted(layer.name for layer in base.layers if layer.name != "images")
    parameters = [sum(v.shape.num_elements() for v in s.network.values()) for s in stages]
    assert parameters[0] > 0 and parameters == sorted(set(parameters))
    assert parameters[-1] == sum(np.prod(w.shape) for w in base.trainable_weights)
    assert len(network.variables) == len(base.weights)  # no two have one name

    ((images, _),) = batches(5, 1, 2, network.image.size[0], 2)
    want = of_keras(name, base)(images)
    for depth in depths:
        features = depth.features(images)
        assert list(features.shape[1:]) == depth.feature_shape
        assert relative(depth.pooled(features), want) <= 1e-5, depth.name


@pytest.mark.parametrize("name", ["inception_v3", "xception", "efficientnet_b0"])
def test_layers_that_keras_numbers_do_not_change_the_digests(name):
    digests = []
    for _ in range(2):
        _, network, head = cut(name)
        digests.append([contract._frozen_digest(depth) for depth in network.depths(head)])
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == len(digests[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_exported_head_stage_follows_keras(name, tmp_path):
    base, network, head = cut(name)
    alone = Network(base, {}, network.image)  # without the other stages it is quick to export
    contract.export(str(tmp_path / "m"), alone, head, backbone=name, origin="", learning_rate=1e-3)
    stage = Stage(tmp_path / "m", "head").init(3)
    ((images, _),) = batches(5, 1, 2, network.image.size[0], 3)
    features = stage.features(images)

    want = of_keras(name, base)(images)
    assert relative(features, want) <= 1e-5
    saved = variables(stage.save(tmp_path / "c"))
    logits = want @ saved["head/output_kernel"] + saved["head/output_bias"]
    assert relative(stage.logits(features), logits) <= 1e-5
    # Everything that Keras saves is in the checkpoint, BatchNorm's statistics too.
    for weight in base.weights:
        restored = saved.pop(f"network/{weight.path.replace('/', '_')}")
        assert np.array_equal(restored, weight.numpy()), weight.path
    assert not [name for name in saved if name.startswith("network/")]
