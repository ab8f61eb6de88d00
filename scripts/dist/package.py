#!/usr/bin/env python3
"""Makes the folder of a release, and archives and a Debian package of it; `make dist` runs it."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from dist import archive, library, parts
from tftl_export import downloads

COMPLETIONS = {
    "bash": "share/bash-completion/completions/tftl",
    "zsh": "share/zsh/site-functions/_tftl",
    "fish": "share/fish/vendor_completions.d/tftl.fish",
}
MANUAL = "share/man/man1/tftl.1"
DOCUMENTS = "share/doc/tftl"
DESCRIPTION = """transfer learning for image classification
Trains and evaluates image classifiers on networks exported once from Keras.
TensorFlow's C library is inside; no Python is needed.
"""
NFPM = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.44.0"


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
    options = parser.parse_args(arguments)
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
    """Write the archives, the Debian package and their sums."""
    files = [made.with_name(made.name + ending) for ending in (".tar.zst", ".tar.gz")]
    for file in files:
        archive.tar(made, file)
    files.append(deb(made, options.version, options.architecture, options.output))
    sums = options.output / f"SHA256SUMS-{options.architecture}"
    sums.write_text("".join(f"{downloads.sha256(file)}  {file.name}\n" for file in files))
    for file in [*files, sums]:
        print(f"{file}  {file.stat().st_size / 1e6:.1f} MB")


def folder(options: argparse.Namespace, to: Path) -> Path:
    """Make the folder that is released, all or nothing."""
    with tempfile.TemporaryDirectory(dir=options.output, prefix=".tmp-") as work:
        made = Path(work, to.name)
        (made / "bin").mkdir(parents=True)
        shutil.copyfile(options.program, made / "bin/tftl")
        (made / "bin/tftl").chmod(0o755)
        documents = made / DOCUMENTS
        documents.mkdir(parents=True)
        for file in ("LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"):
            shutil.copyfile(file, documents / file)
        shutil.copytree("docs", documents / "docs")
        notices = library.copy(options.architecture, made / "lib")
        listed = parts.modules(options.program)
        parts.licences(listed, documents / "licences")
        (documents / "licences/tensorflow").mkdir()
        shutil.copyfile(notices, documents / "licences/tensorflow" / library.NOTICES)
        (documents / "sbom.cdx.json").write_text(
            parts.sbom(listed, options.version, options.architecture) + "\n"
        )
        for arguments, file in [
            (["man"], MANUAL),
            *((["completion", shell], file) for shell, file in COMPLETIONS.items()),
        ]:
            (made / file).parent.mkdir(parents=True)
            (made / file).write_bytes(
                subprocess.run(
                    [options.native, *arguments], check=True, stdout=subprocess.PIPE
                ).stdout
            )
        shutil.rmtree(to, ignore_errors=True)
        os.replace(made, to)
    return to


def deb(release: Path, version: str, architecture: str, output: Path) -> Path:
    """Make a Debian package of the folder."""
    to = output / f"tftl_{version}_{architecture}.deb"
    with tempfile.TemporaryDirectory(dir=output, prefix=".tmp-") as work:
        contents = [entry("/usr/lib/tftl/bin/tftl", "/usr/bin/tftl") | {"type": "symlink"}]
        for path, target in installed(release):
            if (
                target.suffix == ".1" or target.name == "CHANGELOG.md"
            ):  # Debian wants these compressed
                zipped = Path(work, f"{path.name}.gz")
                zipped.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
                name = "changelog" if path.name == "CHANGELOG.md" else path.name
                path, target = zipped, target.with_name(f"{name}.gz")
            contents.append(entry(path, Path("/usr", target)))
        contents.append(entry("scripts/dist/debian/copyright", f"/usr/{DOCUMENTS}/copyright"))
        contents.append(entry("scripts/dist/debian/overrides", "/usr/share/lintian/overrides/tftl"))
        config = Path(work, "nfpm.json")  # JSON is YAML
        config.write_text(json.dumps(control(version, architecture) | {"contents": contents}))
        nfpm = [os.environ.get("GO", "go"), "run", NFPM, "package", "--packager", "deb"]
        subprocess.run(
            [*nfpm, "--config", config, "--target", to], check=True, stdout=subprocess.DEVNULL
        )
    return to


def installed(release: Path) -> Iterator[tuple[Path, Path]]:
    """The files of a release, and where each goes below /usr or another prefix.

    The program and its library stay together, and the rest is where the system looks for it.
    """
    for path in sorted(path for path in release.rglob("*") if path.is_file()):
        place = path.relative_to(release)
        yield path, place if place.parts[0] == "share" else Path("lib/tftl", place)


def entry(source: Path | str, target: Path | str) -> dict[str, Any]:
    """A file of a Debian package, as nfpm takes it."""
    mode = 0o755 if Path(target).parent.name == "bin" else 0o644
    return {"src": str(source), "dst": str(target), "file_info": {"mode": mode}}


def control(version: str, architecture: str) -> dict[str, Any]:
    """What a Debian package says of itself."""
    return {
        "name": "tftl",
        "arch": architecture,
        "version": version,
        "version_schema": "none",
        "maintainer": "The tftl authors <maintainers@tftl.invalid>",
        "section": "science",
        "priority": "optional",
        "depends": ["libc6 (>= 2.28)", "libstdc++6 (>= 8)", "libgcc-s1 | libgcc1"],
        "description": DESCRIPTION,
        "license": "MIT",
        "mtime": datetime.fromtimestamp(archive.date(), UTC).isoformat(),
        "deb": {"compression": "gzip"},  # Debian 11 has no zstd
    }


def install(release: Path, prefix: Path, root: str) -> None:
    """Copy a release below a prefix, which is in another folder than / if root says so."""
    base = Path(f"{root}{prefix}")
    for path, target in installed(release):
        to = base / target
        to.parent.mkdir(parents=True, exist_ok=True)
        part = to.with_name(f".{to.name}.part")
        shutil.copyfile(path, part)
        part.chmod(0o755 if to.parent.name == "bin" else 0o644)
        os.replace(part, to)
    link = base / "bin/tftl"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to("../lib/tftl/bin/tftl")
    print(link)


if __name__ == "__main__":
    sys.exit(main())
