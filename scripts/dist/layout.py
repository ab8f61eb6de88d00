"""Where the files of a release are, in its folder and once it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

COMPLETIONS = {
    "bash": "share/bash-completion/completions/tftl",
    "zsh": "share/zsh/site-functions/_tftl",
    "fish": "share/fish/vendor_completions.d/tftl.fish",
}
MANUAL = "share/man/man1/tftl.1"
DOCUMENTS = "share/doc/tftl"
PROGRAM = "bin/tftl"
LINK = "../lib/tftl/bin/tftl"  # from the folder of programs to this one


def installed(release: Path) -> Iterator[tuple[Path, Path]]:
    """The files of a release, and where each goes below /usr or another prefix.

    The program and its library stay together. The rest goes where the system looks for it.
    """
    for path in sorted(path for path in release.rglob("*") if path.is_file()):
        place = path.relative_to(release)
        yield path, place if place.parts[0] == "share" else Path("lib/tftl", place)


def mode(path: Path) -> int:
    """The permissions of a file."""
    return 0o755 if path.parent.name == "bin" else 0o644
