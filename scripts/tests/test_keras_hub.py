"""--keras-hub: backbones of KerasHub with random weights, compared with KerasHub's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import Stage, variables
from program import ROOT, Predictions, fails, history, parts, tftl
from sklearn.linear_model import LogisticRegression

import pin
from tftl_export import contract
from tftl_export.backbones import hub
from tftl_export.commands import export
from tftl_export.graph.head import Head, HeadKind
from tftl_export.graph.network import Network

keras_hub = pytest.importorskip("keras_hub", reason="make test-python installs KerasHub")

PHOTOS = ROOT / "build/testdata/photos"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET = {
    "scale": [1 / 255 / std for std in STD],
    "offset": [-mean / std for mean, std in zip(MEAN, STD, strict=True)],
}
SMALL = {"patch_size": 8, "num_layers": 3, "hidden_dim": 16, "num_heads": 2}
MORE = {**SMALL, "intermediate_dim": 32, "image_shape": (32, 32, 3)}


def vit(**more):
    shape = {"image_shape": (32, 32, 3), "mlp_dim": 32}
    return keras_hub.models.ViTBackbone(**SMALL, **shape, **more)


def siglip():
    vision = keras_hub.models.SigLIPVisionEncoder(**MORE)
    text = keras_hub.models.SigLIPTextEncoder(
        vocabulary_size=9,
        embedding_dim=16,
        hidden_dim=16,
        num_layers=1,
        num_heads=2,
        intermediate_dim=16,
        max_sequence_length=4,
    )
    return keras_hub.models.SigLIPBackbone(vision, text)


def resnet():
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )


# How each is made, what its image converter does, and --pool.
BACKBONES: dict[str, Any] = {
    "vit": (vit, {"scale": 1 / 127.5, "offset": -1.0}, "cls"),
    "dinov2": (
        lambda: keras_hub.models.DINOV2Backbone(
            **MORE, num_register_tokens=2, position_embedding_shape=(48, 48, 3)
        ),
        {"crop_to_aspect_ratio": False, "interpolation": "bicubic", **IMAGENET},
        "mean",
    ),
    "dinov3": (lambda: keras_hub.models.DINOV3Backbone(**MORE), IMAGENET, "mean"),
    "siglip": (siglip, {"scale": 0.01, "offset": [-1.0, -1.1, -0.9]}, None),
    "resnet": (resnet, {"interpolation": "nearest"}, None),
}
BEFORE = {"vit": 1, "dinov2": 3, "dinov3": 5}  # tokens before those of the patches


def preset(name, folder, make=None, converter=None):
    """Save a preset, with weights that are large enough to matter; converter=False for none."""
    usual, settings, _ = BACKBONES[name]
    settings = {**settings, **(converter or {})}
    keras.utils.set_random_seed(3)
    backbone = (make or usual)()
    random = np.random.default_rng(4)
    for weight in backbone.trainable_weights:
        weight.assign(weight + 0.1 * random.normal(size=weight.shape).astype(np.float32))
    backbone.save_to_preset(folder)
    kind = next(
        kind
        for kind in vars(keras_hub.layers).values()
        if getattr(kind, "backbone_cls", None) is type(backbone)
    )
    if converter is not False:
        kind(image_size=(32, 32), **settings).save_to_preset(folder)
    return folder


def pooling(name):
    if name == "resnet":
        return ["--head", "gap"]
    pool = BACKBONES[name][2]
    return [] if pool is None else ["--pool", pool]


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


# What is refused


@pytest.fixture
def refused(tmp_path, capsys):
    def run(*arguments):
        capsys.readouterr()
        code = export.main(["--keras-hub", *map(str, arguments), "-o", str(tmp_path / "m")])
        said = capsys.readouterr().err
        assert code == 1 and not (tmp_path / "m").exists()
        return said.removeprefix("export.py: ").replace(str(tmp_path), "DIR")

    return run


def test_tokens_need_a_pool(refused, tmp_path):
    saved = preset("vit", tmp_path / "vit")
    assert refused(saved).startswith("vit: its features are 17 tokens; --pool cls takes the first")
    assert "--head gmp: --pool cls pools already" in refused(
        saved, "--pool", "cls", "--head", "gmp"
    )
    unclassified = preset("vit", tmp_path / "none", lambda: vit(use_class_token=False))
    assert "--pool cls: none has no class token" in refused(unclassified, "--pool", "cls")


def test_vectors_and_maps_need_none(refused, tmp_path):
    saved = preset("siglip", tmp_path / "siglip")
    assert "is for tokens [N,T,D]; siglip gives a vector" in refused(saved, "--pool", "mean")
    saved = preset("resnet", tmp_path / "resnet")
    assert "resnet gives features [N,H,W,C]: see --head" in refused(saved, "--pool", "mean")


def test_presets_that_cannot_be_used(refused, tmp_path):
    said = refused("nonesuch")
    assert said == (
        "--keras-hub nonesuch: KerasHub cannot load it: neither a preset that it knows nor a "
        "folder that save_to_preset wrote\n"
    )
    saved = preset("vit", tmp_path / "vit")
    said = refused(saved, "--pool", "cls", "--image-size", "64")
    assert said.startswith("--keras-hub DIR/vit, --image-size 64: KerasHub cannot load it: ")
    text = keras_hub.models.BertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    )
    text.save_to_preset(tmp_path / "bert")
    assert refused(tmp_path / "bert") == (
        "--keras-hub DIR/bert: must have one input and one output\n"
    )


def test_a_preset_without_a_converter_needs_preprocess(refused, tmp_path, capsys):
    saved = preset("vit", tmp_path / "vit", converter=False)
    said = refused(saved, "--pool", "cls")
    assert "the preset has no image converter, which says how to scale pixels" in said
    assert hub.load(str(saved), None, "cls", "torch").image.preprocess == "torch"


def test_resizing_that_tftl_does_not_do_gives_a_warning(tmp_path, capsys, monkeypatch):
    description = {"backbone": "vit", "weights": {"origin": ""}, "stages": []}
    monkeypatch.setattr(contract, "export", lambda *_: description)
    pad = {"crop_to_aspect_ratio": False, "pad_to_aspect_ratio": True, "antialias": True}
    saved = preset("vit", tmp_path / "vit", converter=pad)
    given = ["--keras-hub", str(saved), "--pool", "cls", "-o", str(tmp_path / "m")]
    assert export.main(given) == 0
    printed = capsys.readouterr()
    assert "resizes images with antialiasing and after padding, which tftl does not" in printed.err
    assert "vit: images 32 x 32, pad, bilinear, preprocessing tf" in printed.out
    assert export.main([*given, "--fit", "crop", "--interpolation", "area"]) == 0
    assert "vit: images 32 x 32, crop, area, preprocessing tf" in capsys.readouterr().out


def test_dinov2_takes_other_sizes(tmp_path):
    saved = preset("dinov2", tmp_path / "dinov2")
    loaded = hub.load(str(saved), 48, "mean", None)
    assert loaded.image.size == (48, 48) and loaded.base.output.shape == (None, 6, 6, 16)


def test_a_preset_is_loaded_the_same_twice_and_its_scale_counts(tmp_path):
    """Features of another scale must not be found in the cache."""
    saved = preset("siglip", tmp_path / "siglip")

    def digests():
        loaded = hub.load(str(saved), None, None, None)
        network = Network(loaded.base, loaded.cuts, loaded.image)
        head = Head(HeadKind("gap", 0), network.feature_shape)
        return [contract.frozen_digest(stage) for stage in network.stages(head)]

    first = digests()
    assert digests() == first and len(set(first)) == len(first)
    config = json.loads((saved / "image_converter.json").read_text())
    config["config"]["scale"] = 0.02
    (saved / "image_converter.json").write_text(json.dumps(config))
    assert not set(digests()) & set(first)


def test_a_missing_keras_hub_is_one_line_and_how_to_install_it(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    first, hint, *rest = refused("vit").splitlines()
    assert first.startswith("--keras-hub vit: KerasHub is not installed: ") and not rest
    assert hint.startswith("hint: ") and hint.endswith(" ".join(hub.PACKAGES))
    assert list(hub.PACKAGES) == pin.packages(pin.KERAS_HUB)


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
