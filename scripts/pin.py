#!/usr/bin/env python3
"""Writes into requirements.txt which files pip may install: their SHA-256, as the index has them.

pip refuses anything else then. requirements-gpu.txt becomes the same with TensorFlow's CUDA build,
and the packages that only it has: NVIDIA's libraries. Run it after a version in any of them has
changed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
GPU = REQUIREMENTS.with_name("requirements-gpu.txt")
COPIES = REQUIREMENTS.with_name("requirements-copies.txt")
KERAS_HUB = REQUIREMENTS.with_name("requirements-keras-hub.txt")
PYTHONS = ("3.11", "3.12", "3.13")
# glibc of the oldest and the newest system; pip takes the newest wheel that fits.
SYSTEMS = [range(5, newest + 1) for newest in (28, 45)]


def main() -> None:
    """Renew the hashes."""
    common = packages(REQUIREMENTS)
    pin(REQUIREMENTS, common)
    pin(COPIES, packages(COPIES))
    pin(KERAS_HUB, packages(KERAS_HUB))
    cuda = [re.sub("^tensorflow_cpu==", "tensorflow==", package) for package in common]
    known = {name(package) for package in cuda}
    pin(GPU, sorted([*cuda, *(p for p in packages(GPU) if name(p) not in known)], key=name))


def packages(file: Path) -> list[str]:
    """The packages of a requirements file, with their versions."""
    return re.findall(r"^[\w.-]+==[^\s;\\]+", file.read_text(), re.MULTILINE)


def pin(file: Path, wanted: list[str]) -> None:
    """Write the hashes of packages into a requirements file, and how much one set-up downloads."""
    head = re.findall(r"^#(?! pip downloads ).*\n", file.read_text(), re.MULTILINE)
    hashes: dict[str, set[str]] = {package: set() for package in wanted}
    most = 0
    for python in PYTHONS:
        for system in SYSTEMS:
            total = 0
            for package, (digest, url) in zip(wanted, chosen(wanted, python, system), strict=True):
                hashes[package].add(digest)
                total += size(url)
            most = max(most, total)
    lines = [
        " \\\n    ".join([package, *(f"--hash=sha256:{d}" for d in sorted(hashes[package]))])
        for package in wanted
    ]
    much = f"{most / 1e9:.1f} GB" if most >= 5e7 else f"{most / 1e6:.0f} MB"
    downloads = f"# pip downloads {much}.\n"
    file.write_text("".join(head) + downloads + "\n".join(lines) + "\n")


@cache
def size(url: str) -> int:
    """The bytes of a file of the index."""
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD")) as answer:
        return int(answer.headers["Content-Length"])


def chosen(wanted: list[str], python: str, system: range) -> Iterator[tuple[str, str]]:
    """The digest and the address of what pip would install, in the order of the packages."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps"]
    pip += ["--ignore-installed", "--only-binary", ":all:", "--python-version", python]
    for minor in reversed(system):
        pip += ["--platform", f"manylinux_2_{minor}_x86_64"]
    for old in ("2014", "2010", "1"):
        pip += ["--platform", f"manylinux{old}_x86_64"]
    with tempfile.TemporaryDirectory() as work:
        report = Path(work) / "report.json"
        pip += ["--target", work, "--report", str(report), *wanted]
        subprocess.run(pip, check=True)
        found = {}
        for package in json.loads(report.read_text())["install"]:
            file = package["download_info"]
            digest = file["archive_info"]["hashes"]["sha256"]
            found[plain(package["metadata"]["name"])] = digest, file["url"]
    for requirement in wanted:
        yield found[name(requirement)]


def name(requirement: str) -> str:
    """A requirement's package as indexes compare it."""
    return plain(requirement.split("==")[0])


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
