"""Archives that depend on their files' names and contents alone: same files, same bytes."""

from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import zstandard

from tftl_export import downloads

LEVEL = 12  # of zstd: a release is packed in a minute


def date() -> int:
    """The time that files are given: SOURCE_DATE_EPOCH, or that of the last commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    git = subprocess.run(["git", "log", "-1", "--format=%ct"], capture_output=True, text=True)
    return int(git.stdout or 0)


def tar(folder: Path, to: Path) -> None:
    """Pack a folder under its own name into a .tar.gz or .tar.zst."""
    with (
        _compressed(to) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as out,
    ):
        for path in [folder, *sorted(folder.rglob("*"))]:
            out.add(
                path, path.relative_to(folder.parent).as_posix(), recursive=False, filter=_anonymous
            )


def record(files: list[Path], to: Path) -> None:
    """Write the sums of files, as sha256sum checks them, and print how big each is."""
    to.write_text("".join(f"{downloads.sha256(file)}  {file.name}\n" for file in files))
    for file in [*files, to]:
        print(f"{file}  {file.stat().st_size / 1e6:.1f} MB")


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = date()
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


@contextmanager
def _compressed(to: Path) -> Iterator[IO[bytes]]:
    """A stream into a file that has its name only once it is whole."""
    part = to.with_name(f".{to.name}.part")
    with part.open("wb") as file:
        if to.suffix == ".gz":
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as stream:
                yield stream  # type: ignore[misc]
        else:
            with zstandard.ZstdCompressor(LEVEL, threads=os.cpu_count() or 1).stream_writer(
                file
            ) as stream:
                yield stream
    os.replace(part, to)
