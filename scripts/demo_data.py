#!/usr/bin/env python3
"""Build the demo's photographs: a folder per class, from Debian's tuxpaint-stamps-default.

The stamps are cut-out photographs of one object each; they are set on white, 256x256, as JPEG.
`animals` (bird, mammal) stands in for cats and dogs, `plants` has four classes. Both are small
and tidy sets: figures on them say little about cluttered photographs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tftl_export import fetch

PACKAGE = "tuxpaint-stamps-default"
STAMPS = "usr/share/tuxpaint/stamps"
SIZE = 256
FILL = 0.92  # of the frame, by the object's longer side
SOURCES = "SOURCES.txt"
ARROW = " <- "  # between a photograph and its stamp, in SOURCES

# The package that the counts below were taken from. Another release has other stamps.
TRIED_VERSION = "2022.06.04-1"
TRIED_SHA256 = "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"


@dataclass(frozen=True)
class Class:
    """A class: where its stamps are, and how many there were in the release tried."""

    patterns: tuple[str, ...]
    tried: int


SETS = {
    "animals": {
        "bird": Class(("animals/birds/**/*.png",), 35),
        "mammal": Class(("animals/mammals/**/*.png",), 62),
    },
    "plants": {
        "flower": Class(("plants/flowers/**/*.png",), 24),
        "fruit": Class(("food/fruit/**/*.png",), 25),
        # With shrubs, herbs and other whole plants: the trees alone are too few to split.
        "tree": Class(("plants/trees/**/*.png", "plants/*.png"), 10),
        "vegetable": Class(("food/vegetables/**/*.png",), 18),
    },
}
LEFT_OUT_FOLDERS = {"cartoon", "toys", "plastic"}  # not photographs of the thing itself
LEFT_OUT_ENDINGS = ("_mirror.png", "_flip.png")  # another stamp, turned
LEFT_OUT = {
    "echidna.png",  # a drawing
    "hedgehog.png",  # a drawing
    "apple_green.png",  # apple_red.png in another colour
    "rambutan.png",  # fruit, among the trees
}


class DemoError(Exception):
    """The set cannot be built: one line, with what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Build a set and print its counts; the exit code."""
    parser = argparse.ArgumentParser(description="Build the demo's photographs.")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", type=Path)
    parser.add_argument("--set", choices=sorted(SETS), default="animals")
    options = parser.parse_args(arguments)
    try:
        counts = build(options.output, options.set)
    except (DemoError, fetch.FetchError, OSError) as error:
        print(f"demo_data: {error}", file=sys.stderr)
        return 1
    print(f"{options.output}: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
    return 0


def build(output: Path, name: str) -> dict[str, int]:
    """Build the named set in a folder, whole or not at all; the photographs by class.

    A folder that has the set already is left as it is.
    """
    if output.exists():
        if counts := _built(output, name):
            return counts
        if not output.is_dir() or any(output.iterdir()):
            raise DemoError(f"{output}: exists, and is not the whole set {name}; remove it first")
    package = fetch.deb(PACKAGE)
    digest, version = fetch.sha256(package), fetch.deb_version(package)
    if digest != TRIED_SHA256:
        print(
            f"demo_data: warning: {PACKAGE} {version} is not the {TRIED_VERSION} this was tried "
            "with; photographs may differ",
            file=sys.stderr,
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    with fetch.scratch() as unpacked, _beside(output) as folder:
        fetch.unpack_deb(package, Path(unpacked))
        stamps = Path(unpacked, STAMPS)
        found = {label: find(stamps, kind) for label, kind in SETS[name].items()}
        whole = Path(folder, name)  # by mkdir, for the permissions that the umask gives
        sources = [_title(name), "", *_licence(version, digest), ""]
        for label, photographs in found.items():
            (whole / label).mkdir(parents=True)
            for file, stamp in photographs.items():
                photograph(stamp).save(whole / label / file, quality=92)
                sources.append(f"{label}/{file}{ARROW}{stamp.relative_to(stamps)}")
        (whole / SOURCES).write_text("\n".join(sources) + "\n")
        os.replace(whole, output)
    return {label: len(photographs) for label, photographs in found.items()}


def find(stamps: Path, kind: Class) -> dict[str, Path]:
    """The stamps of a class, by the name of the photograph to make of each."""
    found: dict[str, Path] = {}
    for stamp in sorted(path for pattern in kind.patterns for path in stamps.glob(pattern)):
        if stamp.name in LEFT_OUT or stamp.name.endswith(LEFT_OUT_ENDINGS):
            continue
        if not LEFT_OUT_FOLDERS.isdisjoint(stamp.relative_to(stamps).parts):
            continue
        file = f"{stamp.stem}.jpg"
        found[f"{stamp.parent.name}-{file}" if file in found else file] = stamp
    if len(found) < 0.75 * kind.tried:
        raise DemoError(
            f"{PACKAGE}: {len(found)} photographs in {' '.join(kind.patterns)}, about "
            f"{kind.tried} expected; this release cannot be used, take a folder of your own"
        )
    return found


def photograph(stamp: Path) -> Image.Image:
    """The stamp's object, scaled to the frame and set on white."""
    with Image.open(stamp) as opened:
        image = opened.convert("RGBA")
    box = image.getchannel("A").getbbox()
    if box is None:
        raise DemoError(f"{stamp}: an empty picture")
    image = image.crop(box)
    scale = FILL * SIZE / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    frame = Image.new("RGBA", (SIZE, SIZE), "white")
    frame.alpha_composite(image, ((SIZE - width) // 2, (SIZE - height) // 2))
    return frame.convert("RGB")


def _built(output: Path, name: str) -> dict[str, int]:
    """The counts of a folder that has the whole set by its SOURCES, or nothing."""
    try:
        title, *lines = (output / SOURCES).read_text().splitlines()
    except (OSError, ValueError):
        return {}
    files = [line.split(ARROW)[0] for line in lines if ARROW in line]
    whole = bool(files) and all((output / file).is_file() for file in files)
    if title != _title(name) or not whole:
        return {}
    labels = [file.split("/")[0] for file in files]
    return {label: labels.count(label) for label in SETS[name]}


def _beside(output: Path) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder on the output's disk, so that a rename out of it is atomic."""
    return tempfile.TemporaryDirectory(dir=output.parent, prefix=".tmp-")


def _title(name: str) -> str:
    return f"The demo set {name}, made by scripts/demo_data.py"


def _licence(version: str, digest: str) -> list[str]:
    return [
        f"From the Debian package {PACKAGE} {version}",
        f"(sha256 {digest}),",
        "the rubber stamps of Tux Paint, copyright 2002-2022 by various contributors, cropped,",
        "scaled and set on white. The package is under the GNU General Public License, version 2.",
        "Authors, and free licences of single pictures (public domain, GFDL, Creative Commons),",
        f"stand in its usr/share/doc/{PACKAGE}/changelog.gz, where contributors gave them.",
    ]


if __name__ == "__main__":
    sys.exit(main())
