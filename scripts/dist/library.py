"""TensorFlow's C library for a release, from its wheel and without the linker's symbol table.

That table is a quarter of the library, and nothing reads it at run time. The result is the same
wherever it is made, while each processor would need a `strip` of its own.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dist.parts import Part
from tftl import TENSORFLOW
from tftl_export import downloads

LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
NOTICES = "THIRD_PARTY_NOTICES.txt"
ARM64 = "4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c"

ELF64 = b"\x7fELF\x02\x01"  # and little-endian
HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
NO_BITS = 8  # SHT_NOBITS: takes no room in the file
TABLES = {".symtab", ".strtab", ".shstrtab"}  # the last has the names of sections


class LibraryError(Exception):
    """The library is not what is expected: one line."""


class Section(NamedTuple):
    """A section header, in the order of its fields."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry: int


def copy(architecture: str, folder: Path) -> list[Part]:
    """Write the libraries for CPUs into a folder; returns what they are."""
    folder.mkdir(parents=True)
    if architecture == "amd64":  # the wheel that is installed
        wheel = Path("build/libtensorflow/lib", LIBRARIES[0]).resolve().parent
        return [_copy_from(wheel, "tensorflow-cpu", folder)]
    archive = downloads.wheel("tensorflow", TENSORFLOW, ARM64, platform="manylinux_2_27_aarch64")
    with (
        tempfile.TemporaryDirectory(dir=folder.parent) as unpacked,
        zipfile.ZipFile(archive) as zipped,
    ):
        for name in (*LIBRARIES, NOTICES):
            zipped.extract(f"tensorflow/{name}", unpacked)
        return [_copy_from(Path(unpacked, "tensorflow"), "tensorflow", folder)]


def copy_cuda(packages: Path, folder: Path, cuda: Path) -> list[Part]:
    """Write TensorFlow's CUDA build into a folder, and NVIDIA's libraries into another.

    The second must be called nvidia and be beside the first, where TensorFlow looks for it.
    """
    folder.mkdir(parents=True)
    found = [_copy_from(packages / "tensorflow", "tensorflow", folder)]
    for library in sorted(packages.glob("nvidia/*/lib/*.so*")):
        to = cuda / library.relative_to(packages / "nvidia")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(library, to)
    for about in sorted(packages.glob("nvidia_*.dist-info")):
        name, version = about.name.removesuffix(".dist-info").split("-")
        name = name.replace("_", "-")
        texts = {path.name: path.read_bytes() for path in about.rglob("License*.txt")}
        url = f"pkg:pypi/{name}@{version}"
        found.append(Part(name, version, url, "LicenseRef-NVIDIA-Proprietary", texts))
    return found


def _copy_from(wheel: Path, name: str, folder: Path) -> Part:
    for library in LIBRARIES:
        strip(wheel / library, folder / library)
    texts = {NOTICES: (wheel / NOTICES).read_bytes()}
    return Part(name, TENSORFLOW, f"pkg:pypi/{name}@{TENSORFLOW}", "Apache-2.0", texts)


def strip(library: Path, to: Path) -> None:
    """Copy a library without its symbol table, which must be behind all that is used."""
    with library.open("rb") as source, to.open("wb") as target:
        first = source.read(HEADER.size)
        if first[:6] != ELF64:
            raise LibraryError(f"{library}: not a 64-bit ELF file")
        header = list(HEADER.unpack(first))
        start, count, names = header[5], header[11], header[12]
        source.seek(start)
        table = source.read(SECTION.size * count)
        sections = [Section(*fields) for fields in SECTION.iter_unpack(table)]
        body = [s for s in sections if _name(source, sections[names], s) not in TABLES]
        end = max(s.offset + s.size for s in body if s.type != NO_BITS)
        if body != sections[: len(body)] or any(s.offset < end for s in sections[len(body) :]):
            raise LibraryError(f"{library}: the symbol table is not at the end")
        source.seek(0)
        _copy(source, target, end)
        source.seek(sections[names].offset)
        target.write(source.read(sections[names].size))
        target.write(bytes(-target.tell() % 8))
        header[5], header[11], header[12] = target.tell(), len(body) + 1, len(body)
        target.write(
            b"".join(SECTION.pack(*s) for s in [*body, sections[names]._replace(offset=end)])
        )
        source.seek(0)
        target.seek(0)
        target.write(source.read(16) + HEADER.pack(*header)[16:])


def _name(source: BinaryIO, names: Section, section: Section) -> str:
    source.seek(names.offset + section.name)
    return source.read(16).split(b"\0")[0].decode()


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size:
        block = source.read(min(size, 1 << 24))
        target.write(block)
        size -= len(block)
