#!/usr/bin/env python3
"""Makes the folder of a release, and archives and a Debian package of it; `make dist` runs it."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from dist import archive, debian, layout, library, parts
from tftl_export import downloads


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make a release.")
    parser.add_argument(
        "--program", required=True, metavar="FILE", type=Path, help="tftl as it is released"
    )
    parser.add_argument(
        "--native",
        required=True,
        metavar="FILE",
        type=Path,
        help="tftl of this machine; it writes the manual",
    )
    parser.add_argument("--architecture", choices=("amd64", "arm64"), default="amd64")
    parser.add_argument("--version", required=True)
    parser.add_argument("--output", required=True, metavar="DIR", type=Path)
    parser.add_argument(
        "--install",
        metavar="PREFIX",
        type=Path,
        help="install it below PREFIX and $DESTDIR instead of packing it",
    )
    parser.add_argument(
        "--cuda",
        metavar="DIR",
        type=Path,
        help="take TensorFlow's CUDA build from the Python packages in DIR",
    )
    options = parser.parse_args(arguments)
    if options.cuda and options.architecture != "amd64":
        parser.error("--cuda: the Python packages are for x86-64")
    name = f"tftl-{options.version}-linux-{options.architecture}"
    try:
        made = folder(options, options.output / name)
        if options.install:
            install(made, options.install, os.environ.get("DESTDIR", ""))
        else:
            pack(made, options)
    except (
        library.LibraryError,
        parts.PartsError,
        downloads.DownloadError,
        OSError,
        subprocess.CalledProcessError,
    ) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


def pack(made: Path, options: argparse.Namespace) -> None:
    """Write the archives, the Debian package and their sums.

    What is for GPUs is one archive, to be unpacked over the other or alone.
    """
    ending = "-cuda" if options.cuda else ""
    files = [made.with_name(f"{made.name}{ending}.tar.zst")]
    archive.tar(made, files[0])
    if not options.cuda:
        files.append(made.with_name(f"{made.name}.tar.gz"))
        archive.tar(made, files[1])
        files.append(debian.package(made, options.version, options.architecture, options.output))
    archive.record(files, options.output / f"SHA256SUMS-{options.architecture}{ending}")


def folder(options: argparse.Namespace, to: Path) -> Path:
    """Make the folder that is released, all or nothing."""
    with tempfile.TemporaryDirectory(dir=options.output, prefix=".tmp-") as work:
        made = Path(work, to.name)
        program = made / layout.PROGRAM
        program.parent.mkdir(parents=True)
        shutil.copyfile(options.program, program)
        program.chmod(layout.mode(program))
        documents = made / layout.DOCUMENTS
        documents.mkdir(parents=True)
        for file in ("LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"):
            shutil.copyfile(file, documents / file)
        (documents / "docs").mkdir()
        for page in Path("docs").iterdir():
            if page.suffix in {".md", ".json", ".png"}:
                shutil.copyfile(page, documents / "docs" / page.name)
        listed = parts.modules(options.program)
        if options.cuda:
            listed += library.copy_cuda(options.cuda, made / "lib-gpu", made / "nvidia")
        else:
            listed += library.copy(options.architecture, made / "lib")
        parts.licences(listed, documents / "licences")
        sbom = "sbom-cuda.cdx.json" if options.cuda else "sbom.cdx.json"
        (documents / sbom).write_text(parts.sbom(listed, options.version) + "\n")
        written(options.native, ["man"], made / layout.MANUAL)
        for shell, place in layout.COMPLETIONS.items():
            written(options.native, ["completion", shell], made / place)
        shutil.rmtree(to, ignore_errors=True)
        os.replace(made, to)
    return to


def written(program: Path, arguments: list[str], to: Path) -> None:
    """Write to a file what tftl says of itself."""
    to.parent.mkdir(parents=True)
    dated = os.environ | {"SOURCE_DATE_EPOCH": str(archive.date())}
    done = subprocess.run([program, *arguments], env=dated, stdout=subprocess.PIPE, check=True)
    to.write_bytes(done.stdout)


def install(release: Path, prefix: Path, root: str) -> None:
    """Copy a release below a prefix, which is in another folder than / if root says so."""
    base = Path(f"{root}{prefix}")
    os.umask(0o022)  # others use it too
    shutil.rmtree(base / "lib/tftl", ignore_errors=True)  # an older one, perhaps with CUDA
    for path, target in layout.installed(release):
        to = base / target
        to.parent.mkdir(parents=True, exist_ok=True)
        part = to.with_name(f".{to.name}.part")
        shutil.copyfile(path, part)
        part.chmod(layout.mode(to))
        os.replace(part, to)
    link = base / layout.PROGRAM
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(layout.LINK)
    print(link)


if __name__ == "__main__":
    sys.exit(main())
