#!/usr/bin/env python3
"""Packs a program as a wheel, which starts it with the installed TensorFlow, and the exporter.

A wheel is a zip file with a few files about itself. One commit gives the same bytes each time.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from packaging.version import InvalidVersion, Version

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dist import archive, parts
from tftl import TENSORFLOW

SCRIPTS = Path(__file__).resolve().parents[1]
PACKAGES = ("tftl", "tftl_export")
MACHINES = {62: "x86_64", 183: "aarch64"}  # by the number in an ELF file
OLDEST_GLIBC = 28  # 2.28: what releases are built for
FIRST = 315532800  # 1980, where the times in zip files start

METADATA = """\
Metadata-Version: 2.4
Name: tftl
Version: {version}
Summary: Transfer learning for image classification: train, evaluate and gate in CI
License-Expression: {licence}
{files}
Requires-Python: >=3.11,<3.14
Requires-Dist: tensorflow=={tensorflow}
Requires-Dist: keras>=3.15,<4
Requires-Dist: h5py>=3.11
Requires-Dist: numpy>=1.26
Requires-Dist: pip
Provides-Extra: cuda
Requires-Dist: tensorflow[and-cuda]=={tensorflow}; extra == "cuda"
Provides-Extra: onnx
Requires-Dist: tf2onnx>=1.17,<2; extra == "onnx"
Requires-Dist: onnx>=1.20; extra == "onnx"
Requires-Dist: onnxruntime>=1.24; extra == "onnx"
Description-Content-Type: text/markdown

`tftl` trains a new head on a network that already knows how to see, such as VGG16, measures the
result on held-out photographs, and writes a SavedModel.

    tftl-export --backbone vgg16 --weights imagenet --head gap --output vgg16
    tftl fit --data photographs --model vgg16 --output run
    tftl evaluate --model run

`tftl-convert` writes TensorFlow Lite files of a trained model, and ONNX files if the extra `onnx`
is installed. Each command has `--help`.
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


def main() -> int:
    """Write a wheel for each program; returns the exit code."""
    parser = argparse.ArgumentParser(description="Pack programs as wheels.")
    parser.add_argument("programs", nargs="+", type=Path, metavar="PROGRAM")
    parser.add_argument("--version", required=True, help="as git describe prints it")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    options = parser.parse_args()
    try:
        version = python_version(options.version)
        for program in options.programs:
            path = build(program, version, options.output)
            print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    except (OSError, ValueError, parts.PartsError) as error:
        print(f"wheel: {error}", file=sys.stderr)
        return 1
    return 0


def build(program: Path, version: str, output: Path) -> Path:
    """Write the wheel with this program into a folder; returns its path."""
    content = program.read_bytes()
    try:
        tag = f"py3-none-{platform(content)}"
    except ValueError as error:
        raise ValueError(f"{program}: {error}") from None
    files = {"tftl/bin/tftl": content}
    for package in PACKAGES:
        for path in sorted((SCRIPTS / package).rglob("*.py")):
            files[path.relative_to(SCRIPTS).as_posix()] = path.read_bytes()
    info = f"tftl-{version}.dist-info"
    expression, texts = licences(program)
    about = {
        "METADATA": METADATA.format(
            version=version,
            licence=expression,
            files="\n".join(f"License-File: {name}" for name in texts),
            tensorflow=TENSORFLOW,
        ),
        "WHEEL": WHEEL.format(tag=tag),
        "entry_points.txt": ENTRY_POINTS,
    }
    files |= {f"{info}/{name}": text.encode() for name, text in about.items()}
    files |= {f"{info}/licenses/{name}": text for name, text in texts.items()}
    record = f"{info}/RECORD"
    rows = [f"{name},{digest(data)},{len(data)}\n" for name, data in files.items()]
    files[record] = "".join([*rows, f"{record},,\n"]).encode()

    output.mkdir(parents=True, exist_ok=True)
    path = output / f"tftl-{version}-{tag}.whl"
    part = path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            zipped.writestr(entry(name, executable=data is content), data)
    os.replace(part, path)
    return path


def licences(program: Path) -> tuple[str, dict[str, bytes]]:
    """The licences of all that is in a program: an expression of SPDX, and their texts by name."""
    listed = parts.modules(program)
    texts = {"LICENSE": (SCRIPTS.parent / "LICENSE").read_bytes()}
    with tempfile.TemporaryDirectory() as work:
        parts.licences(listed, Path(work))
        for path in sorted(path for path in Path(work).rglob("*") if path.is_file()):
            texts[path.relative_to(work).as_posix()] = path.read_bytes()
    return " AND ".join(sorted({"MIT", *(part.licence for part in listed)})), texts


def entry(name: str, *, executable: bool) -> zipfile.ZipInfo:
    """What the archive says of a file, the same on every machine."""
    made = zipfile.ZipInfo(name, time.gmtime(max(archive.date(), FIRST))[:6])
    made.create_system = 3  # Unix, whose modes follow
    made.external_attr = (0o100755 if executable else 0o100644) << 16
    made.compress_type = zipfile.ZIP_DEFLATED
    return made


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
    matched = re.fullmatch(r"(.*?)(?:-(\d+)-(g[0-9a-f]+))?(-dirty)?", described)
    assert matched is not None  # everything matches
    tag, commits, commit, dirty = matched.groups()
    if "." not in tag:  # there is no tag yet
        tag, commit = "0.0.0", tag
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
    sys.exit(main())
