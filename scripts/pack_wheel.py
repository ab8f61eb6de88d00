#!/usr/bin/env python3
"""Packs tftl as a wheel: the program, which starts with the installed TensorFlow, and the exporter.

A wheel is a zip file with a few files about itself. One commit gives the same bytes each time.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import sys
import time
import zipfile
from pathlib import Path

from packaging.version import InvalidVersion, Version

from tftl import TENSORFLOW

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tftl", "tftl_export")
MACHINES = {62: "x86_64", 183: "aarch64"}  # by the number in an ELF file
OLDEST_GLIBC = 28  # 2.28, that of the oldest systems which TensorFlow's wheels are for

METADATA = """\
Metadata-Version: 2.4
Name: tftl
Version: {version}
Summary: Transfer learning of image classifiers: train, evaluate and gate from the command line
License-Expression: MIT
License-File: LICENSE
Requires-Python: >=3.11,<3.14
Requires-Dist: tensorflow=={tensorflow}
Requires-Dist: keras>=3.12,<4
Requires-Dist: h5py>=3.11
Requires-Dist: numpy>=1.26
Requires-Dist: pip
Provides-Extra: cuda
Requires-Dist: tensorflow[and-cuda]=={tensorflow}; extra == "cuda"
Description-Content-Type: text/markdown

`tftl` trains a new head on a network that already knows how to see, such as VGG16, measures the
result on held-out photographs, and writes a SavedModel.

    tftl-export --backbone vgg16 --weights imagenet --head gap --output vgg16
    tftl fit --data photographs --model vgg16 --output run
    tftl evaluate --model run

`tftl-convert` writes TensorFlow Lite files of a trained model. Each command has `--help`.
"""

WHEEL = """\
Wheel-Version: 1.0
Generator: tftl
Root-Is-Purelib: false
Tag: {tag}
"""

ENTRY_POINTS = """\
[console_scripts]
tftl = tftl:program
tftl-export = tftl:export
tftl-convert = tftl:convert
"""


def main() -> None:
    """Write a wheel for each program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="+", type=Path, metavar="PROGRAM")
    parser.add_argument("--version", required=True, help="as git describe prints it")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    options = parser.parse_args()
    for program in options.programs:
        try:
            print(build(program, python_version(options.version), options.output))
        except (OSError, ValueError) as error:
            sys.exit(f"pack_wheel.py: {error}")


def build(program: Path, version: str, output: Path) -> Path:
    """Write the wheel with this program into a folder; returns its path."""
    content = program.read_bytes()
    try:
        tag = f"py3-none-{platform(content)}"
    except ValueError as error:
        raise ValueError(f"{program}: {error}") from None
    files = {"tftl/bin/tftl": content}
    for package in PACKAGES:
        for path in sorted((ROOT / "scripts" / package).rglob("*.py")):
            files[str(path.relative_to(ROOT / "scripts"))] = path.read_bytes()
    info = f"tftl-{version}.dist-info"
    texts = {
        "METADATA": METADATA.format(version=version, tensorflow=TENSORFLOW),
        "WHEEL": WHEEL.format(tag=tag),
        "entry_points.txt": ENTRY_POINTS,
        "licenses/LICENSE": (ROOT / "LICENSE").read_text(),
    }
    files |= {f"{info}/{name}": text.encode() for name, text in texts.items()}
    record = f"{info}/RECORD"
    rows = [f"{name},{digest(data)},{len(data)}\n" for name, data in files.items()]
    files[record] = "".join([*rows, f"{record},,\n"]).encode()

    output.mkdir(parents=True, exist_ok=True)
    path = output / f"tftl-{version}-{tag}.whl"
    beside = path.with_suffix(".tmp")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(entry(name, executable=data is content), data)
    os.replace(beside, path)
    return path


def entry(name: str, *, executable: bool) -> zipfile.ZipInfo:
    """What the archive says of a file, the same on every machine."""
    made = zipfile.ZipInfo(name, time.gmtime(built())[:6])
    made.create_system = 3  # Unix, whose modes follow
    made.external_attr = (0o100755 if executable else 0o100644) << 16
    made.compress_type = zipfile.ZIP_DEFLATED
    return made


def built() -> int:
    """The time of every file in an archive: SOURCE_DATE_EPOCH, or 1980, where zip files begin."""
    first = 315532800
    return max(int(os.environ.get("SOURCE_DATE_EPOCH", first)), first)


def platform(program: bytes) -> str:
    """The tag of the systems that a program runs on, from the versions of glibc that it names.

    Raises:
        ValueError: if it is not a program for such a system.
    """
    machine = MACHINES.get(int.from_bytes(program[18:20], "little"))
    if not program.startswith(b"\x7fELF") or machine is None:
        raise ValueError("not a Linux program for x86-64 or arm64")
    minors = [int(minor) for minor in re.findall(rb"\0GLIBC_2\.(\d+)", program)]
    return f"manylinux_2_{max([OLDEST_GLIBC, *minors])}_{machine}"


def python_version(described: str) -> str:
    """The version by Python's rules: v1.2.0-3-gabc-dirty is 1.2.0.post3+gabc.dirty.

    Raises:
        ValueError: if it is none.
    """
    parts = re.fullmatch(r"(.*?)(?:-(\d+)-(g[0-9a-f]+))?(-dirty)?", described)
    assert parts is not None  # everything matches
    tag, commits, commit, dirty = parts.groups()
    if "." not in tag:  # there is no tag yet
        tag, commit = "0", f"g{tag}"
    local = ".".join(filter(None, [commit, dirty and "dirty"]))
    try:
        return str(Version(tag + (f".post{commits}" if commits else "") + (local and f"+{local}")))
    except InvalidVersion:
        raise ValueError(f"version {described}: not a version such as v1.2.0") from None


def digest(data: bytes) -> str:
    """A file's hash as RECORD has it."""
    value = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={value.decode()}"


if __name__ == "__main__":
    main()
