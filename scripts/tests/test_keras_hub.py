"""--keras-hub: backbones of KerasHub with random weights, compared with KerasHub's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import Stage, variables
from hub_presets import BACKBONES, BEFORE, PHOTOS, keras_hub, pooling, preset
from program import ROOT, Predictions, fails, history, parts, tftl
from sklearn.linear_model import LogisticRegression

from tftl_export import contract
from tftl_export.commands import export


def of_keras(folder, name):
    """KerasHub's own way from decoded images to pooled features."""
    converter = keras_hub.layers.ImageConverter.from_preset(str(folder))
    backbone = keras_hub.models.Backbone.from_preset(str(folder))
    backbone = getattr(backbone, "vision_encoder", backbone)

    def features(images):
        pixels = np.stack([converter(tf.cast(image, tf.float32)) for image in images])
        named = isinstance(backbone.input, dict)
        given = dict.fromkeys(backbone.input, pixels) if named else pixels
        out = np.array(backbone(given, training=False))
        if name == "resnet":
            return out.mean(axis=(1, 2))
        if BACKBONES[name][2] == "cls":
            return out[:, 0]
        return out if out.ndim == 2 else out[:, BEFORE[name] :].mean(axis=1)

    return features


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=() if n == "vit" else pytest.mark.slow) for n in BACKBONES],
)
def exported(request, tmp_path_factory):
    """A backbone's name, its preset and its export."""
    folder = tmp_path_factory.mktemp(request.param)
    saved = preset(request.param, folder / "preset")
    model = folder / "model"
    arguments = ["--keras-hub", str(saved), *pooling(request.param), "--output", str(model)]
    assert export.main(arguments) == 0
    yield request.param, saved, model
    keras.backend.clear_session()


STAGES = {
    "resnet": ["head", "above_p2", "all"],
    **dict.fromkeys(BEFORE, ["head", "block3", "block2", "all"]),
    "siglip": ["head", "block3", "block2", "all"],
}
PREPROCESS = {
    "vit": "tf",
    "dinov2": "torch",
    "dinov3": "torch",
    "siglip": "scale",
    "resnet": "none",
}


def test_stages_and_preprocessing_are_the_presets(exported):
    name, saved, model = exported
    about = json.loads(model.joinpath(*contract.DESCRIPTION).read_text())
    assert about["backbone"] == "preset" and about["weights"]["origin"] == "KerasHub, preset"
    assert [stage["name"] for stage in about["stages"]] == STAGES[name]
    image = about["input"]
    assert image["size"] == [32, 32] and image["preprocess"] == PREPROCESS[name]
    fits = {"dinov2": ("stretch", "bicubic"), "resnet": ("crop", "nearest")}
    assert (image["fit"], image["interpolation"]) == fits.get(name, ("crop", "bilinear"))
    if name == "siglip":
        assert image["scale"] == [0.01] * 3 and image["offset"] == [-1.0, -1.1, -0.9]
    backbone = keras_hub.models.Backbone.from_preset(str(saved))
    backbone = getattr(backbone, "vision_encoder", backbone)
    whole = sum(np.prod(weight.shape) for weight in backbone.trainable_weights)
    assert [s["parameters"] for s in about["stages"]][-1] == whole
    layers = [layer for stage in about["stages"] for layer in stage["layers"]]
    assert len(layers) == len(set(layers))


def test_every_stage_computes_what_keras_does_and_can_be_trained(exported):
    name, saved, model = exported
    features = of_keras(saved, name)
    images = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)
    want = features(images)
    for stage_name in STAGES[name]:
        stage = Stage(model, stage_name).init(3)
        cached = stage.features(images)
        inputs = stage.call("head_inputs", features=cached)["inputs"]
        np.testing.assert_allclose(inputs, want, rtol=0, atol=1e-5 * np.abs(want).max())
        losses = [
            stage.step(cached, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], lr=1e-3, clip=1.0)
            for _ in range(8)
        ]
        assert all(step["finite"] for step in losses)
        assert losses[-1]["loss"] < losses[0]["loss"]


def test_only_patches_have_heat_maps(exported):
    name, _, model = exported
    grid = {"dinov2": (4, 4), "dinov3": (4, 4), "resnet": (4, 4)}.get(name)
    stage = Stage(model, "head").init(2)
    assert ("explain" in stage.signatures) == (grid is not None)
    if grid:
        images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
        maps = stage.call("features", images=images)["maps"]
        heat = stage.call("explain", maps=maps, label=[0, 1])["heatmap"]
        assert heat.shape == (2, *grid)


@pytest.fixture(scope="module")
def trained(exported, tmp_path_factory):
    """A run of the head and of the last block."""
    name, saved, model = exported
    run = tmp_path_factory.mktemp("run") / "run"
    last = STAGES[name][1]
    more = ["--epochs", "8", "--stage", "head", "--stage", last, "--cache", "ram"]
    tftl("fit", "--data", PHOTOS, "--model", model, *more, *EXACT, "--output", run)
    return name, saved, model, run


EXACT = ("--precision", "float32")


def test_the_program_predicts_what_keras_does(trained, tmp_path):
    """From the files' bytes on: decoding, resizing, preprocessing, network and head."""
    name, saved, model, _ = trained
    run = tmp_path / "run"
    tftl("fit", "--data", PHOTOS, "--model", model, "--epochs", "8", *EXACT, "--output", run)
    tftl("evaluate", "--model", run, *EXACT)
    table = Predictions.of((run / "predictions.csv").read_text())
    features = of_keras(saved, name)
    pixels = [tf.io.decode_image(tf.io.read_file(str(PHOTOS / p)), channels=3) for p in table.paths]
    weights = variables(run / "model/variables/variables")
    logits = features(pixels) / weights["head/feature_scale"] @ weights["head/output_kernel"]
    want = 1 / (1 + np.exp(-(logits + weights["head/output_bias"])[:, 0]))
    np.testing.assert_allclose(table.probabilities[:, 1], want, rtol=0, atol=1e-5)

    def of(part):
        rows = parts(run)[part]
        files = [tf.io.decode_image(tf.io.read_file(str(PHOTOS / p)), channels=3) for p, _ in rows]
        return features(files), [label for _, label in rows]

    theirs = LogisticRegression(max_iter=1000).fit(*of("train")).score(*of("test"))
    correct = np.array(table.predicted) == np.array(table.labels)
    assert correct.mean() >= theirs - 0.1

    picture = ["predict", "--model", run, "--explain", tmp_path / "maps", PHOTOS / table.paths[0]]
    if name in ("vit", "siglip"):
        assert "whose features are one vector has no heat maps" in fails(4, *picture)
    else:
        tftl(*picture)


def test_fine_tuning_changes_the_last_block_alone(trained):
    name, _, model, run = trained
    before = variables(model / "variables/variables")
    after = variables(run / "model/variables/variables")
    changed = {
        key
        for key in after
        if key.startswith("network/") and not np.array_equal(before[key], after[key])
    }
    network = {key for key in after if key.startswith("network/")}
    last = {
        "vit": ("transformer_block_3_", "_ln_"),
        "resnet": ("stack1_",),
        "siglip": ("encoder_block_2_", "post_layer_norm", "head_"),
    }.get(name, ("layers_2_", "layernorm"))
    above = {key for key in network if any(part in key for part in last)}
    assert changed and changed <= above
    assert [stage["stage"] for stage in history(run)][-1] == STAGES[name][1]


def test_a_run_repeats_and_a_resumed_one_ends_the_same(exported, tmp_path):
    name, _, model = exported
    if name not in ("vit", "dinov3"):
        pytest.skip("attention is the same in the others")
    arguments = ["fit", "--data", PHOTOS, "--model", model, "--stage", "block2", "--epochs", "40"]
    arguments += ["--patience", "0", "--dropout", "0.2", *EXACT, "--cache-dir", tmp_path / "cache"]
    tftl(*arguments, "--output", tmp_path / "whole")
    command = [str(ROOT / "bin/tftl"), *map(str, arguments), "--output", str(tmp_path / "run")]
    with subprocess.Popen([*command, "--quiet"], env={**os.environ}) as process:
        lines = tmp_path / "run/history.jsonl"
        while process.poll() is None and not (lines.exists() and lines.read_text().count("\n") > 1):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert not (tmp_path / "run/model").exists()
    tftl("fit", "--resume", tmp_path / "run")
    for file in ("history.jsonl", "checkpoints/last/ckpt.data-00000-of-00001"):
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_a_network_without_int8_says_so(exported):
    name, _, model = exported
    if name != "resnet":
        said = fails(2, "fit", "--data", PHOTOS, "--model", model, "--precision", "int8")
        assert "int8 operations reach 0% of its multiplications" in said


def test_every_operation_is_allowed(exported):
    _, _, model = exported
    about = json.loads(tftl("inspect", model, "--json"))
    assert [o["name"] for o in about["operations"] if not o["allowed"]] == []


def test_weights_of_a_preset_are_not_packed(exported):
    _, _, model = exported
    command = [sys.executable, str(ROOT / "scripts/dist/models.py"), "--version", "1"]
    done = subprocess.run(
        [*command, "--output", str(Path(model).parent / "packed"), str(model)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "the licence of its weights is not known (KerasHub, preset)" in done.stderr
