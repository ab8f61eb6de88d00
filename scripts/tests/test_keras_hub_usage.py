"""--keras-hub: what is refused, and how options replace what a preset says."""

from __future__ import annotations

import json
import sys

import pytest
from hub_presets import keras_hub, preset, vit

import pin
from tftl_export import contract
from tftl_export.backbones import hub
from tftl_export.commands import export
from tftl_export.graph.head import Head, HeadKind
from tftl_export.graph.network import Network


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
