#!/usr/bin/env python3
"""Writes into requirements.txt which files pip may install: their SHA-256, as the index has them.

pip refuses anything else then. Run it after a version in requirements.txt has changed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
PYTHONS = ("3.11", "3.12", "3.13")
# glibc of the oldest and the newest system; pip takes the newest wheel that fits.
SYSTEMS = [range(5, newest + 1) for newest in (28, 45)]


def main() -> None:
    """Renew the hashes."""
    text = REQUIREMENTS.read_text()
    head = "".join(re.findall(r"^#.*\n", text, re.MULTILINE))
    wanted = re.findall(r"^[\w.-]+==[^\s;\\]+", text, re.MULTILINE)
    hashes: dict[str, set[str]] = {name: set() for name in wanted}
    for python in PYTHONS:
        for system in SYSTEMS:
            for name, digest in zip(wanted, chosen(wanted, python, system), strict=True):
                hashes[name].add(digest)
    lines = [
        " \\\n    ".join([name, *(f"--hash=sha256:{digest}" for digest in sorted(hashes[name]))])
        for name in wanted
    ]
    REQUIREMENTS.write_text(head + "\n".join(lines) + "\n")


def chosen(wanted: list[str], python: str, system: range) -> Iterator[str]:
    """The digests of the files that pip would install, in the order of the packages."""
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
            digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
            found[plain(package["metadata"]["name"])] = digest
    for requirement in wanted:
        yield found[plain(requirement.split("==")[0])]


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
